"""What is said of training that diverged, or that is likely to have failed.

It names the numbers that are far from usual ones, the farthest first: the likely causes.
"""

import math
from collections.abc import Iterator

import numpy as np
from sklearn.utils.stats import _weighted_percentile

from fastdnn.data.samples import Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.losses import row_of
from fastdnn.ops.own_functions import Loss
from fastdnn.training.divergence import largest
from fastdnn.training.options import Options, weight_decay_of

# The largest numbers that are usual in a fit.
_USUAL_FEATURE, _USUAL_TARGET, _USUAL_WEIGHT = 10.0, 10.0, 100.0
_USUAL_RATE = {
    "sgd": 0.1, "adagrad": 0.1, "adadelta": 2.0, "lion": 0.005,
    **dict.fromkeys(("adam", "adamw", "amsgrad", "nadam", "radam", "adamax", "rmsprop"), 0.02),
}  # fmt: skip
_USUAL_PENALTY, _USUAL_MOMENTUM, _USUAL_RATIO = 10.0, 0.99, 1e6
# Targets below it are lost beside outputs of usual size.
_TINY_TARGET = 1e-20
# Of sample weights: below such a mean, and from such a penalty of one sample on, a fit that
# divides the one by the other only shrinks its weights.
_SMALL_MEAN, _LARGE_PENALTY = 1e-6, 1e3
# From such targets on, it may be their size that leaves so much of their variance.
_LARGE_TARGET, _MUCH = 1e6, 0.9


def likely_causes(
    samples: Samples, loss: str | Loss, options: Options, start: Parameters | None = None
) -> str:
    """Return what may have made training diverge, and what to do about it.

    Parameters
    ----------
    samples : Samples
        What it was trained on, in the computing dtype.
    loss : str or fastdnn.Loss
        Of the network.
    options : Options
        Hyperparameters.
    start : Parameters, optional
        What training went on from.
    """
    suspects = list(_suspects(samples, loss, options, start))
    likely = sorted((suspect for suspect in suspects if suspect[0] > 1.0), reverse=True)
    if not likely:
        likely = suspects[:1] if options.solver == "lbfgs" else [(1.0, _too_high(options))]
    first, *others = [text for _, text in likely]
    return " ".join([f"Likely cause: {first}.", *(f"Besides, {text}." for text in others)])


def _suspects(
    samples: Samples, loss: str | Loss, options: Options, start: Parameters | None
) -> Iterator[tuple[float, str]]:
    """Yield how many times the usual a number is, and what to say of it; X first."""
    wider = " or use dtype='float64'" if samples.X.dtype == np.float32 else ""
    feature = largest(samples.X.data if samples.is_sparse else samples.X)
    yield (
        feature / _USUAL_FEATURE,
        f"X has values of up to {feature:.3g}; scale it with StandardScaler{wider}",
    )
    if start is not None:
        size = largest(start.theta)
        what = f"of up to {size:.3g}; fit anew"
        if not math.isfinite(size):
            size = math.inf
            what = "that have NaN or infinity; put finite numbers there or fit anew"
        yield size / _USUAL_WEIGHT, f"the fit goes on from coefs_ or intercepts_ {what}"
    if not row_of(loss).of_classes:
        target = samples.largest_target
        yield (
            target / _USUAL_TARGET if target > 1.0 else _TINY_TARGET / (target or 1.0),
            f"y has values of up to {target:.3g}; scale it with "
            f"TransformedTargetRegressor(transformer=StandardScaler()){wider}",
        )
    if options.solver in _USUAL_RATE:
        yield options.learning_rate_init / _USUAL_RATE[options.solver], _too_high(options)
    if options.solver == "sgd" and options.momentum > _USUAL_MOMENTUM:
        yield 2.0, f"momentum={options.momentum:g} is too high; lower it"
    alpha = options.alpha
    yield alpha / _USUAL_PENALTY, f"alpha={alpha:g} is too large; lower it"
    if options.solver != "lbfgs":
        yield options.l1 / _USUAL_PENALTY, f"l1={options.l1:g} is too large; lower it"
        decay = weight_decay_of(options)
        yield (
            decay * options.learning_rate_init,
            f"weight_decay={decay:g} takes more than all of a weight at a step of "
            f"learning_rate_init={options.learning_rate_init:g}; lower one of them",
        )
    if samples.weight is None or not samples.weight.any():
        return
    weights = np.abs(samples.weight[samples.weight != 0.0].astype(np.float64))
    weights /= samples.weight_scale
    mean, low, high = float(weights.mean()), float(weights.min()), float(weights.max())
    if mean < 1.0:
        yield alpha / mean / _USUAL_PENALTY, _small_weights(mean, alpha)
    yield (
        high / low / _USUAL_RATIO,
        f"sample_weight goes from {low:.3g} to {high:.3g}; bring its numbers closer together",
    )


