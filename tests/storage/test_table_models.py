"""Model files of table estimators: everything is kept, and nothing damaged is taken."""

import json
import random
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

import fastdnn
from fastdnn import ModelFileError
from fastdnn.storage import schema
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from scripts.corrupt_files import damaged, parts_of, sealed, with_document, write_anew
from tests.storage.hostile import refuse

SMALL = dict(n_members=2, hidden_layer_sizes=(4,), max_epochs=4, random_state=0)


def table(n_rows=200):
    """Return a table with columns of all kinds."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(size=n_rows),
            "age": np.where(rng.random(n_rows) < 0.1, np.nan, rng.exponential(size=n_rows)),
            "größe": rng.choice(["klein", "groß", "红", ""], n_rows),
            "kind": pd.Categorical(rng.choice([1, 2.5, True, "a"], n_rows)),
            "city": [f"c{i}" for i in rng.integers(0, 90, n_rows)],
            "when": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 9999, n_rows), unit="h"),
            "good": pd.array(rng.choice([True, False, None], n_rows), dtype="boolean"),
            "one": 1,
        }
    )


X = table()
Y = X["size"].to_numpy() + (X["größe"] == "groß")
MODELS = {
    "strings": lambda: TabularDNNClassifier(**SMALL).fit(X, np.where(Y > 0.5, "hoch", "红")),
    "classes": lambda: TabularDNNClassifier(
        **SMALL | {"hidden_layer_sizes": (4, 3), "activation": "silu"},
        class_weight={3: 1.0, 5: 2.0, 9: 0.5},
    ).fit(X, np.array([3, 5, 9])[np.arange(200) % 3]),
    "polars": lambda: TabularDNNClassifier(**SMALL, validation=None).fit(
        pl.DataFrame({"a": X["size"].to_list(), "b": X["city"].to_list()}), Y > 0.5
    ),
    "array": lambda: TabularDNNRegressor(
        **SMALL | {"random_state": np.random.RandomState(3)},
        categorical_features=np.array([False, True]),
        scoring="neg_mean_absolute_error",
        callbacks=[lambda progress: None],
    ).fit(np.column_stack([Y, np.arange(200) % 3]), Y),
    "two targets": lambda: TabularDNNRegressor(**SMALL | {"n_members": 1}, dropout=0.1).fit(
        X, np.column_stack([Y, -Y * 1e6])
    ),
    "no hidden layer": lambda: TabularDNNRegressor(
        **SMALL | {"hidden_layer_sizes": ()}, early_stopping=False
    ).fit(X, Y),
    "X_val": lambda: TabularDNNRegressor(**SMALL, numeric_encoding="linear").fit(
        X[:100], Y[:100], X_val=X[100:], y_val=Y[100:]
    ),
    "unfitted": lambda: TabularDNNClassifier(
        max_time=2, validation=30, class_weight="balanced"
    ),
}
pytestmark = pytest.mark.slow_without_jit


@pytest.fixture(scope="module")
def model_of():
    """Return a function for a fitted model; each is fitted once."""
    made: dict = {}

    def of_kind(kind):
        if kind not in made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made[kind] = MODELS[kind]()
        return made[kind]

    return of_kind


def rows_of(model):
    """Return a table that a model predicts, with levels that it does not know."""
    if not hasattr(model, "feature_names_in_"):
        return np.column_stack([Y, np.arange(200) % 5])
    if model.n_features_in_ == 2:
        return pl.DataFrame({"a": X["size"].to_list(), "b": ["other", *X["city"][1:]]})
    return X.assign(city=["other", None, *X["city"][2:]])


@pytest.mark.parametrize("kind", MODELS)
def test_everything_is_kept(kind, model_of, path, tmp_path):
    model = model_of(kind)
    model.save(path)
    same = fastdnn.load(path)
    assert type(same) is type(model)
    mine, theirs = (dict(m.get_params(), callbacks=None) for m in (model, same))
    if kind == "array":
        mine["categorical_features"] = [False, True]
        states = [each.pop("random_state").get_state()[1] for each in (mine, theirs)]
        assert_array_equal(*states)
    assert mine == theirs
    same.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    if kind == "unfitted":
        return
    rows = rows_of(model)
    assert_array_equal(same.predict_members(rows), model.predict_members(rows))
    assert_array_equal(same.predict(rows), model.predict(rows))
    for name in ("cycle_weights_", "temperatures_", "validation_scores_", "n_epochs_"):
        assert_array_equal(getattr(same, name), getattr(model, name))
    assert_array_equal(
        getattr(same, "feature_names_in_", []), getattr(model, "feature_names_in_", [])
    )
    ours, theirs = same.encoder_, model.encoder_
    assert_array_equal(ours.get_feature_names_out(), theirs.get_feature_names_out())
    assert ours.dropped_ == theirs.dropped_
    other = np.zeros((3, 9)) if kind == "array" else pd.DataFrame({"other": [1.0]})
    with pytest.raises(ValueError, match="feature"):
        same.predict(other)


@pytest.mark.parametrize("Estimator", [TabularDNNClassifier, TabularDNNRegressor])
def test_the_schema_knows_every_parameter(Estimator):
    described = schema.schemas()[Estimator.__name__]["properties"]["parameters"]["properties"]
    assert list(described) == list(Estimator().get_params(deep=False)) or set(
        described
    ) == set(Estimator().get_params())
    for name, constraints in Estimator._parameter_constraints.items():
        for constraint in constraints:
            for option in getattr(constraint, "options", ()):
                assert repr(option) in str(described[name]), (name, option)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (dict(scoring=len), "scoring=.* is an object of Python"),
        (dict(validation=[([0, 1], [2, 3])]), "validation=.* is an object of Python"),
        (dict(n_members=0), "'n_members' parameter"),
    ],
)
def test_what_a_file_cannot_hold_is_said(change, match, path):
    with pytest.raises(ModelFileError, match=match):
        TabularDNNRegressor(**change).save(path)
    assert not path.exists()


def test_unknown_attributes_are_not_lost_silently(model_of, path):
    model = model_of("X_val")
    model.note_ = "mine"
    try:
        with pytest.raises(ModelFileError, match=r"the model has \['note_'\]"):
            model.save(path)
    finally:
        del model.note_


class Own(TabularDNNRegressor):
    """A class of a user's own."""


