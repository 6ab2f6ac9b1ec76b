"""Rows as a user gave them, and what a fit comes to."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from fastdnn.estimators.validation_sets import named
from fastdnn.tables.columns import Table
from fastdnn.tables.encoder import TableEncoder
from fastdnn.tables.ensemble import Decisions, Ensemble


class Given(NamedTuple):
    """Rows of a table as a user gave them, and what is checked of them."""

    X: Table
    y: np.ndarray
    weight: np.ndarray | None

    def at(self, rows: np.ndarray) -> "Given":
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Given(self.X.at(rows), self.y[rows], weight)


def given_rows(
    suffix: str, X: Any, y: Any, weight: Any, known_targets: Callable[[Any], np.ndarray]
) -> Given:
    """Check rows that `fit` got, and leave out those that do not count.

    Parameters
    ----------
    suffix : str
        Behind the names of the parameters: '' or '_val'.
    X, y, weight : object
        The table, its targets, and weights or None.
    known_targets : callable
        Checks targets, and returns them as an array.
    """
    with named(f"X{suffix}") if suffix else nullcontext():
        X = Table(X)
    with named(f"y{suffix}") if suffix else nullcontext():
        y = known_targets(y)
    if len(X) != len(y):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X{suffix} has "
            f"{len(X)}, y{suffix} has {len(y)}."
        )
    if weight is None:
        return Given(X, y, None)
    name = f"sample_weight{suffix}"
    try:
        weight = _check_sample_weight(
            weight, np.empty((len(y), 1)), dtype=np.float64, ensure_non_negative=True
        )
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    counts = weight > 0.0
    if not counts.any():
        raise ValueError(f"{name} is zero for all samples. Give some a weight.")
    given = Given(X, y, weight)
    given = given if counts.all() else given.at(np.flatnonzero(counts))
    are_equal = weight[counts].min() == weight.max()
    return given._replace(weight=None) if are_equal else given


class LeftOut(NamedTuple):
    """What a member predicts of the rows that it was not trained on."""

    rows: np.ndarray
    predictions: np.ndarray
    """Of shape (n_rows, n_outputs), in the units of training."""


class Fitted(NamedTuple):
    """What a fit comes to."""

    encoder: TableEncoder
    ensemble: Ensemble
    decisions: Decisions
    n_epochs: int
    is_complete: bool
    left_out: list[LeftOut] | None = None
