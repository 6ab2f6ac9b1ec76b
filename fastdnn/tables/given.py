"""Rows as a user gave them, and what a fit comes to."""

from typing import NamedTuple

import numpy as np

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
