"""Layer sizes and initial values of a network, in one flat vector with views into it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastdnn.ops.prelu import INITIAL_SLOPE

# Numbers that are drawn at a time: they stay in cache.
_DRAWS_AT_ONCE = 2**15


class Parameters:
    """All that a network learns, as views into one flat vector.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of every layer, the input layer first.
    dtype : dtype
        float32 or float64.
    theta : ndarray of shape (n_parameters,), optional
        Of that dtype, taken as it is; zeros, and gains of 1 and slopes of 0.25, if None.
    normalized : sequence of int, default=()
        Positions of the layers with a gain and a shift of normalisation for each unit.
    sloped : sequence of int, default=()
        Positions of the layers whose activation learns a slope.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
        All weights, layer by layer, then the tail: all biases; then, layer by layer, the
        gains, the shifts and the slope of those that have them.
    coefs : list of ndarray of shape (n_in, n_out)
        Views into `theta`.
    intercepts : list of ndarray of shape (n_out,)
        Views into `theta`.
    norm_gains, norm_shifts : list of ndarray of shape (n_out,)
        Views into `theta`, of the layers that have them.
    prelu_slopes : list of ndarray of shape (1,)
        Views into `theta`, of the layers that have one.
    own_starts : dict of (str, int) to int
        Where in `theta` the gains ("norm"), which the shifts follow, and the slope ("slope")
        of a layer are.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        dtype: np.typing.DTypeLike,
        theta: np.ndarray | None = None,
        *,
        normalized: Sequence[int] = (),
        sloped: Sequence[int] = (),
    ) -> None:
        self.layer_sizes = tuple(int(size) for size in layer_sizes)
        shapes = list(zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True))
        self.n_weights = sum(n_in * n_out for n_in, n_out in shapes)
        self.n_biases = sum(self.layer_sizes[1:])
        self.normalized, self.sloped = tuple(normalized), tuple(sloped)
        n_of_norms = sum(2 * self.layer_sizes[l + 1] for l in self.normalized)
        n_parameters = self.n_weights + self.n_biases + n_of_norms + len(self.sloped)
        self.theta = np.zeros(n_parameters, dtype=dtype) if theta is None else theta
        if self.theta.shape != (n_parameters,):
            raise ValueError(
                f"theta has shape {self.theta.shape}, but layers of {self.layer_sizes} units "
                f"have {n_parameters} parameters."
            )
        self.coefs: list[np.ndarray] = []
        self.intercepts: list[np.ndarray] = []
        self.coef_starts: list[int] = []
        self.intercept_starts: list[int] = []
        start = 0
        for n_in, n_out in shapes:
            stop = start + n_in * n_out
            self.coefs.append(self.theta[start:stop].reshape(n_in, n_out))
            self.coef_starts.append(start)
            start = stop
        for n_out in self.layer_sizes[1:]:
            self.intercepts.append(self.theta[start : start + n_out])
            self.intercept_starts.append(start)
            start += n_out
        self.norm_gains: list[np.ndarray] = []
        self.norm_shifts: list[np.ndarray] = []
        self.prelu_slopes: list[np.ndarray] = []
        self.own_starts: dict[tuple[str, int], int] = {}
        for l, n_out in enumerate(self.layer_sizes[1:]):
            if l in self.normalized:
                self.own_starts["norm", l] = start
                self.norm_gains.append(self.theta[start : start + n_out])
                self.norm_shifts.append(self.theta[start + n_out : start + 2 * n_out])
                start += 2 * n_out
            if l in self.sloped:
                self.own_starts["slope", l] = start
                self.prelu_slopes.append(self.theta[start : start + 1])
                start += 1
        if theta is None:
            for gain in self.norm_gains:
                gain[:] = 1.0
            for slope in self.prelu_slopes:
                slope[:] = INITIAL_SLOPE

    @property
    def structure(self) -> tuple:
        """What says how `theta` is cut: two networks with the same are cut alike."""
        return self.layer_sizes, self.normalized, self.sloped

    @property
    def views(self) -> list[np.ndarray]:
        """Views of everything, in the order of coefs, intercepts, gains, shifts, slopes."""
        of_layers = [*self.coefs, *self.intercepts]
        return [*of_layers, *self.norm_gains, *self.norm_shifts, *self.prelu_slopes]

    def take_over(self, coefs: list[np.ndarray], intercepts: list[np.ndarray]) -> None:
        """Copy in the matrices and vectors that were put in the place of the views."""
        given = [*coefs, *intercepts]
        for position, view in enumerate([*self.coefs, *self.intercepts]):
            if given[position] is not view:
                view[...] = given[position]

    def astype(self, dtype: np.typing.DTypeLike) -> "Parameters":
        """Return a copy in another precision."""
        return self.with_theta(self.theta.astype(dtype))

    def with_theta(self, theta: np.ndarray) -> "Parameters":
        """Return a network that is cut alike with another vector, taken as it is."""
        sizes, normalized, sloped = self.structure
        return Parameters(sizes, theta.dtype, theta, normalized=normalized, sloped=sloped)

    def __reduce__(self) -> tuple:
        # Views do not survive pickling: store the vector and cut it again.
        return _from_theta, (self.layer_sizes, self.theta, self.normalized, self.sloped)


