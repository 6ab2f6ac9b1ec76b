"""Saving a model to a file."""

import os
from typing import Any

from fastdnn._model_files import json
from fastdnn._model_files.encoding import encode
from fastdnn._model_files.errors import ModelFileError, name_of, sentence
from fastdnn._model_files.layout import check_values, layout, require_layout
from fastdnn._model_files.schema import FORMAT, FORMAT_VERSION, SCHEMAS
from fastdnn._model_files.tensor_file import write
from fastdnn._version import VERSION


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
    name = name_of(path)
    try:
        document, tensors = encode(model, compact)
        json.check(document, SCHEMAS[document["class"]], "model")
        found = {key: (tensor.dtype, tensor.shape) for key, tensor in tensors.items()}
        require_layout(found, layout(document))
        check_values(document, tensors)
        metadata = {
            "format": FORMAT,
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
        raise ModelFileError(f"Cannot save to {name!r}: {sentence(error)}") from error