def _too_high(options: Options) -> str:
    return f"learning_rate_init={options.learning_rate_init:g} is too high; lower it"


def _small_weights(mean: float, alpha: float) -> str:
    return (
        f"sample_weight has a mean of {mean:.3g}, and alpha={alpha:g} is divided by the sum "
        "of weights; scale them to a mean of 1 or lower alpha"
    )


def notice_of_weights(samples: Samples, alpha: float) -> str | None:
    """Return what is to be said of weights so small that only the penalty counts, or None."""
    if samples.weight is None or alpha == 0.0:
        return None
    mean = float(np.abs(samples.weight, dtype=np.float64).mean()) / samples.weight_scale
    if mean == 0.0 or mean > _SMALL_MEAN or alpha / mean < _LARGE_PENALTY:
        return None
    return f"The penalty outweighs the losses: {_small_weights(mean, alpha)}."


def notice_of_targets(samples: Samples, network: Network, final_loss: float) -> str | None:
    """Return what is to be said of targets so large that steps do not reach them, or None."""
    if samples.largest_target < _LARGE_TARGET or network.loss not in _OF_DIFFERENCES:
        return None
    Y = samples.Y.astype(np.float64)
    weight = None if samples.weight is None else samples.weight.astype(np.float64)
    name, centre, loss = _OF_DIFFERENCES[str(network.loss)]
    (c,) = network.parameters_of_loss
    differences = Y - centre(Y, weight, c)
    of_constant = float(np.average(loss(differences, c), axis=0, weights=weight).mean())
    if not final_loss > _MUCH * of_constant:
        return None
    return (
        f"The network is hardly better than the {name} of y, with a loss of {final_loss:.3g} "
        f"against {of_constant:.3g}: y has values of up to {samples.largest_target:.3g}, far "
        "from outputs of usual weights; scale it with "
        "TransformedTargetRegressor(transformer=StandardScaler())."
    )


def _mean(Y: np.ndarray, weight: np.ndarray | None, c: float) -> np.ndarray:
    return np.average(Y, axis=0, weights=weight)


def _median(Y: np.ndarray, weight: np.ndarray | None, c: float) -> np.ndarray:
    return _quantile(Y, weight, 0.5)


def _quantile(Y: np.ndarray, weight: np.ndarray | None, level: float) -> np.ndarray:
    if weight is None:
        return np.quantile(Y, level, axis=0)
    return _weighted_percentile(Y, weight, 100.0 * level)


def _huber(differences: np.ndarray, delta: float) -> np.ndarray:
    near = np.minimum(np.abs(differences), delta)
    return near * (np.abs(differences) - 0.5 * near)


# Of losses of an output and a target: the constant that is best, or nearly, by its name, and
# the loss of differences from it.
_OF_DIFFERENCES: dict[str | Loss, tuple] = {
    "half_squared_error": ("mean", _mean, lambda x, c: 0.5 * np.square(x)),
    "absolute_error": ("median", _median, lambda x, c: np.abs(x)),
    "huber": ("median", _median, _huber),
    "log_cosh": ("median", _median, lambda x, c: np.logaddexp(x, -x) - math.log(2.0)),
    "quantile": ("quantile", _quantile, lambda x, c: np.maximum(c * x, (c - 1.0) * x)),
}