def _from_theta(
    layer_sizes: tuple[int, ...],
    theta: np.ndarray,
    normalized: tuple[int, ...] = (),
    sloped: tuple[int, ...] = (),
) -> Parameters:
    theta = np.array(theta)
    return Parameters(layer_sizes, theta.dtype, theta, normalized=normalized, sloped=sloped)


def glorot_uniform_like_sklearn(
    parameters: Parameters, random_state: np.random.RandomState, activation: Any
) -> None:
    """Draw weights and biases in scikit-learn's order and from its distribution.

    Both are uniform within ``sqrt(6 / (n_in + n_out))``, or ``sqrt(2 / ...)`` for the
    logistic activation (Glorot and Bengio, 2010, as `MLPClassifier` applies it).

    Parameters
    ----------
    parameters : Parameters
        To be drawn, but for what normalisations and activations learn.
    random_state : RandomState
        To draw from.
    activation : str, object or list of these
        Of all hidden layers, or of each; as in scikit-learn, the output counts as the layer
        before it.
    """
    of_layers = [activation] * len(parameters.coefs)
    if isinstance(activation, list) and activation:
        of_layers = [*activation, activation[-1]]
    for W, b, name in zip(parameters.coefs, parameters.intercepts, of_layers, strict=True):
        is_logistic = isinstance(name, str) and name in ("logistic", "sigmoid")
        factor = 2.0 if is_logistic else 6.0
        bound = np.sqrt(factor / sum(W.shape))
        # A few rows at a time: all that is drawn together is fresh memory, which the system
        # has to clear.
        n_together = max(1, _DRAWS_AT_ONCE // max(1, W.shape[1]))
        for first in range(0, len(W), n_together):
            rows = W[first : first + n_together]
            rows[:] = draw_uniform(random_state, bound, rows.shape)
        b[:] = draw_uniform(random_state, bound, b.shape)


def draw_uniform(
    random_state: np.random.RandomState, bound: float, shape: tuple[int, ...]
) -> np.ndarray:
    """Return what ``random_state.uniform(-bound, bound, shape)`` does on x86-64.

    NumPy's own is one expression of C, which compilers for AArch64 round once less.
    """
    numbers = np.asarray(random_state.random_sample(shape))
    numbers *= bound - -bound
    numbers += -bound
    return numbers


Draw = Callable[[np.random.RandomState, int, int], np.ndarray]


def _normal(standard_deviation: Callable[[int, int], float]) -> Draw:
    def draw(random_state: np.random.RandomState, n_in: int, n_out: int) -> np.ndarray:
        return random_state.randn(n_in, n_out) * standard_deviation(n_in, n_out)

    return draw


def _uniform(bound: Callable[[int, int], float]) -> Draw:
    def draw(random_state: np.random.RandomState, n_in: int, n_out: int) -> np.ndarray:
        limit = bound(n_in, n_out)
        return draw_uniform(random_state, limit, (n_in, n_out))

    return draw


#: Initial weights of a layer by scheme: ``(random_state, n_in, n_out) -> W``.
SCHEMES: dict[str, Draw] = {
    # Glorot and Bengio (2010): the variance of signals and gradients in balance.
    "glorot_uniform": _uniform(lambda n_in, n_out: np.sqrt(6.0 / (n_in + n_out))),
    "glorot_normal": _normal(lambda n_in, n_out: np.sqrt(2.0 / (n_in + n_out))),
    # He et al. (2015), for ReLU.
    "he": _normal(lambda n_in, n_out: np.sqrt(2.0 / n_in)),
    # The textbooks' "Xavier": the variance of the forward signal alone.
    "xavier": _normal(lambda n_in, n_out: np.sqrt(1.0 / n_in)),
    # LeCun et al. (1998), uniform form.
    "lecun": _uniform(lambda n_in, n_out: np.sqrt(3.0 / n_in)),
    # Stalls deep networks; here because the textbooks start with it.
    "small_random": _normal(lambda n_in, n_out: 0.01),
}
