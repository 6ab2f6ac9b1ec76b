"""The hyperparameters of the estimators: one declaration of each.

To add one: a row here, its name in the signatures of the estimators that have it, and what the
row says in their docstrings. A test compares them.
"""

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._param_validation import Options as OneOf

from fastdnn.training.options import Options
from fastdnn.training.schedules import SCHEDULES

_BOTH = "DNNClassifier", "DNNRegressor"


class Values(NamedTuple):
    """Which values a hyperparameter may have: for docstrings, and for scikit-learn."""

    kind: str
    constraint: list


class Hyperparameter(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    told : str
        Who is told of it: 'network' is what its layers are; 'training', 'stochastic' and
        'lbfgs' get it in their options; 'estimator' keeps it to itself.
    default : object
        The value that the signatures have.
    values : Values
        Which values it may have.
    text : str
        What docstrings say of it.
    estimators : tuple of str
        The classes that have it.
    """

    told: str
    default: Any
    values: Values
    text: str
    estimators: tuple[str, ...] = _BOTH


def _one_of(*names: str) -> Values:
    return Values(f"{{{', '.join(map(repr, names))}}}", [StrOptions(set(names))])


_BOOLEAN = Values("bool", ["boolean"])
_POSITIVE = Values("float", [Interval(Real, 0, None, closed="neither")])
_NOT_NEGATIVE = Values("float", [Interval(Real, 0, None, closed="left")])
_BELOW_ONE = Values("float", [Interval(Real, 0, 1, closed="left")])
_UP_TO_ONE = Values("float", [Interval(Real, 0, 1, closed="both")])
_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")
_COUNT = Values("int", [_AT_LEAST_ONE])

#: All of them, in the order of the signatures.
# fmt: off
HYPERPARAMETERS = {
    "loss": Hyperparameter("network", "squared_error", _one_of("squared_error", "poisson"),
        "Half the squared error, meaned over samples and outputs; or half the Poisson "
        "deviance with a logarithmic link, for targets that are not negative.",
        estimators=("DNNRegressor",)),
    "hidden_layer_sizes": Hyperparameter(
        "network", (100,), Values("int or array-like of int", ["array-like", _AT_LEAST_ONE]),
        "Units of each hidden layer."),
    "activation": Hyperparameter(
        "network", "relu", _one_of("identity", "logistic", "tanh", "relu", "silu"),
        "Activation of the hidden layers."),
    "solver": Hyperparameter("training", "adam", _one_of("lbfgs", "sgd", "adam"),
        "Optimiser of the weights. 'lbfgs' uses all samples at every step and computes in "
        "float64."),
    "alpha": Hyperparameter("training", 0.0001, _NOT_NEGATIVE,
        "Strength of the L2 penalty, ``alpha / 2 * sum(W**2)`` divided by the number of "
        "samples in the batch."),
    "batch_size": Hyperparameter(
        "stochastic", "auto", Values("int or 'auto'", [StrOptions({"auto"}), _AT_LEAST_ONE]),
        "Samples a step; 'auto' is ``min(200, n_samples)``."),
    "learning_rate": Hyperparameter("stochastic", "constant", _one_of(*SCHEDULES),
        "Schedule of the step size for ``solver='sgd'``."),
    "learning_rate_init": Hyperparameter("stochastic", 0.001, _POSITIVE, "Initial step size."),
    "power_t": Hyperparameter("stochastic", 0.5, _NOT_NEGATIVE, "Exponent of 'invscaling'."),
    "max_iter": Hyperparameter("training", 200, _COUNT, "Largest number of epochs."),
    "shuffle": Hyperparameter("stochastic", True, _BOOLEAN,
        "Whether to visit the samples in a new order every epoch."),
    "random_state": Hyperparameter(
        "estimator", None, Values("int, RandomState instance or None", ["random_state"]),
        "Source of the initial parameters, the validation split and the order of samples."),
    "tol": Hyperparameter("training", 1e-4, _NOT_NEGATIVE,
        "Improvement of the loss or score that counts."),
    "verbose": Hyperparameter("training", False, Values("bool", ["verbose"]),
        "Whether to print the loss of each epoch."),
    "warm_start": Hyperparameter("estimator", False, _BOOLEAN,
        "Whether `fit` goes on from the parameters of the last one."),
    "momentum": Hyperparameter("stochastic", 0.9, _UP_TO_ONE, "Momentum of ``solver='sgd'``."),
    "nesterovs_momentum": Hyperparameter("stochastic", True, _BOOLEAN,
        "Whether momentum is Nesterov's."),
    "early_stopping": Hyperparameter("stochastic", False, _BOOLEAN,
        "Whether to hold out ``validation_fraction`` of the samples, stop when their score "
        "no longer improves, and keep the best parameters."),
    "validation_fraction": Hyperparameter("stochastic", 0.1, _BELOW_ONE,
        "Share of the samples held out for early stopping."),
    "beta_1": Hyperparameter("stochastic", 0.9, _BELOW_ONE,
        "Decay of Adam's first moment, the mean of gradients."),
    "beta_2": Hyperparameter("stochastic", 0.999, _BELOW_ONE,
        "Decay of Adam's second moment, the mean of their squares."),
    "epsilon": Hyperparameter("stochastic", 1e-8, _POSITIVE,
        "Added to the root of Adam's second moment."),
    "n_iter_no_change": Hyperparameter(
        "stochastic", 10, Values("int or inf", [_AT_LEAST_ONE, OneOf(Real, {np.inf})]),
        "Epochs without improvement that end training."),
    "max_fun": Hyperparameter("lbfgs", 15000, _COUNT,
        "Largest number of evaluations of the loss, for ``solver='lbfgs'``."),
    "dtype": Hyperparameter("estimator", "float32", _one_of("float32", "float64", "auto"),
        "Precision of the computation; 'auto' takes that of X, float64 for integers. A fit "
        "that goes on keeps the precision it began with. With float32, regressions on "
        "targets beyond 7e10 are computed in float64 and rounded."),
    "n_threads": Hyperparameter("training", None, Values("int or None", [_AT_LEAST_ONE, None]),
        "Threads offered to `fit` and `predict`, at most the CPUs that this process may "
        "use. None: as many as pay, at most what ``OMP_NUM_THREADS``, joblib and Dask leave "
        "to this process or task. The result does not depend on it."),
}
# fmt: on


def hyperparameters_of(estimator: str) -> dict[str, Hyperparameter]:
    """Return the rows of an estimator, by its name, in the order of its signature."""
    rows = HYPERPARAMETERS.items()
    return {name: row for name, row in rows if estimator in row.estimators}


def constraints_of(estimator: str) -> dict[str, list]:
    """Return which values the parameters of an estimator may have, for scikit-learn."""
    return {name: row.values.constraint for name, row in hyperparameters_of(estimator).items()}


def options_told(solver: str) -> list[str]:
    """Return the names of what training with a solver is told."""
    told = "training", "lbfgs" if solver == "lbfgs" else "stochastic"
    return [name for name, row in HYPERPARAMETERS.items() if row.told in told]


def training_options(estimator: Any) -> Options:
    """Return what training is told of the parameters of an estimator."""
    names = options_told(estimator.solver)
    return Options(**{name: getattr(estimator, name) for name in names})
