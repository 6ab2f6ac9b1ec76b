"""Lets MLflow log the fits of our estimators by itself."""

from typing import Any

from fastdnn.estimators.classifier import DNNClassifier
from fastdnn.estimators.regressor import DNNRegressor
from fastdnn.mlflow.models import mlflow_sklearn
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor

_OURS = (DNNClassifier, DNNRegressor, TabularDNNClassifier, TabularDNNRegressor)
# What MLflow asks for the classes whose methods log. It has no other way to add some.
_ASKED = "_gen_estimators_to_patch"


def autolog(**options: Any) -> None:
    """Let every fit log its parameters, scores and model, as ``mlflow.sklearn.autolog`` does.

    That holds for scikit-learn's estimators and ours. Without this call MLflow sees ours
    inside of scikit-learn's, such as a pipeline, and not by themselves.

    Parameters
    ----------
    **options
        As of ``mlflow.sklearn.autolog``, such as ``log_models``.

    Raises
    ------
    ImportError
        If MLflow is not installed.
    RuntimeError
        If this version of MLflow takes no estimators but scikit-learn's.
    """
    module = mlflow_sklearn()
    of_sklearn = getattr(module, _ASKED, None)
    if of_sklearn is None:
        raise RuntimeError(
            "This version of MLflow logs no estimators but scikit-learn's. Put the estimator "
            "into a Pipeline, and call mlflow.sklearn.autolog()."
        )
    if not hasattr(of_sklearn, "has_ours"):

        def with_ours() -> list[type]:
            return [*of_sklearn(), *_OURS]

        # So that nothing is put on top twice; functions have no such attribute for checkers.
        with_ours.has_ours = True  # type: ignore[attr-defined]
        setattr(module, _ASKED, with_ours)
    module.autolog(**options)
