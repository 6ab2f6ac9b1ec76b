"""Which rows a pilot is trained on, and which it is validated on."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from fastdnn.estimators.validation_sets import split_rows

# Rows that networks can be trained on.
_FEWEST_ROWS = 2
# Of all rows that are held out and all classes: there are several arrays of them.
_MOST_PROBABILITIES = 20_000_000


def split_by(
    validation: Any,
    table_of: Callable[[], Any],
    y: np.ndarray,
    classes: np.ndarray | None,
    random_state: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train a pilot on, and those to validate it on.

    Parameters
    ----------
    validation : float, int, cross-validator or iterable
        The parameter of that name.
    table_of : callable
        Returns X, which a cross-validator looks at.
    y : ndarray
        The targets.
    classes : ndarray of shape (n_samples,) or None
        Positions of classes, of which both parts are to have the same shares; None for a
        regression.
    random_state : RandomState
        Of what is drawn.

    Raises
    ------
    ValueError
        If X cannot be split like that.
    """
    n_rows = len(y)
    if not isinstance(validation, Real):
        split = split_rows(validation, table_of(), y, n_rows, name="validation")
        if split is None or split[1].size == 0:
            raise ValueError(
                f"validation={_shown(validation)} holds out no rows. Hold out some, or set it "
                "to None."
            )
        return _both_parts(validation, *split)
    size = int(validation) if isinstance(validation, Integral) else float(validation)
    n_held_out = size if isinstance(size, int) else int(np.ceil(size * n_rows))
    if n_held_out >= n_rows:
        raise ValueError(
            f"validation={validation} holds out {n_held_out} samples, but X has {n_rows}. "
            "Hold out fewer."
        )
    strata = None if classes is None else _strata(classes, n_held_out)
    rows, held_out = train_test_split(
        np.arange(n_rows), test_size=size, random_state=random_state, stratify=strata
    )
    _both_parts(validation, rows, held_out)
    if classes is None:
        return rows, held_out
    # What no network has been trained on cannot be predicted: it would decide by chance.
    is_known = np.isin(classes[held_out], classes[rows])
    if is_known.any():
        rows, held_out = np.append(rows, held_out[~is_known]), held_out[is_known]
    if isinstance(size, float):  # a share of very many, which are in no order
        most = _MOST_PROBABILITIES // int(classes.max() + 1)
        rows, held_out = np.append(rows, held_out[most:]), held_out[:most]
    return rows, held_out


def _both_parts(
    validation: Any, rows: np.ndarray, held_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if len(rows) < _FEWEST_ROWS:
        n_rows = len(rows) + len(held_out)
        raise ValueError(
            f"validation={_shown(validation)} leaves {len(rows)} of {n_rows} samples to train "
            f"on, but {_FEWEST_ROWS} are needed. Hold out fewer."
        )
    return rows, held_out


def _strata(classes: np.ndarray, n_held_out: int) -> np.ndarray | None:
    """Return what to stratify by: classes, of which the rarest are taken together."""
    counts, n_smaller = np.bincount(classes), min(n_held_out, len(classes) - n_held_out)
    if counts[counts > 0].min() > 1 and n_smaller >= np.count_nonzero(counts):
        return classes
    # Of each of the others there are some in both parts.
    is_rare = counts < max(2, -(-2 * len(classes) // n_smaller))
    strata = np.where(is_rare[classes], len(counts), classes)
    _, counts = np.unique(strata, return_counts=True)
    return strata if counts.min() > 1 and n_smaller >= len(counts) else None


def _shown(validation: Any) -> str:
    shown = repr(validation)
    return shown if len(shown) < 100 else f"{shown[:97]}..."
