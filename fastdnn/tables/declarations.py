"""Every hyperparameter of the table estimators, declared once for both.

To add one: a row here, and its name in the signatures of the estimators that have it, in the
order of the rows; then the parameters of model files (`fastdnn.storage`) and a test.
"""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from fastdnn.models.declarations import Hyperparameter, NoBool, Values
from fastdnn.models.hyperparameters import documented

_CLASSIFIER, _REGRESSOR = "TabularDNNClassifier", "TabularDNNRegressor"
_AT_LEAST_ONE = NoBool(Integral, 1, None, closed="left")
_ACTIVATIONS = "relu", "silu", "gelu", "mish", "tanh", "leaky_relu"
_ENCODINGS = "auto", "quantile", "tree", "linear"


def _one_of(names: tuple[str, ...]) -> Values:
    return Values(f"{{{', '.join(map(repr, names))}}}", [StrOptions(set(names))])


def _or_auto(kind: str, interval: Interval) -> Values:
    return Values(f"{kind} or 'auto'", [StrOptions({"auto"}), interval])


def _row(
    name: str,
    default: Any,
    values: Values,
    text: str,
    estimators: tuple[str, ...] = (_CLASSIFIER, _REGRESSOR),
) -> Hyperparameter:
    return Hyperparameter(name, "estimator", default, values, text, estimators)


# What both estimators say of what they have learnt.
_ATTRIBUTES = """
    encoder_ : TableEncoder
        Fitted.
    n_features_in_ : int
        Columns of the table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all are strings.
    n_epochs_ : int
        Epochs of a whole training.
    cycle_weights_ : ndarray of shape (n_cycles,)
        What the networks count at the end of each cycle.
    oof_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        With ``bagging="folds"``: what the member that has left a sample out predicts, classes
        as probabilities. NaN of samples of weight 0.
    oof_score_ : float
        The score of that, as of `score`.
    validation_scores_ : ndarray of shape (n_cycles_validated,)
        The score at the end of each, by `scoring`: of the pilot, or of the networks where
        `fit` got `X_val`. Minus the loss with ``scoring='loss'``.
"""

