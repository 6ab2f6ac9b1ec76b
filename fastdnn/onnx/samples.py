"""Samples as the inputs of a converted model take them."""

import itertools
import re
from typing import Any

import numpy as np
from scipy import sparse

from fastdnn.tables.columns import CATEGORY, DATE, Column, Table


def inputs_of(X: Any) -> dict[str, np.ndarray]:
    """Return samples as an onnxruntime session of a model by `to_onnx` takes them.

    Parameters
    ----------
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Samples.

    Returns
    -------
    dict of str to ndarray
        Of an array of numbers ``X``, as float32, float64, int64 or bool. Of a data frame, and
        of an array that holds strings, each column by its name, of shape (n_samples, 1):
        numbers as float64, NaN where one is missing; categories of whole numbers, of which
        none is missing, as int64; strings and categories as objects, the
        empty string where one is missing.

    Raises
    ------
    ValueError
        If a column has what ONNX cannot hold, such as dates.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastdnn.onnx import inputs_of
    >>> inputs = inputs_of(pd.DataFrame({"size": [1, None], "colour": ["red", None]}))
    >>> inputs["size"].tolist(), inputs["colour"].tolist()
    ([[1.0], [nan]], [['red'], ['']])
    """
    table = Table(X.toarray() if sparse.issparse(X) else X)
    array = table.whole
    if isinstance(array, np.ndarray) and array.dtype.kind in "fiub":
        if array.dtype.kind in "iu":
            return {"X": array.astype(np.int64)}
        is_small = array.dtype.kind == "f" and array.dtype.itemsize < 8
        return {"X": array.astype(np.float32) if is_small else array}
    columns = [table.column(j) for j in range(table.shape[1])]
    names = _names_of_inputs([column.name for column in columns])
    return {
        name: _values_of(column).reshape(-1, 1)
        for name, column in zip(names, columns, strict=True)
    }


def _names_of_inputs(names: list[str]) -> list[str]:
    """Return what skl2onnx makes of names: letters, digits and underscores."""
    found: list[str] = []
    for name in names:
        seed = re.sub(r"[^\w+]", "_", name)
        seed = f"_{seed}" if re.match("[0-9]", seed) else seed
        numbered = (f"{seed}{number or ''}" for number in itertools.count())
        found.append(next(new for new in numbered if new not in found))
    return found


def dates_refused(name: str) -> ValueError:
    """Return the error of a column that has dates."""
    return ValueError(
        f"Column {name!r} has dates, which ONNX has no type for. Give numbers in their place, "
        "such as the year and the month, and fit on these."
    )


def _values_of(column: Column) -> np.ndarray:
    if column.kind == DATE:
        raise dates_refused(column.name)
    if column.kind != CATEGORY:
        return column.values
    present = [value for value in column.values.tolist() if value is not None]
    if all(isinstance(value, str) for value in present):
        return np.array(
            ["" if value is None else value for value in column.values], dtype=object
        )
    if any(isinstance(value, str) for value in present):
        raise ValueError(
            f"Column {column.name!r} of X has strings among others, but an input of ONNX has "
            "one type. Convert the column to strings, and fit on these."
        )
    if len(present) == len(column.values) and all(type(value) is int for value in present):
        return np.array(present, dtype=np.int64)
    numbers = [np.nan if value is None else float(value) for value in column.values]
    if [value for value in numbers if value == value] != present:
        raise ValueError(
            f"Column {column.name!r} of X has whole numbers beside missing ones that float64 "
            "cannot tell from others. Convert the column to strings, and fit on these."
        )
    return np.array(numbers)
