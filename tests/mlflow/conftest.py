"""A tracking server in a folder of its own."""

import pytest


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    """MLflow with runs in a folder; skips where it is not installed."""
    module = pytest.importorskip("mlflow", reason="has a block of its own in .ci/run")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    before = module.get_tracking_uri()
    module.set_tracking_uri((tmp_path / "runs").as_uri())
    module.set_experiment("of tests")
    yield module
    module.sklearn.autolog(disable=True)
    module.set_tracking_uri(before)