def test_classes_of_the_users_own_are_refused(path):
    with pytest.raises(ModelFileError, match="Own is a class of your own"):
        Own().save(path)


# -- damage -------------------------------------------------------------------------------


@pytest.fixture
def content(model_of, path):
    """Return a function for the file of a kind of model."""

    def of_kind(kind):
        model_of(kind).save(path)
        return path.read_bytes()

    return of_kind


def with_tensor(content, name, edit):
    """Return a sealed file with another content of a tensor, of the same size."""
    header, payload = parts_of(content)
    entry = json.loads(header)[name]
    start, end = entry["data_offsets"]
    dtype = {"F64": "f8", "F32": "f4", "I64": "i8", "U8": "u1", "U32": "u4"}[entry["dtype"]]
    values = np.frombuffer(payload[start:end], dtype).reshape(entry["shape"]).copy()
    edit(values)
    return sealed(header, payload[:start] + values.tobytes() + payload[end:])


def put(value, *at):
    """Return an edit that puts a number somewhere; everywhere without a place."""

    def edit(values):
        values[at or ...] = value

    return edit


def swap(values):
    """Exchange first and last."""
    values[[0, -1]] = values[[-1, 0]]


@pytest.mark.parametrize(
    ("name", "edit", "match"),
    [
        ("encoders", put(7, 0, 0), "encoders has"),
        ("encoders", put(1, 0, 0), "encoders has"),
        ("encoders", put(-1, 0, 1), "encoders has"),
        ("encoders", put(99, 0, 1), "encoders has"),
        ("encoders", put(3, 0, 2), "encoders has"),
        ("encoders", put(-4, 0, 3), "encoders has"),
        ("encoders", put(2**62, 0, 3), "do not ascend"),
        ("encoders", put(64, 0, 4), "encoders has"),
        ("encoders", swap, "encoder"),
        ("numbers", put(np.nan), "numbers has NaN"),
        ("numbers", put(0.0), "the scale of 'size' is 0"),
        ("edges", put(np.inf, 0), "edges has NaN or infinity"),
        ("edges", put(0.0), "do not ascend"),
        ("means", put(np.nan, 0), "means has NaN"),
        ("columns.kinds", put(3, 0), "columns.kinds has codes"),
        ("columns.kinds", put(0), "encoders has"),
        ("columns.words", put(9, 0), "columns.words has codes"),
        ("columns.ends", put(-1, 0), "columns.ends do not cut"),
        ("columns.ends", put(2**40, 0), "columns.ends do not cut"),
        ("columns.ends", put(0, -1), "columns.ends do not cut"),
        ("columns.text", put(255, 0), "columns.text is no text"),
        ("dropped.ends", put(1000, 0), "dropped.ends do not cut"),
        ("levels.kinds", put(5, 0), "levels.kinds has codes"),
        ("levels.kinds", put(0), "are not each there once"),
        ("levels.floats", put(np.nan, 0), "levels.floats has NaN"),
        ("levels.text", put(128), "levels.text is no text"),
        ("levels.ends", put(-5, 3), "levels.ends do not cut"),
        ("networks", put(np.nan, 0, 3), "networks has NaN"),
        ("cycles", put(-1.0, 0, 0), "no weights of a mean"),
        ("cycles", put(0.0), "no weights of a mean"),
        ("cycles", put(0.0, 0, 1), "temperature is not positive"),
        ("targets", put(0.0, 1), "limits of the targets"),
        ("targets", put(1e9, 2), "limits of the targets"),
    ],
)
def test_impossible_numbers_are_refused(name, edit, match, content, tmp_path):
    changed = with_tensor(content("two targets"), name, edit)
    refuse(tmp_path / "other", changed, match)


