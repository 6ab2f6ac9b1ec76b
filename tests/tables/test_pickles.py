"""Pickles, copies and files of skops have plain data, and predict the same."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import fastdnn
from fastdnn import DNNClassifier
from fastdnn.tables import TableEncoder, TabularDNNClassifier, TabularDNNRegressor

skops_io = pytest.importorskip("skops.io")

N_ROWS = 120
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "size": RNG.normal(size=N_ROWS),
        "colour": RNG.choice(["red", "green", None], N_ROWS),
        "street": [f"street {i}" for i in RNG.integers(0, 80, N_ROWS)],
        "code": pd.Categorical(RNG.integers(0, 4, N_ROWS)),
        "day": pd.date_range("2024-01-01", periods=N_ROWS),
    }
)
Y = TABLE["size"].to_numpy() + RNG.normal(size=N_ROWS)
SHORT = {"max_epochs": 2, "hidden_layer_sizes": (4,), "random_state": 0, "n_threads": 1}

WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "skops": lambda model: skops_io.loads(
        skops_io.dumps(model), trusted=fastdnn.SKOPS_TRUSTED
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_encoders(way):
    encoder = TableEncoder(max_levels=8).fit(TABLE, Y)
    encoder.own = "of a user"
    same = WAYS[way](encoder)
    assert set(vars(same)) == set(vars(encoder))
    assert same.own == "of a user"
    assert_array_equal(same.transform(TABLE), encoder.transform(TABLE))
    assert_array_equal(same.get_feature_names_out(), encoder.get_feature_names_out())
    assert same.fit(TABLE, Y) is same


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bagging", [None, "folds"])
def test_classifiers(way, bagging):
    options = {"n_members": 2, "bagging": bagging, "class_weight": "balanced"}
    y = np.where(Y > 1.0, "large", np.where(Y > -0.5, "medium", "small"))
    model = TabularDNNClassifier(**options, **SHORT).fit(TABLE, y)
    model.own = 3
    same = WAYS[way](model)
    assert set(vars(same)) == set(vars(model))
    assert same.own == 3
    assert_array_equal(same.predict_proba(TABLE), model.predict_proba(TABLE))
    assert_array_equal(same.predict(TABLE), model.predict(TABLE))
    assert_array_equal(same._class_weight, model._class_weight)
    if bagging:
        assert_array_equal(same.oof_prediction_, model.oof_prediction_)
        assert same.oof_score_ == model.oof_score_
        assert_array_equal(same.predict_set(TABLE), model.predict_set(TABLE))


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("way", WAYS)
def test_regressors(way):
    for y in (Y, np.column_stack([Y, -Y])):
        model = TabularDNNRegressor(n_members=1, **SHORT).fit(TABLE, y)
        same = WAYS[way](model)
        assert set(vars(same)) == set(vars(model))
        assert_array_equal(same.predict(TABLE), model.predict(TABLE))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_fitted(way):
    for model in (TableEncoder(n_bins=3), TabularDNNRegressor(n_members=3)):
        same = WAYS[way](model)
        assert same.get_params() == model.get_params()
        assert set(vars(same)) == set(vars(model))
        assert clone(same).get_params() == model.get_params()


@pytest.mark.slow_without_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_encoders_before_networks():
    network = DNNClassifier((4,), max_iter=2, random_state=0)
    model = make_pipeline(TableEncoder(), network).fit(TABLE, Y > 0.0)
    same = WAYS["skops"](model)
    assert_array_equal(same.predict_proba(TABLE), model.predict_proba(TABLE))


def test_what_was_changed_is_not_taken():
    encoder = TableEncoder().fit(TABLE, Y)
    state = encoder.__getstate__()
    state["_arrays"] = state["_arrays"] | {"edges": -state["_arrays"]["edges"]}
    with pytest.raises(ValueError, match="do not ascend"):
        TableEncoder().__setstate__(state)
