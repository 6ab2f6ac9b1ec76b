"""Tells skl2onnx of the converters, and converts in one call."""

import importlib
from typing import Any

from sklearn.base import is_classifier


def register() -> None:
    """Let skl2onnx convert the estimators of fastdnn, alone and inside of others.

    That holds for this process; to call it again changes nothing.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> import fastdnn.onnx
    >>> fastdnn.onnx.register()
    """
    _required("skl2onnx")
    from fastdnn.onnx.converters import register_all

    register_all()


def to_onnx(model: Any, X: Any, **options: Any) -> Any:
    """Convert a fitted model, or one of scikit-learn that has such inside, to ONNX.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Some samples: they say the types of inputs. Of an array there is one input, ``X``; of
        a data frame one for each column, see `inputs_of`.
    **options
        As of ``skl2onnx.to_onnx``, such as ``target_opset``. Without ``options`` a
        classifier puts probabilities out as a matrix.

    Returns
    -------
    onnx.ModelProto
        A classifier has the outputs ``label`` and ``probabilities``, all others
        ``variable``. Numbers are put out in float64 if the first input has float64, and in
        float32 otherwise.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    ValueError
        If the model has something that ONNX cannot hold, such as an activation of your own.

    Examples
    --------
    >>> import fastdnn.onnx
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = fastdnn.DNNClassifier((4,), solver="lbfgs", random_state=0).fit(X, y)
    >>> converted = fastdnn.onnx.to_onnx(model, X)
    >>> [output.name for output in converted.graph.output]
    ['label', 'probabilities']
    """
    register()
    from fastdnn.onnx.inputs import initial_types

    if is_classifier(model):
        options.setdefault("options", {id(model): {"zipmap": False}})
    options.setdefault("initial_types", initial_types(X))
    return _required("skl2onnx").to_onnx(model, **options)


def _required(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Conversion to ONNX needs {name}, which is not installed. Install it with "
            "pip install 'fastdnn[onnx]'."
        ) from error
