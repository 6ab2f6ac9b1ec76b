"""Fits log what MLflow logs of scikit-learn's estimators."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastdnn.mlflow
from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.tables import TabularDNNClassifier

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own

X, Y = load_iris(return_X_y=True)
SHORT = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "max_iter": 3, "random_state": 0}


def runs_of(mlflow):
    return mlflow.search_runs(output_format="list")


@pytest.mark.parametrize(
    "model",
    [
        DNNClassifier(**SHORT),
        DNNRegressor(**SHORT),
        TabularDNNClassifier(n_members=1, max_epochs=1, hidden_layer_sizes=(3,)),
        make_pipeline(StandardScaler(), DNNClassifier(**SHORT)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_fit_is_a_run(mlflow, model):
    fastdnn.mlflow.autolog(log_models=False)
    fastdnn.mlflow.autolog(log_models=False)  # changes nothing
    model.fit(X, Y)
    (run,) = runs_of(mlflow)
    assert run.data.tags["estimator_name"] == type(model).__name__
    hidden = [v for name, v in run.data.params.items() if name.endswith("_layer_sizes")]
    assert hidden == ["(3,)"]
    score = run.data.metrics["training_score"]
    np.testing.assert_allclose(score, model.score(X, Y))


def test_models_are_logged(mlflow):
    fastdnn.mlflow.autolog(serialization_format="cloudpickle")
    model = DNNClassifier(**SHORT).fit(X, Y)
    (run,) = runs_of(mlflow)
    (logged,) = mlflow.search_logged_models(output_format="list")
    assert logged.source_run_id == run.info.run_id
    same = mlflow.sklearn.load_model(logged.model_uri)
    np.testing.assert_array_equal(same.predict(X), model.predict(X))


def test_versions_that_cannot_be_told(mlflow, monkeypatch):
    monkeypatch.delattr(mlflow.sklearn, "_gen_estimators_to_patch")
    with pytest.raises(RuntimeError, match="Put the estimator into a Pipeline"):
        fastdnn.mlflow.autolog()
