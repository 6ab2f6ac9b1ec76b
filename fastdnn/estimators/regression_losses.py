"""What the values of the regressor's parameter ``loss`` are to the engine."""

from typing import Any, NamedTuple

import numpy as np

from fastdnn.models.valid_combinations import levels_of
from fastdnn.ops.loss_parameters import Value
from fastdnn.ops.own_functions import Loss
from fastdnn.ops.several_outputs import n_targets_of


class RegressionLoss(NamedTuple):
    """A row of the table: an output activation and a loss of the engine."""

    output: str
    loss: str | Loss
    parameter: str | None = None
    """Of the estimator: what the loss has besides outputs and targets."""
    least_target: float = -np.inf
    """Targets may not be below it."""
    may_be_least: bool = True
    is_mean_over_outputs: bool = True
    """Whether the loss that is reported is; all train by the sum. scikit-learn reports the
    sum of deviances."""

    def check(self, name: str, y: np.ndarray) -> None:
        """Raise ValueError where targets are not what the loss of that name is for."""
        least = self.least_target
        if least == -np.inf or y.dtype.kind in "mMUSV":  # what are no numbers is said later
            return
        if (y < least).any() or (not self.may_be_least and (y == least).any()):
            needed = f">= {least:g}" if self.may_be_least else f"> {least:g}"
            raise ValueError(
                f"loss={name!r} needs targets y {needed}, got {y.min():g}. Use "
                "loss='squared_error' for targets that can be "
                f"{'negative' if self.may_be_least else 'zero or negative'}."
            )


def _deviance(name: str, parameter: str | None = None, **others: Any) -> RegressionLoss:
    return RegressionLoss("exp", name, parameter, 0.0, is_mean_over_outputs=False, **others)


#: Output activation and loss of the engine, for each value of the parameter ``loss``.
LOSSES: dict[str, RegressionLoss] = {
    "squared_error": RegressionLoss("identity", "half_squared_error"),
    "absolute_error": RegressionLoss("identity", "absolute_error"),
    "huber": RegressionLoss("identity", "huber", "huber_delta"),
    "log_cosh": RegressionLoss("identity", "log_cosh"),
    "quantile": RegressionLoss("identity", "quantile", "quantile"),
    "poisson": _deviance("poisson"),
    "gamma": _deviance("gamma", may_be_least=False),
    "tweedie": _deviance("tweedie", "tweedie_power"),
    "gaussian_nll": RegressionLoss("mean_and_variance", "gaussian_nll"),
}
# Of an ascending list of levels.
_QUANTILES = RegressionLoss("ascending", "quantiles", "quantile")
# What goes with the output of a fitted network, whatever the parameter is by now.
_BY_OUTPUT = {
    "identity": LOSSES["squared_error"],
    "exp": LOSSES["poisson"],
    "softplus": RegressionLoss("softplus", "half_squared_error"),
    "ascending": _QUANTILES._replace(parameter=None),
    "mean_and_variance": LOSSES["gaussian_nll"],
}
#: The output activations of fitted networks.
OUTPUTS = list(_BY_OUTPUT)


def regression_loss(loss: Any, quantile: Any) -> RegressionLoss:
    """Return the row of a loss.

    Parameters
    ----------
    loss : str or fastdnn.Loss
        The parameter.
    quantile : float or list of float
        The parameter of that name.

    Raises
    ------
    ValueError
        If the loss is for classifiers.
    """
    if isinstance(loss, Loss):
        if loss.output == "probability":
            raise ValueError(
                f"{loss=} is a loss of probabilities, for a DNNClassifier. Make one with "
                "output='identity', 'exp' or 'softplus'."
            )
        return RegressionLoss(loss.output, loss)
    is_list = not isinstance(quantile, int | float | np.number)
    return _QUANTILES if loss == "quantile" and is_list else LOSSES[loss]


def fitted_loss(loss: Any, quantile: Any, output: str, n_outputs: int) -> RegressionLoss:
    """Return the row of a loss, or of another one that fits the network as it is fitted.

    The parameter may have been set since, for a later fit.
    """
    try:
        row = regression_loss(loss, quantile)
    except (KeyError, ValueError):
        return _BY_OUTPUT[output]
    has_levels = row is not _QUANTILES or len(levels_of(quantile)) == n_outputs
    return row if row.output == output and has_levels else _BY_OUTPUT[output]


def parameter_of(row: RegressionLoss, estimator: Any) -> Value:
    """Return what the engine is told of the parameter of a loss."""
    if row.parameter is None:
        return None
    value = getattr(estimator, row.parameter)
    return tuple(levels_of(value)) if row is _QUANTILES else value


def units_of(row: RegressionLoss, n_targets: int, quantile: Any) -> int:
    """Return how many outputs the network has.

    Raises
    ------
    ValueError
        If there are several targets where there can be one.
    """
    if row.output == "mean_and_variance":
        return 2 * n_targets
    if row is not _QUANTILES:
        return n_targets
    if n_targets != 1:
        raise ValueError(
            f"quantile={quantile!r} asks for several levels, which needs one target a sample, "
            f"but y has {n_targets}. Give one column, or one level."
        )
    return len(levels_of(quantile))


def loss_scale(row: RegressionLoss, n_outputs: int) -> float:
    """Return what the sum over outputs is multiplied by in losses that are reported."""
    if not row.is_mean_over_outputs:
        return 1.0
    # A loss of a target for each output, but for means with variances.
    n_terms = n_outputs if row.output == "ascending" else n_targets_of(row.output, n_outputs)
    return 1.0 / n_terms