#: All of them, in the order of the signatures.
# fmt: off
ROWS: tuple[Hyperparameter, ...] = (
    _row("n_members", 4, Values("int", [_AT_LEAST_ONE]), "Networks of the ensemble."),
    _row("bagging", None, Values("{'folds'} or None", [StrOptions({"folds"}), None]),
        "'folds' lets each member leave out another one of `n_members` parts of the samples, "
        "of each class as many, and these decide in the place of a pilot's; what members "
        "predict of them is `oof_prediction_`, of which `predict_interval` and `predict_set` "
        "are made."),
    _row("shared_weights", "auto", Values("bool or 'auto'", ["boolean", StrOptions({"auto"})]),
        "Whether the networks share the weights of their hidden layers, but for a scale of "
        "each input; 'auto' is True for numbers, and False for classes. Members of other "
        "folds share none."),
    _row("max_epochs", "auto", _or_auto("int", _AT_LEAST_ONE),
        "Epochs of each; 'auto' are 24, more of few rows and fewer of very many."),
    _row("max_time", None, Values("float or None",
        [NoBool(Real, 0, None, closed="neither"), None]),
        "Seconds after which `fit` ends with what it has, and a warning."),
    _row("hidden_layer_sizes", (256, 256),
        Values("int or array-like of int", ["array-like", _AT_LEAST_ONE]),
        "Units of each hidden layer."),
    _row("activation", "relu", _one_of(_ACTIVATIONS), "Of the hidden layers."),
    _row("learning_rate", 0.04, Values("float", [NoBool(Real, 0, None, closed="neither")]),
        "Largest step size, of weights that are divided by the root of a layer's inputs."),
    _row("batch_size", "auto", _or_auto("int", _AT_LEAST_ONE),
        "Samples of a step; 'auto' are 256, more of very many, and an eighth of few with "
        "classes."),
    _row("dropout", "auto", _or_auto("float", NoBool(Real, 0, 1, closed="left")),
        "Of hidden layers, and two thirds of it of the input; 'auto' is 0.15 for classes and "
        "0 for numbers."),
    _row("weight_decay", "auto", _or_auto("float", NoBool(Real, 0, None, closed="left")),
        "Decoupled decay of the weights; 'auto' is 0.02 for classes and 0 for numbers."),
    _row("numeric_encoding", "auto", _one_of(_ENCODINGS), "As of `TableEncoder`."),
    _row("categorical_features", "from_dtype",
        Values("'from_dtype', None or array-like",
               [StrOptions({"from_dtype"}), "array-like", None]),
        "As of `TableEncoder`."),
    _row("class_weight", None,
        Values("dict, 'balanced' or None", [dict, StrOptions({"balanced"}), None]),
        "Weights of the classes, which multiply those of the samples.", (_CLASSIFIER,)),
    _row("validation", 0.2,
        Values("float, int, cross-validator, iterable or None",
               [NoBool(Real, 0, 1, closed="neither"), _AT_LEAST_ONE, "cv_object"]),
        "What a pilot is validated on where `fit` gets no `X_val`: a share of the samples, of "
        "each class the same; a number of samples; or what splits them, such as a "
        "cross-validator or a list with a pair of arrays, the rows to train on and those to "
        "hold out, of which the first split is used. None: there is no pilot, and of the "
        "cycles only the last one counts."),
    _row("scoring", "loss",
        Values("str, callable or None", [str, callable, None]),
        "What validation decides by, which cycles count and when to stop: 'loss', the "
        "log-loss or the squared error; a name or function as of scikit-learn's `scoring`; or "
        "None for accuracy or R2."),
    _row("early_stopping", True, Values("bool", ["boolean"]),
        "Whether training ends before the last and longest cycle where the one before it is "
        "worse on the validation rows than an earlier one."),
    _row("random_state", None, Values("int, RandomState instance or None", ["random_state"]),
        "Source of all that is drawn."),
    _row("n_threads", None, Values("int or None", [_AT_LEAST_ONE, None]),
        "Threads offered; None: as many CPUs as this process may use. The result does not "
        "depend on it."),
    _row("callbacks", None, Values("list of callable or None", [list, tuple, None]),
        "Functions that are called after each epoch, and after each cycle once it is "
        "validated, with a `fastdnn.tables.Progress`. Training ends, with what it has, when "
        "one of them returns True."),
    _row("verbose", 0, Values("int", ["verbose"]),
        "Whether to print a line after each cycle, and if more than 1 after each epoch."),
)
# fmt: on


def hyperparameters_of(estimator: str) -> dict[str, Hyperparameter]:
    """Return the rows of an estimator, by its name, in the order of its signature."""
    return {row.name: row for row in ROWS if estimator in row.estimators}


def constraints_of(estimator: str) -> dict[str, list]:
    """Return which values the parameters of an estimator may have, for scikit-learn."""
    return {name: row.values.constraint for name, row in hyperparameters_of(estimator).items()}


def require_folds(estimator: Any, X_val: Any) -> None:
    """Raise ValueError where folds are asked for, and cannot be or would decide nothing."""
    if estimator.bagging is None:
        return
    if estimator.n_members == 1:
        raise ValueError(
            f"bagging={estimator.bagging!r} needs n_members of 2 at least, got n_members=1. "
            "Raise it, or use bagging=None."
        )
    if X_val is not None:
        raise ValueError(
            f"bagging={estimator.bagging!r} decides by the samples that members leave out, "
            "but X_val was given, too. Add it to X, or use bagging=None."
        )


def require_callables(callbacks: Any) -> list[Callable]:
    """Return the callbacks as a list.

    Raises
    ------
    ValueError
        If one of them cannot be called.
    """
    for callback in callbacks or ():
        if not callable(callback):
            raise ValueError(
                f"callbacks has {callback!r}, which cannot be called. Give functions of a "
                "fastdnn.tables.Progress."
            )
    return list(callbacks or ())


def described(estimator: Any) -> Any:
    """Write what both estimators say of themselves into the docstring of one."""
    estimator = documented(estimator)
    if estimator.__doc__ is not None:  # there is none with python -OO
        estimator.__doc__ = estimator.__doc__.replace(
            "    {attributes}", _ATTRIBUTES.strip("\n")
        )
    return estimator
