"""What fits go on from, in pickles and files: complete, stored once, and checked."""

import copy
import json
import pickle

import numpy as np
import pytest

import fastdnn
from fastdnn import DNNClassifier
from scripts.corrupt_files import parts_of, sealed, with_document
from tests.storage.hostile import refuse

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)
Y = np.arange(60) % 2
SMALL = {"hidden_layer_sizes": (4,), "random_state": 0, "batch_size": 20, "max_iter": 3}
SMALL["warm_start"] = "exact"
CASES = {
    "shared": {},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2},
    "in float64": {"batch_size": "auto"},
    "moving average": {"ema_decay": 0.9},
    "mean of epochs": {"swa_start": 0.4},
    "dropout": {"dropout": 0.2},
    "stopped in an epoch": {},
}


def fitted(name):
    model = DNNClassifier(**SMALL | CASES[name]).fit(X, Y)
    if "stopped" in name:
        model._resumable.rows_done, model._resumable.loss_sum = 20, 1.25
    return model


@pytest.mark.parametrize("name", CASES)
def test_it_comes_back_as_it_was(name, path):
    model = fitted(name)
    model.save(path)
    for twin in (
        fastdnn.load(path),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert twin._state == model._state
        assert twin._resumable == model._resumable
        is_shared = name in ("shared", "dropout", "stopped in an epoch")
        assert (twin._resumable.parameters is twin._state.parameters) == is_shared


def test_skops_needs_no_other_types():
    skops_io = pytest.importorskip("skops.io")
    model = fitted("early stopping")
    twin = skops_io.loads(skops_io.dumps(model), trusted=fastdnn.SKOPS_TRUSTED)
    assert twin._resumable == model._resumable


@pytest.mark.slow_without_jit
def test_the_same_is_stored_once(path):
    large = SMALL | {"hidden_layer_sizes": (5000,)}
    model = DNNClassifier(**large).fit(X, Y)
    plain = DNNClassifier(**large | {"warm_start": True}).fit(X, Y)
    plain.save(path)
    size = path.stat().st_size
    model.save(path)
    assert path.stat().st_size < size + 8000  # a random state, and eight bytes a row
    assert len(pickle.dumps(model)) < len(pickle.dumps(plain)) + 8000
    model.save(path, compact=True)
    assert path.stat().st_size < size / 2
    assert not hasattr(fastdnn.load(path), "_resumable")


def test_an_edited_network_has_nothing_to_go_on_from(path):
    model = fitted("moving average")
    model.coefs_[0] = model.coefs_[0] * 2
    model.save(path)
    twin = fastdnn.load(path)
    assert not hasattr(twin, "_resumable")
    assert twin._state.average is None
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


# -- damaged pickles ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"more": 1}, "_resumable must be a dict"),
        ({"theta": np.zeros(3)}, "theta has shape"),
        ({"theta": "other"}, "theta must be an array"),
        ({"theta": None}, "theta must be an array"),
        ({"best_theta": np.zeros(29)}, "best_theta must be an array of float32"),
        ({"best_theta": np.zeros(3, np.float32)}, "best_theta has shape"),
        ({"optimizer": 3}, "optimizer must be a dict"),
        ({"theta": np.zeros(29)}, "memory of the optimiser is of float32"),
        ({"optimizer": {"optimizer": "adam"}}, "optimizer must be a dict"),
        ({"random_state": 3}, "random_state=3 must be a RandomState"),
        ({"average": 3}, "average must be a dict"),
        ({"average": {"theta": None, "n_epochs": -1, "last": None}}, "n_epochs=-1"),
        ({"average": {"theta": None, "n_epochs": None, "last": None}}, "average must be an"),
        ({"order": np.arange(61)}, "order has rows beyond the 60"),
        ({"order": np.arange(-1, 59)}, "order has rows beyond"),
        ({"order": np.zeros(60, np.int64)}, "a row more than once"),
        ({"order": np.arange(60.0)}, "order must be an array of int64"),
        ({"order": np.zeros(0, np.int64)}, "not empty"),
        ({"order": [0, 1]}, "order must be an array"),
        ({"held_out": np.arange(5)}, "order and held_out have"),
        ({"n_rows": 2**70}, None),
        ({"n_rows": 2**62, "order": np.arange(2**40, 2**40 + 60)}, None),
        ({"n_rows": 59}, "beyond the 59"),
        ({"n_rows": -1}, "n_rows=-1"),
        ({"rows_done": 60}, "rows_done=60 must be below 60"),
        ({"rows_done": -1}, "rows_done=-1"),
        ({"order": None, "held_out": None, "rows_done": 1}, "rows_done=1"),
        ({"loss_sum": np.nan}, "loss_sum=nan"),
        ({"loss_sum": "a"}, "loss_sum='a'"),
    ],
)
def test_a_damaged_state_is_refused(changes, word):
    state = fitted("shared").__getstate__()
    state["_resumable"] = state["_resumable"] | changes
    twin = DNNClassifier.__new__(DNNClassifier)
    if word is None:  # the fit will say that X has not as many rows
        twin.__setstate__(state)
        with pytest.raises(ValueError, match="X has 60 samples"):
            twin.set_params(max_iter=5).fit(X, Y)
        return
    with pytest.raises(ValueError, match=f"{word}.*stored state is damaged"):
        twin.__setstate__(state)