@pytest.mark.parametrize(
    ("kind", "keys_and_value", "match"),
    [
        ("X_val", ("class", "TableEncoder"), "class='TableEncoder' must be one of"),
        ("X_val", ("class", "DNNRegressor"), "lacks|unknown"),
        ("X_val", ("class", "TabularDNNClassifier"), "class_weight"),
        ("X_val", ("fitted", None), "does not belong to the model"),
        ("unfitted", ("fitted", {}), "lacks"),
        ("X_val", ("parameters", "callbacks", ["os.system"]), "callbacks"),
        ("X_val", ("parameters", "scoring", "os.system"), None),
        ("X_val", ("parameters", "validation", 0), "validation"),
        ("X_val", ("parameters", "n_members", 0), "n_members"),
        ("X_val", ("parameters", "early_stopping", 1), "early_stopping"),
        ("X_val", ("parameters", "random_state", {"position": 1}), "random_state"),
        ("X_val", ("fitted", "n_members", 2**40), "networks"),
        ("X_val", ("fitted", "n_columns", 2**62), "columns"),
        ("X_val", ("fitted", "n_kept", 3), "networks"),
        ("X_val", ("fitted", "layer_sizes", [3, 1]), "networks"),
        ("X_val", ("fitted", "activation", "softmax"), "activation"),
        ("X_val", ("fitted", "is_single", 3), "is_single"),
        ("two targets", ("fitted", "is_single", True), "not a single one"),
        ("strings", ("fitted", "classes", {"kind": "str", "width": 4, "count": 9}), "classes"),
        ("strings", ("fitted", "classes", {"kind": "pickle"}), "classes"),
        ("strings", ("note", 1), "unknown"),
    ],
)
def test_impossible_documents_are_refused(kind, keys_and_value, match, content, tmp_path):
    *keys, last, value = keys_and_value

    def edit(header, document):
        for key in keys:
            document = document[key]
        document[last] = value

    changed = with_document(content(kind), edit)
    if match is None:  # a name that is no scorer is refused by the next fit
        write_anew(tmp_path / "other", changed)
        with pytest.raises(ValueError, match="there is no scorer"):
            fastdnn.load(tmp_path / "other").fit(X, Y)
        return
    refuse(tmp_path / "other", changed, match)


@pytest.mark.parametrize("kind", ["classes", "two targets", "array"])
def test_random_damage(kind, content, model_of, tmp_path):
    """It is refused, or gives a model that predicts or says why not."""
    original, draw, n_refused = content(kind), random.Random(kind), 0
    rows = rows_of(model_of(kind))[:5]
    for i in range(150):
        path = tmp_path / f"{i}"
        write_anew(path, damaged(draw, original))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = fastdnn.load(path)
        except ModelFileError:
            n_refused += 1
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model.predict(rows)
            except ValueError as error:
                assert str(error) != ""
    assert n_refused > 75
