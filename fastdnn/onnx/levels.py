"""Levels of a category in ONNX: from strings or numbers to their positions."""

from typing import Any

import numpy as np

from fastdnn.onnx.graph import Tensor
from fastdnn.tables.categories import CategoryEncoder
from fastdnn.tables.targets import TargetMeans

#: What stands for a missing string, where it was no level itself.
MISSING = ""


def known_levels(
    encoders: list[CategoryEncoder | TargetMeans], are_strings: bool
) -> list[Any]:
    """Return all levels that some encoder of a column tells apart, but for what is missing.

    Raises
    ------
    ValueError
        If they are not of the kind of the input.
    """
    levels = dict.fromkeys(level for encoder in encoders for level in encoder.positions)
    if None in levels and MISSING in levels:
        raise ValueError(
            "The table of the fit has a column with missing strings and with empty ones, but "
            "an input of ONNX has empty ones for missing. Fit with another string in their "
            "place."
        )
    levels.pop(None, None)
    for level in levels:
        if isinstance(level, str) != are_strings:
            given = "strings" if are_strings else "numbers"
            raise ValueError(
                f"An input of {given} cannot have the level {level!r} that was in the table "
                "of the fit. Fit on columns that have strings only, or numbers only, and give "
                "the input that type."
            )
    return list(levels)


def codes_of_levels(values: Tensor, levels: list[Any]) -> Tensor:
    """Return the code of each value, as a vector of int64.

    It is 1 and more for the levels, 0 for all others, and ``len(levels) + 1`` for what is
    missing.
    """
    if values.dtype is str:
        return _codes_of_strings(values, levels).flat()
    return _codes_of_numbers(values, levels).flat()


def _codes_of_strings(values: Tensor, levels: list[str]) -> Tensor:
    keys = levels if MISSING in levels else [*levels, MISSING]
    return values.graph.node(
        "LabelEncoder",
        [values],
        np.int64,
        domain="ai.onnx.ml",
        op_version=2,
        keys_strings=keys,
        values_int64s=list(range(1, len(keys) + 1)),
        default_int64=0,
    )


def _codes_of_numbers(values: Tensor, levels: list[float]) -> Tensor:
    graph = values.graph
    levels = levels or [np.nan]  # which nothing is equal to
    is_whole = all(float(level).is_integer() for level in levels)
    # Whole numbers are compared exactly also where float64 has gaps.
    values = values.cast(np.int64 if is_whole and values.dtype == np.int64 else np.float64)
    is_level = values.equals(graph.constant([levels], values.dtype)).cast(np.int64)
    codes = (is_level * graph.constant([np.arange(1, len(levels) + 1)], np.int64)).sums()
    if values.dtype == np.int64:
        return codes
    return values.is_nan().chosen(graph.constant([[len(levels) + 1]], np.int64), codes)
