"""What was recorded of epochs: in an estimator, a pipeline, a search or a table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.utils.validation import check_is_fitted

#: Columns of a history: each has a number for each epoch.
Table = dict[str, list[float]]


def history_of(estimator: Any) -> Table:
    """Return the history of a fitted estimator, or of the one that is inside of it.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If it has recorded no losses.
    """
    check_is_fitted(estimator)
    inner = innermost(estimator)
    if hasattr(inner, "history_"):
        return table_of(inner.history_)
    if not hasattr(inner, "loss_curve_"):
        advice = (
            "Give a fitted DNNClassifier, DNNRegressor or MLP of scikit-learn whose solver "
            "records losses, or a pipeline or search that ends in one."
        )
        if hasattr(inner, "estimators_"):
            advice = "Give its estimators_ to LossCurveDisplay.from_estimators."
        raise ValueError(
            f"{type(inner).__name__} has neither history_ nor loss_curve_. {advice}"
        )
    table = {"loss": list(inner.loss_curve_)}
    if getattr(inner, "validation_scores_", None) is not None:
        table["validation_score"] = list(inner.validation_scores_)
    return table_of(table)


def innermost(estimator: Any) -> Any:
    """Return what a search has found best, and the last step of a pipeline."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "regressor_"):
            estimator = estimator.regressor_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def table_of(history: Any) -> Table:
    """Return a history as columns of numbers.

    Parameters
    ----------
    history : mapping or DataFrame
        As ``history_``: columns of the same length; without 'epoch' they are counted from 1.

    Raises
    ------
    ValueError
        If it has no column 'loss', or columns of different lengths.
    """
    is_table = isinstance(history, Mapping) or hasattr(history, "columns")
    if not is_table or "loss" not in history:
        raise ValueError(
            "history must have columns, one of them 'loss', as history_ of a fitted "
            f"DNNClassifier has, or a DataFrame of it; got {type(history).__name__}."
        )
    names = list(history) if isinstance(history, Mapping) else list(history.columns)
    table = {str(name): [float(number) for number in history[name]] for name in names}
    lengths = {name: len(column) for name, column in table.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The columns of history must be equally long, got {lengths}.")
    table.setdefault("epoch", [float(k) for k in range(1, lengths["loss"] + 1)])
    return table


def best_epoch(table: Table) -> int | None:
    """Return the position of the epoch that validation found best, or None without any."""
    for name, sign in (("validation_score", 1.0), ("validation_loss", -1.0)):
        column = [sign * number for number in table.get(name, ())]
        known = [number for number in column if not math.isnan(number)]
        if known:
            return column.index(max(known))
    return None


def names_for(estimators: Any, names: Sequence[str] | None) -> tuple[list[Any], list[str]]:
    """Return estimators, and a name for each.

    Parameters
    ----------
    estimators : mapping of str to estimator, or sequence of estimators
        What to name.
    names : sequence of str or None
        As many; None for the keys of a mapping, or the classes, with a number where several
        are of one.

    Raises
    ------
    ValueError
        If there are no estimators, or not as many names.
    """
    if isinstance(estimators, Mapping):
        found, keys = list(estimators.values()), [str(key) for key in estimators]
    else:
        found = list(estimators)
        classes = [type(innermost(estimator)).__name__ for estimator in found]
        keys = [
            name if classes.count(name) == 1 else f"{name} {classes[: k + 1].count(name)}"
            for k, name in enumerate(classes)
        ]
    if not found:
        raise ValueError("estimators is empty. Give at least one fitted estimator.")
    if names is not None and len(names) != len(found):
        raise ValueError(
            f"names has {len(names)} names, but there are {len(found)} estimators. Give one "
            "for each."
        )
    return found, keys if names is None else [str(name) for name in names]
