"""Names of the columns that an encoder returns: each of them once."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def names_out(
    made: Sequence[tuple[int, list[str]]],
    names: list[str],
    known: np.ndarray | None,
    given: Any,
) -> np.ndarray:
    """Return the names of all columns of the result.

    Parameters
    ----------
    made : sequence of pairs of int and list of str
        Which column some are made of, and what they are called, which begins with its name.
    names : list of str
        Of the columns of the table.
    known : ndarray of str or None
        The same, if they are names that a user gave.
    given : array-like of str or None
        What the columns are to be called; the known names, or for those of an array others.

    Raises
    ------
    ValueError
        If those are others, or not as many.
    """
    called = names
    if given is not None:
        called = np.asarray(given, dtype=object).tolist()
        if known is not None and called != known.tolist():
            raise ValueError("input_features is not equal to feature_names_in_")
        if len(called) != len(names):
            raise ValueError(
                "input_features should have length equal to number of features "
                f"({len(names)}), got {len(called)}"
            )
    found = [
        f"{called[column]}{name[len(names[column]) :]}" for column, own in made for name in own
    ]
    return np.array(_each_once(found), dtype=object)


def _each_once(names: list[str]) -> list[str]:
    """Return names with numbers behind those that are there already."""
    taken: set[str] = set()
    result = []
    for name in names:
        unique, n = name, 1
        while unique in taken:
            n += 1
            unique = f"{name}_{n}"
        taken.add(unique)
        result.append(unique)
    return result
