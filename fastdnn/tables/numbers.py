"""Encodes one column of numbers: what is missing, its size, and the bins that it is in."""

import numpy as np

from fastdnn.compiler.jit import entry_point
from fastdnn.ops.table_entries import CLIP

# Units that are not told apart from more: their squares overflow some time.
_LARGEST = 1e15


class NumberEncoder:
    """From one column of numbers to some.

    They are a copy that is scaled robustly and clipped smoothly, u / sqrt(1 + (u / 3)**2) with
    u = (x - median) / IQR; where numbers were missing, 1 for those that are; and the
    components of the piecewise-linear encoding (`fastdnn.tables.bins`).

    Parameters
    ----------
    name : str
        Of the column.
    x : ndarray of shape (n_samples,)
        Its numbers, NaN for missing ones, not all of which are.
    edges : ndarray of shape (n_edges,)
        Of the bins; empty for none.

    Attributes
    ----------
    names : list of str
        Of what it returns.
    """

    def __init__(self, name: str, x: np.ndarray, edges: np.ndarray) -> None:
        present = x[~np.isnan(x)]
        low, median, high = np.quantile(present, [0.25, 0.5, 0.75]).tolist()
        scale = high - low
        if not scale > 0.0:
            scale = float(present.max() - present.min()) / 2.0
        if not scale > 0.0:
            scale = 1.0  # only whether it is missing tells anything
        # Those of a compact table are scaled.
        self.median, self.scale = median, scale
        is_apart = np.diff(self.scaled(edges).astype(np.float32), prepend=-np.inf) > 0.0
        edges = edges[is_apart] if is_apart.sum() > 1 else np.zeros(0)
        is_constant = bool(present.min() == present.max())
        self._begin(name, median, scale, edges, present.size < x.size, is_constant)

    @classmethod
    def of_numbers(
        cls,
        name: str,
        median: float,
        scale: float,
        edges: np.ndarray,
        has_missing: bool,
        is_constant: bool,
    ) -> "NumberEncoder":
        """Return the encoder that has found these numbers."""
        encoder = cls.__new__(cls)
        encoder._begin(name, median, scale, edges, has_missing, is_constant)
        return encoder

    def _begin(
        self,
        name: str,
        median: float,
        scale: float,
        edges: np.ndarray,
        has_missing: bool,
        is_constant: bool,
    ) -> None:
        self.median, self.scale, self.edges = median, scale, edges
        self.has_missing, self.is_constant = has_missing, is_constant
        n_bins = max(0, edges.size - 1)
        self.names = [name] * (not self.is_constant)
        self.names += [f"{name}_missing"] * self.has_missing
        self.names += [f"{name}_bin{t}" for t in range(n_bins)]

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """Return numbers less the median in units of the scale, for float32 to hold."""
        with np.errstate(over="ignore"):
            return np.clip((x - self.median) / self.scale, -_LARGEST, _LARGEST)

    def write(self, x: np.ndarray, out: np.ndarray) -> None:
        """Write the numbers for each row into `out`, of shape (n_samples, len(names))."""
        missing = np.isnan(x)
        x = np.where(missing, self.median, x)
        column = 0
        if not self.is_constant:
            u = self.scaled(x)
            out[:, 0] = u / np.sqrt(1.0 + np.square(u / CLIP))
            column = 1
        if self.has_missing:
            out[:, column] = missing
            column += 1
        if self.edges.size > 0:
            _piecewise_linear(x, self.edges, out, column)


@entry_point
def _piecewise_linear(x, edges, out, first):
    """Write the components of each number of `x` into columns `first`... of `out`."""
    for i in range(x.size):
        for t in range(edges.size - 1):
            low, high = edges[t], edges[t + 1]
            share = (x[i] - low) / (high - low)
            out[i, first + t] = min(max(share, 0.0), 1.0)
