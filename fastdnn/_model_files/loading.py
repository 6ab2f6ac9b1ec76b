"""Loading a model from a file, which is not trusted in anything."""

import os
from typing import Any

from fastdnn._model_files import json
from fastdnn._model_files.decoding import arrays_for, decode
from fastdnn._model_files.errors import ModelFileError, name_of, sentence
from fastdnn._model_files.layout import check_values, layout, require_layout
from fastdnn._model_files.schema import FORMAT, FORMAT_VERSION, METADATA_SCHEMA, SCHEMAS
from fastdnn._model_files.tensor_file import TensorFile
from fastdnn._version import VERSION

_DAMAGED = "Use an intact copy, or save the model again."


class _NewerFormatError(ValueError):
    """What the file says may be right, but this version cannot know."""


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
    name = name_of(path)
    try:
        with TensorFile(name) as file:
            document = _document_of(file.metadata)
            expected = layout(document)
            require_layout(file.entries, expected)
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
        raise ModelFileError(f"Cannot load {name!r}: {sentence(error)}") from None
    except ValueError as error:
        raise ModelFileError(f"Cannot load {name!r}: {sentence(error)} {_DAMAGED}") from error


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
