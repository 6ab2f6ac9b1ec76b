"""Models in files without code: saved from, and loaded into, the three public classes."""

import os
from typing import Any

from fastdnn._model_files import json
from fastdnn._model_files.decoding import arrays_for, decode
from fastdnn._model_files.encoding import encode
from fastdnn._model_files.layout import Layout, check_values, layout
from fastdnn._model_files.schema import FORMAT_VERSION, METADATA_SCHEMA, SCHEMAS
from fastdnn._model_files.tensor_file import TensorFile, write
from fastdnn._version import VERSION

_FORMAT = "fastdnn"
_DAMAGED = "Use an intact copy, or save the model again."


class ModelFileError(ValueError):
    """A model cannot be saved to a file or loaded from it; the message says why."""


def save(model: Any, path: str | os.PathLike, compact: bool) -> None:
    """Do what the public `save` methods do.

    Parameters
    ----------
    model : DNNClassifier, DNNRegressor or DeepNeuralNetwork
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
    name = _name_of(path)
    try:
        document, tensors = encode(model, compact)
        json.check(document, SCHEMAS[document["class"]], "model")
        found = {key: (tensor.dtype, tensor.shape) for key, tensor in tensors.items()}
        _require_layout(found, layout(document))
        check_values(document, tensors)
        metadata = {
            "format": _FORMAT,
            "format_version": str(FORMAT_VERSION),
            "fastdnn_version": VERSION,
            "model": json.dump(document).decode("ascii"),
        }
        write(name, metadata, tensors)
    except OSError as error:
        raise ModelFileError(
            f"Cannot save to {name!r}: {error.strerror or error}. Choose another file or "
            "folder, or change who may write to it."
        ) from error
    except ValueError as error:
        raise ModelFileError(f"Cannot save to {name!r}: {_sentence(error)}") from error


def load(path: str | os.PathLike) -> Any:
    """Load a model that its `save` method has written.

    Nothing in the file is run, whatever it says, and everything is checked before it is
    used: a file from anywhere gives a model or an error. (A pickle can run any code.)

    Parameters
    ----------
    path : str or PathLike
        The file.

    Returns
    -------
    DNNClassifier, DNNRegressor or DeepNeuralNetwork
        What was saved. It predicts the same to the last bit and, unless it was saved with
        ``compact=True``, goes on training with the same bits.

    Raises
    ------
    ModelFileError
        If the file cannot be read, is damaged, is no model, or is one of a newer format.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import fastdnn
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = fastdnn.DNNClassifier((5,), solver="lbfgs", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "iris.safetensors"
    ...     model.save(path)
    ...     same = fastdnn.load(path)
    >>> bool((same.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    name = _name_of(path)
    try:
        with TensorFile(name) as file:
            document = _document_of(file.metadata)
            expected = layout(document)
            _require_layout(file.entries, expected)
            theta, tensors = arrays_for(document, expected)
            file.read_into(tensors)
        check_values(document, tensors)
        return decode(document, theta, tensors)
    except OSError as error:
        raise ModelFileError(
            f"Cannot load {name!r}: {error.strerror or error}. Give the path of a file that "
            "`save` has written and that you may read."
        ) from error
    except _NewerFormatError as error:
        raise ModelFileError(f"Cannot load {name!r}: {_sentence(error)}") from None
    except ValueError as error:
        raise ModelFileError(f"Cannot load {name!r}: {_sentence(error)} {_DAMAGED}") from error


class _NewerFormatError(ValueError):
    """What the file says may be right, but this version cannot know."""


def _name_of(path: Any) -> str:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={path!r} must be a str or a PathLike object.")
    return os.fsdecode(path)


def _sentence(error: Exception) -> str:
    return f"{str(error).rstrip('.')}."


def _document_of(metadata: dict[str, str]) -> dict:
    """Return what a file says about its model, in agreement with the schema."""
    if metadata.get("format") != _FORMAT:
        raise ValueError("it is not a model of fastdnn")
    version = metadata.get("format_version", "")
    if version.isascii() and version.isdigit() and len(version) < 9:
        if int(version) > FORMAT_VERSION:
            raise _NewerFormatError(
                f"its format has version {int(version)}, but fastdnn {VERSION} knows those up "
                f"to {FORMAT_VERSION}. Load it with a newer fastdnn; it was saved by "
                f"{json.shown(metadata.get('fastdnn_version'))}"
            )
    json.check(metadata, METADATA_SCHEMA, "metadata")
    try:
        document = json.parse(metadata["model"])
    except ValueError as problem:
        raise ValueError(f"what it says of its model is not valid: {problem}") from None
    named = document.get("class") if isinstance(document, dict) else None
    if not isinstance(named, str) or named not in SCHEMAS:
        raise ValueError(f"class={json.shown(named)} must be one of {list(SCHEMAS)}")
    json.check(document, SCHEMAS[named], "model")
    return document


def _require_layout(found: Layout, expected: Layout) -> None:
    """Raise ValueError unless the tensors are those that a document needs."""
    for name in [*expected, *found]:
        if name not in found:
            raise ValueError(f"the tensor {name!r} is missing")
        if name not in expected:
            raise ValueError(f"the tensor {json.shown(name)} does not belong to the model")
        if found[name] != expected[name]:
            (dtype, shape), (wanted, needed) = found[name], expected[name]
            raise ValueError(
                f"the tensor {name!r} is of {dtype} and shape {shape}, but the model needs "
                f"{wanted} and shape {json.shown(needed)}"
            )
