"""The error of model files, and what its messages are made of."""

import os
from typing import Any


class ModelFileError(ValueError):
    """A model cannot be saved to a file or loaded from it; the message says why."""


def name_of(path: Any) -> str:
    """Return a path as a string.

    Raises
    ------
    TypeError
        If it is none: an int would be an open file's number.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={path!r} must be a str or a PathLike object.")
    return os.fsdecode(path)


def sentence(error: Exception) -> str:
    """Return the message of an error with one full stop."""
    return f"{str(error).rstrip('.')}."