def test_an_optimiser_that_is_not_there_is_not_the_same():
    state = fitted("shared").__getstate__()
    state["_optimizer_state"] = None
    with pytest.raises(ValueError, match="that of the model, which has none"):
        DNNClassifier.__new__(DNNClassifier).__setstate__(state)


# -- hostile files --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("contents"), {}
    for name in ("early stopping", "in float64", "moving average"):
        fitted(name).save(folder / "model")
        made[name] = (folder / "model").read_bytes()
    return made


STOPPED, WIDE, MOVING = "early stopping", "in float64", "moving average"


@pytest.mark.parametrize(
    ("name", "keys", "value", "match"),
    [
        (STOPPED, ("training",), [], "type"),
        (STOPPED, ("training", "n_rows"), 10, "beyond the 10 rows"),
        (STOPPED, ("training", "n_rows"), -1, "n_rows"),
        (STOPPED, ("training", "rows_done"), 48, "rows_done=48 must be below 48"),
        (STOPPED, ("training", "rows_done"), 2**63, "rows_done"),
        (STOPPED, ("training", "loss_sum"), "nan", "loss_sum"),
        (STOPPED, ("training", "n_order"), 60, "training.order"),
        (STOPPED, ("training", "n_order"), None, "does not belong"),
        (STOPPED, ("training", "n_order"), 0, "n_order"),
        (STOPPED, ("training", "n_held_out"), 2**62, "training.held_out"),
        (STOPPED, ("training", "dtype"), "float64", "float64"),
        (STOPPED, ("training", "has_theta"), 1, "has_theta"),
        (STOPPED, ("training", "has_best_theta"), False, "does not belong"),
        (STOPPED, ("training", "optimizer"), "other", "optimizer"),
        (STOPPED, ("training", "optimizer"), None, None),
        (STOPPED, ("training", "random_state"), None, "does not belong"),
        (STOPPED, ("training", "random_state", "position"), 625, "position"),
        (STOPPED, ("training", "more"), 1, "unknown"),
        (WIDE, ("training", "has_theta"), False, "is not that of the parameters"),
        (WIDE, ("training", "optimizer", "dtype"), "float32", "training.optimizer.memory"),
        (WIDE, ("training", "optimizer", "name"), "momentum", "training.optimizer.memory"),
        (WIDE, ("training", "optimizer", "learning_rate"), -1.0, "learning_rate"),
        (MOVING, ("average",), None, "does not belong"),
        (MOVING, ("average", "n_epochs"), 3, "average.theta"),
        (MOVING, ("average", "n_epochs"), -3, "n_epochs"),
        (MOVING, ("average", "has_last"), False, "does not belong"),
        (MOVING, ("training", "average"), {}, "lacks"),
    ],
)
def test_a_file_is_refused(name, keys, value, match, contents, path):
    def edit(header, document):
        part = document["fitted"]
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value

    content = with_document(contents[name], edit)
    if match is None:  # another model: its optimiser begins anew
        path.write_bytes(content)
        assert fastdnn.load(path)._resumable.optimizer is None
    else:
        refuse(path, content, match)


def test_every_name_is_needed(contents, path):
    for content in contents.values():
        document = json.loads(json.loads(parts_of(content)[0])["__metadata__"]["model"])
        for keys in (("training",), ("average",), ("training", "average")):
            names = document["fitted"]
            for key in keys:
                names = names.get(key) or {}
            for missing in names:

                def edit(header, document, keys=keys, missing=missing):
                    part = document["fitted"]
                    for key in keys:
                        part = part[key]
                    del part[missing]

                refuse(path, with_document(content, edit), "lacks")


def with_numbers(content, name, position, value):
    header, payload = parts_of(content)
    entry = json.loads(header)[name]
    types = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U32": "<u4"}
    begin, end = entry["data_offsets"]
    numbers = np.frombuffer(payload[begin:end], types[entry["dtype"]]).copy()
    numbers[position] = value
    return header, payload[:begin] + numbers.tobytes() + payload[end:]


@pytest.mark.parametrize(
    ("name", "tensor", "position", "value", "match"),
    [
        (STOPPED, "training.order", 0, 60, "beyond the 60"),
        (STOPPED, "training.order", 0, -1, "beyond the 60"),
        (STOPPED, "training.order", slice(None), 3, "more than once"),
        (STOPPED, "training.held_out", 0, 2**62, "held_out has rows beyond"),
        (STOPPED, "training.theta", 0, np.nan, "training.theta has NaN"),
        (STOPPED, "training.best_theta", 0, np.inf, "training.best_theta has NaN"),
        (STOPPED, "training.random_state.key", slice(None), 0, "all zeros"),
        (WIDE, "training.optimizer.memory", -1, -1.0, "second moment below zero"),
        (WIDE, "training.optimizer.memory", 0, np.nan, "training.optimizer.memory has NaN"),
        (MOVING, "average.theta", 0, np.nan, "average.theta has NaN"),
        (MOVING, "training.average.theta", 0, np.nan, "training.average.theta has NaN"),
    ],
)
def test_numbers_are_refused(name, tensor, position, value, match, contents, path):
    refuse(path, sealed(*with_numbers(contents[name], tensor, position, value)), match)
