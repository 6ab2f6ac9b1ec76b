"""What a column asks to be predicted: classes or numbers."""

from typing import Any

from fastdnn.cli.failures import Failure

#: Whole numbers of at most so many different values are classes.
MOST_CLASSES = 20


def is_classes(column: Any, task: str) -> bool:
    """Return whether a column of polars holds classes.

    Parameters
    ----------
    column : polars.Series
        Without missing values.
    task : {'auto', 'classification', 'regression'}
        What the user says.

    Raises
    ------
    Failure
        If numbers are to be predicted and it has none, or it has a single value.
    """
    if column.n_unique() < 2:
        raise Failure(
            f"Column {column.name!r} has one value in all rows: there is nothing to learn."
        )
    if task == "regression":
        if not column.dtype.is_numeric():
            raise Failure(
                f"Column {column.name!r} holds {column.dtype}, but --task regression needs "
                "numbers."
            )
        return False
    if task == "classification" or not column.dtype.is_numeric():
        return True
    return column.dtype.is_integer() and column.n_unique() <= MOST_CLASSES


def values_of(column: Any, are_classes: bool) -> Any:
    """Return targets as an array: labels as strings, whole numbers or bools, or numbers."""
    if not are_classes:
        return column.to_numpy().astype("float64")
    if column.dtype.is_integer():
        return column.to_numpy()
    if str(column.dtype) == "Boolean":
        return column.to_numpy().astype(bool)
    return column.cast(str).to_numpy().astype(str)
