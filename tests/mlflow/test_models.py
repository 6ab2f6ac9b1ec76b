"""Models are saved, logged and loaded by MLflow without a word about types."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastdnn.mlflow
from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.callbacks.support import HAS_CALLBACKS
from fastdnn.tables import TabularDNNClassifier
from tests.processes import run_python

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own

X, Y = load_iris(return_X_y=True)
SHORT = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "max_iter": 3, "random_state": 0}
MODELS = {
    "classifier": lambda: DNNClassifier(**SHORT),
    "regressor": lambda: DNNRegressor(**SHORT),
    "table": lambda: TabularDNNClassifier(
        n_members=1, max_epochs=1, hidden_layer_sizes=(3,), random_state=0
    ),
    "pipeline": lambda: make_pipeline(StandardScaler(), DNNClassifier(**SHORT)),
}


@pytest.mark.parametrize("name", MODELS)
def test_saved_models_are_loaded(mlflow, tmp_path, name):
    model = MODELS[name]().fit(X, Y)
    fastdnn.mlflow.save_model(model, tmp_path / "model")
    same = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert type(same) is type(model)
    np.testing.assert_array_equal(same.predict(X), model.predict(X))
    as_function = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(as_function.predict(X), model.predict(X))


def test_logged_models_are_loaded(mlflow):
    model = MODELS["pipeline"]().fit(X, Y)
    with mlflow.start_run():
        logged = fastdnn.mlflow.log_model(model, name="model")
    same = mlflow.sklearn.load_model(logged.model_uri)
    np.testing.assert_array_equal(same.predict(X), model.predict(X))


def test_models_with_callbacks(mlflow, tmp_path):
    callbacks = [
        fastdnn.callbacks.MLflow(),
        fastdnn.callbacks.Checkpoint(tmp_path / "{epoch}"),
        fastdnn.callbacks.TensorBoard(tmp_path / "logs"),
        fastdnn.callbacks.TimeLimit(3600.0),
        fastdnn.callbacks.ProgressBar(leave=False),
    ]
    with mlflow.start_run():
        model = DNNClassifier(**SHORT)
        if HAS_CALLBACKS:
            model.set_callbacks(*callbacks)
        logged = fastdnn.mlflow.log_model(model.fit(X, Y), name="model")
    same = mlflow.sklearn.load_model(logged.model_uri)
    np.testing.assert_array_equal(same.predict(X), model.predict(X))
    kept, given = (getattr(m, "_skl_callbacks", []) for m in (same, model))
    assert [c.__getstate__() for c in kept] == [c.__getstate__() for c in given]


def test_other_types_are_trusted_if_they_are_named(mlflow, tmp_path):
    class Own(StandardScaler):
        pass

    Own.__module__, Own.__qualname__ = __name__, "Own"
    sys.modules[__name__].Own = Own
    model = make_pipeline(Own(), DNNClassifier(**SHORT)).fit(X, Y)
    with pytest.raises(mlflow.exceptions.MlflowException, match="untrusted types"):
        fastdnn.mlflow.save_model(model, tmp_path / "refused")
    trusted = [f"{__name__}.Own"]
    fastdnn.mlflow.save_model(model, tmp_path / "model", skops_trusted_types=trusted)


@pytest.mark.slow_without_jit
def test_the_page_is_true(mlflow):
    page = Path(__file__).parents[2] / "scripts" / "docs" / "mlflow.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for code in blocks:
        exec(compile(code, str(page), "exec"), {})


def test_mlflow_is_imported_by_a_call():
    run_python("import sys, fastdnn.mlflow; assert 'mlflow' not in sys.modules")


@pytest.mark.parametrize("call", ["save_model", "log_model", "autolog"])
def test_without_mlflow(monkeypatch, call):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.sklearn", None)
    given = {"save_model": (None, "path"), "log_model": (None,), "autolog": ()}[call]
    with pytest.raises(ImportError, match=r"pip install 'fastdnn\[mlflow\]'"):
        getattr(fastdnn.mlflow, call)(*given)
