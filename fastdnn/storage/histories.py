"""What training has recorded, as plain data for pickles and files; and back."""

import math
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastdnn.training.curves import Curve
from fastdnn.training.history import COLUMNS, History

#: The curves of a `History`, and where a document says how long they are.
CURVES = {
    "loss_curve": "n_losses",
    "validation_scores": "n_scores",
    "validation_losses": "n_validation_losses",
}
#: The columns of the table of epochs that a file has: the same fit gives the same file, so it
#: has no times.
STORED_COLUMNS = tuple(name for name in COLUMNS if name != "seconds")
_SECONDS = COLUMNS.index("seconds")
#: What earlier versions have not recorded.
LATER = ("is_validated", "validation_losses", "validation_columns", "epochs")


def plain_history(history: History) -> dict[str, Any]:
    """Return a record as lists and numbers, and the table of epochs as one array."""
    plain = vars(history).copy()
    for name in CURVES:
        plain[name] = list(plain[name])
    plain["validation_columns"] = list(history.validation_columns)
    plain["epochs"] = table_of_epochs(history)
    return plain


def table_of_epochs(history: History) -> np.ndarray:
    """Return the numbers of each epoch as a row, filled up with NaN."""
    columns = list(history.table().values())[1:]  # not the first one, which counts them
    return np.array(columns, np.float64).T.copy()


def stored_columns(table: np.ndarray) -> np.ndarray:
    """Return the table of epochs as a file has it."""
    return np.delete(table, _SECONDS, axis=1)


def with_all_columns(stored: np.ndarray) -> np.ndarray:
    """Return the table of epochs from that of a file."""
    return np.insert(stored, _SECONDS, np.nan, axis=1)


def history_from(stored: dict[str, Any], advice: str) -> History:
    """Return the record that plain data, or that of an earlier version, tell of.

    Parameters
    ----------
    stored : dict
        The fields of a `History`, but for some that are new.
    advice : str
        What to do where they are not what they should be.

    Raises
    ------
    ValueError
        If a field is of another kind.
    """
    has_table = "epochs" in stored
    given = vars(History()) | stored
    for name in CURVES:
        if isinstance(given[name], Curve):
            given[name] = list(given[name])
    if not has_table:
        given["epochs"] = _table_of_losses(given["loss_curve"])
    for field in fields(History):
        value = given[field.name]
        kind, is_right = _KINDS[field.name if field.name == "epochs" else field.type]
        if not is_right(value):
            raise ValueError(f"{field.name}={value!r} must be {kind}. {advice}")
    names = tuple(map(str, given["validation_columns"]))
    if given["epochs"].shape[1] != len(COLUMNS) + len(names):
        raise ValueError(
            f"epochs has {given['epochs'].shape[1]} columns, but those of {COLUMNS} and "
            f"validation_columns={names} are {len(COLUMNS) + len(names)}. {advice}"
        )
    given["validation_columns"] = names
    for name in CURVES:
        given[name] = Curve(given[name])
    given["epochs"] = Curve(map(_row, given["epochs"].tolist()))
    return History(**given)


def _row(numbers: list[float]) -> tuple:
    position = COLUMNS.index("n_samples")
    if math.isfinite(numbers[position]):
        numbers[position] = int(numbers[position])
    return tuple(numbers)


def _table_of_losses(losses: Any) -> Any:
    """Return the table that a version would have which recorded nothing but losses."""
    if not _are_numbers(losses):
        return None
    table = np.full((len(losses), len(COLUMNS)), np.nan)
    table[:, COLUMNS.index("loss")] = losses
    return table


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, Real) for x in value)


def _is_table(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float64 and value.ndim == 2


def _are_names(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not all(isinstance(x, str) for x in value):
        return False
    return len(set(value)) == len(value)


# What fields of a `History` must be, by their types.
_KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("True or False", lambda value: isinstance(value, bool | np.bool_)),
    int: ("an integer >= 0", _is_count),
    float: ("a number", lambda value: isinstance(value, Real)),
    Curve: ("a list of numbers", _are_numbers),
    tuple[str, ...]: ("different names", _are_names),
    "epochs": ("an array of float64 with two dimensions", _is_table),
}
