"""`load`: a model from a file, with the classes that it may be of."""

import os
from collections.abc import Sequence
from typing import Any

from fastdnn.estimators.classifier import DNNClassifier
from fastdnn.estimators.regressor import DNNRegressor
from fastdnn.ops.own_functions import Activation, Loss
from fastdnn.storage import model_file
from fastdnn.textbook.network import DeepNeuralNetwork


class _Classes(dict[str, type]):
    """The class of each name; those for tables are imported when they are needed."""

    def __missing__(self, name: str) -> type:
        from fastdnn import tables

        return getattr(tables, name)


_CLASSES = _Classes(
    {kind.__name__: kind for kind in (DNNClassifier, DNNRegressor, DeepNeuralNetwork)}
)


def load(path: str | os.PathLike, own: Sequence[Activation | Loss] = ()) -> Any:
    """Load a model that its `save` method has written.

    Nothing in the file is run, whatever it says, and everything is checked before it is
    used: a file from anywhere gives a model or an error. (A pickle can run any code.)

    Parameters
    ----------
    path : str or PathLike
        The file.
    own : sequence of Activation and Loss, default=()
        Those of your own that the model was saved with: a file says their names and the
        import paths of their functions, but holds no code, and nothing is imported. Others
        may be among them.

    Returns
    -------
    DNNClassifier, DNNRegressor, DeepNeuralNetwork, or a table estimator
        What was saved. It predicts the same to the last bit and, unless it was saved with
        ``compact=True``, goes on training with the same bits.

    Raises
    ------
    ModelFileError
        If the file cannot be read, is damaged, is no model, is one of a newer format, or
        names an activation or a loss of your own that was not given.
    TypeError
        If `path` is no path, or `own` has something else.

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
    return model_file.load(path, _CLASSES, own)
