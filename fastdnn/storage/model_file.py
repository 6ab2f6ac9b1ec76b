"""Saving a model to a file, and loading one from a file that is not trusted in anything."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastdnn._version import VERSION
from fastdnn.storage import checked_json
from fastdnn.storage.document import (
    check_content,
    decode,
    empty_arrays,
    encode,
    layout_of,
    require_known,
)
from fastdnn.storage.own import MissingOwnError, checked_own
from fastdnn.storage.schema import FORMAT, FORMAT_VERSION, metadata_schema, schemas
from fastdnn.storage.settings import encode_settings
from fastdnn.storage.tensor_file import TensorFile, require_place, write
from fastdnn.storage.tensors import require_tensors

_OTHER_PLACE = "Choose another file or folder, or change who may write to it."
_OTHER_PATH = "Give the path of a file that `save` has written and that you may read."
_DAMAGED = "Use an intact copy, or save the model again."


class ModelFileError(ValueError):
    """A model cannot be saved to a file or loaded from it; the message says why."""


class _NewerFormatError(ValueError):
    """What the file says may be right, but this version cannot know."""


def save(model: Any, path: str | os.PathLike, compact: bool) -> None:
    """Do what the public `save` methods do.

    Parameters
    ----------
    model : DNNClassifier, DNNRegressor, DeepNeuralNetwork or table estimator
        The model.
    path : str or PathLike
        The file.
    compact : bool
        Whether to leave out the state of the optimiser.

    Raises
    ------
    ModelFileError
        If the model has what a file cannot hold, or the file cannot be written.
    """
    with _errors("save to", path, _OTHER_PLACE) as name:
        document, tensors = encode(model, compact, name)
        checked_json.check(document, schemas()[document["class"]], "model")
        found = {key: (tensor.dtype, tensor.shape) for key, tensor in tensors.items()}
        require_tensors(found, layout_of(document))
        check_content(document, tensors)
        metadata = {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "fastdnn_version": VERSION,
            "model": checked_json.dump(document).decode("ascii"),
        }
        write(name, metadata, tensors)


def require_writable(model: Any, path: str | os.PathLike) -> None:
    """Raise ModelFileError where a model, once it is fitted, could not be saved to a file."""
    with _errors("save to", path, _OTHER_PLACE) as name:
        require_known(model)
        encode_settings(model, name)
        require_place(name)


def load(path: str | os.PathLike, classes: Mapping[str, type], own: Any = ()) -> Any:
    """Load a model of one of the `classes`, see `fastdnn.load`."""
    given = checked_own(own)
    with _errors("load", path, _OTHER_PATH, _DAMAGED) as name:
        with TensorFile(name) as file:
            document = _document_of(file.metadata)
            needed = layout_of(document)
            require_tensors(file.entries, needed)
            parameters, tensors = empty_arrays(document, needed)
            file.read_into(tensors)
        check_content(document, tensors)
        return decode(document, parameters, tensors, classes, name, given)


@contextmanager
def _errors(action: str, path: Any, remedy: str, remedy_of_content: str = "") -> Iterator[str]:
    """Give the name of a file, and whatever goes wrong with it in one form."""
    if not isinstance(path, str | os.PathLike):  # an int would be an open file's number
        raise TypeError(f"path={path!r} must be a str or a PathLike object.")
    name = os.fsdecode(path)
    about = f"Cannot {action} {name!r}:"
    try:
        yield name
    except OSError as error:
        raise ModelFileError(f"{about} {error.strerror or error}. {remedy}") from error
    except ValueError as error:
        is_newer = isinstance(error, _NewerFormatError)
        is_whole = is_newer or isinstance(error, MissingOwnError)
        more = "" if is_whole or not remedy_of_content else f" {remedy_of_content}"
        message = f"{about} {str(error).rstrip('.')}.{more}"
        raise ModelFileError(message) from None if is_newer else error


def _document_of(metadata: dict[str, str]) -> dict:
    """Return what a file says about its model, in agreement with the schema."""
    if metadata.get("format") != FORMAT:
        raise ValueError("it is not a model of fastdnn")
    version = metadata.get("format_version", "")
    if version.isascii() and version.isdigit() and len(version) < 9:
        if int(version) > FORMAT_VERSION:
            raise _NewerFormatError(
                f"its format has version {int(version)}, but fastdnn {VERSION} knows those up "
                f"to {FORMAT_VERSION}. Load it with a newer fastdnn; it was saved by "
                f"{checked_json.shown(metadata.get('fastdnn_version'))}"
            )
    checked_json.check(metadata, metadata_schema(), "metadata")
    try:
        document = checked_json.parse(metadata["model"])
    except ValueError as problem:
        raise ValueError(f"what it says of its model is not valid: {problem}") from None
    named = document.get("class") if isinstance(document, dict) else None
    known = schemas(int(version))
    if not isinstance(named, str) or named not in known:
        raise ValueError(f"class={checked_json.shown(named)} must be one of {list(known)}")
    checked_json.check(document, known[named], "model")
    return document
