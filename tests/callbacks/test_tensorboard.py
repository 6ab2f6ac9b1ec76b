"""What TensorBoard reads: events of each fit in a folder of its own."""

import math
import struct
import sys

import pytest
from sklearn.model_selection import GridSearchCV

from fastdnn.callbacks import TensorBoard
from tests.callbacks.kinds import (
    LABELS,
    TARGETS,
    Recording,
    X,
    classifier,
    needs_callbacks,
    regressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def events_in(folder):
    """Read the records of the file of events in a folder: length, sum, bytes, sum."""
    from tensorboardX.proto.event_pb2 import Event

    [path] = folder.glob("events.out.tfevents.*")
    data, events = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        events.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return events


def curves_in(folder):
    curves = {}
    for event in events_in(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return curves


@needs_callbacks
@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}], ids=str)
def test_each_column_of_the_history_is_a_curve(options, tmp_path):
    model = regressor(**options).set_callbacks(TensorBoard(tmp_path / "logs"))
    model.fit(X, TARGETS, X_val=X[:20], y_val=TARGETS[:20])
    curves = curves_in(tmp_path / "logs" / "DNNRegressor-1")
    table = model.history_
    epochs = table.pop("epoch")
    for name, column in table.items():
        if math.isnan(column[0]):  # as of the rate of L-BFGS
            assert name not in curves
            continue
        assert list(curves[name]) == epochs
        assert list(curves[name].values()) == pytest.approx(column, rel=1e-6)
    assert {"loss", "seconds", "validation_loss", "validation_score"} <= set(curves)


@needs_callbacks
def test_the_parameters_are_a_text(tmp_path):
    classifier(alpha=0.125).set_callbacks(TensorBoard(tmp_path)).fit(X, LABELS)
    events = events_in(tmp_path / "DNNClassifier-1")
    [text] = [v for e in events for v in e.summary.value if v.tag.startswith("parameters")]
    assert b"| alpha | 0.125 |" in text.tensor.string_val[0]


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.needs_jit)])
def test_each_fit_of_a_search_has_a_folder(n_jobs, tmp_path):
    model = classifier().set_callbacks(TensorBoard(tmp_path))
    grid = {"alpha": [1.0, 2.0]}
    GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X, LABELS)
    folders = sorted(path.name for path in tmp_path.iterdir())
    assert folders == [f"DNNClassifier-{k}" for k in range(1, 6)]
    for name in folders:
        assert list(curves_in(tmp_path / name)["loss"]) == [1, 2, 3, 4]


@needs_callbacks
def test_what_was_written_before_a_fit_raised_is_there(tmp_path):
    class RaisingLater(Recording):
        def end_epoch(self, estimator, epoch, run):
            super().end_epoch(estimator, epoch, run)
            if len(run) == 2:
                raise RuntimeError("later")

    model = classifier().set_callbacks(TensorBoard(tmp_path), RaisingLater())
    with pytest.raises(RuntimeError, match="later"):
        model.fit(X, LABELS)
    assert list(curves_in(tmp_path / "DNNClassifier-1")["loss"]) == [1, 2]


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "fastdnn\[tensorboard\]"'):
        TensorBoard()
