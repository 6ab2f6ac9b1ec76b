"""What scikit-learn does with estimators works with those of tables."""

import io
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingRegressor
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FunctionTransformer, make_pipeline

from fastdnn.tables import TableEncoder, TabularDNNClassifier, TabularDNNRegressor
from tests.tables.tables import BOTH, SMALL, outputs, table, targets

pytestmark = pytest.mark.slow_without_jit
QUICK = SMALL | dict(max_epochs=20, hidden_layer_sizes=(8,))
X, NUMBERS = table(200)
LABELS = targets(TabularDNNClassifier, NUMBERS)


def classifier(**settings):
    return TabularDNNClassifier(**QUICK | settings)


def regressor(**settings):
    return TabularDNNRegressor(**QUICK | settings)


@BOTH
def test_copies_of_all_kinds_predict_the_same(Estimator, tmp_path):
    y = targets(Estimator, NUMBERS)
    model = Estimator(**QUICK, verbose=0).fit(X, y)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    model.save(tmp_path / "model")
    for same in (pickle.loads(pickle.dumps(model)), joblib.load(file)):
        assert_array_equal(outputs(same, X), outputs(model, X))
        assert_array_equal(outputs(same.fit(X, y), X), outputs(model, X))
    again = clone(model)
    assert not hasattr(again, "encoder_")
    assert again.get_params() == model.get_params()
    assert_array_equal(outputs(again.fit(X, y), X), outputs(model, X))


def test_all_table_libraries_give_the_same():
    whole = X.assign(colour=X["colour"].astype(str))
    as_polars = pl.DataFrame({name: whole[name].to_list() for name in whole})
    as_objects = whole.to_numpy(dtype=object)
    by_pandas = classifier().fit(whole, LABELS)
    for other in (as_polars, as_objects):
        assert_array_equal(
            classifier().fit(other, LABELS).predict_proba(other),
            by_pandas.predict_proba(whole),
        )
    assert_array_equal(by_pandas.predict(as_polars), by_pandas.predict(whole))
    y = pl.Series(LABELS.tolist())
    assert_array_equal(
        classifier().fit(as_polars, y).predict_proba(as_polars), by_pandas.predict_proba(whole)
    )


def test_targets_of_pandas_types():
    expected = classifier().fit(X, LABELS).predict_proba(X)
    for y in (
        pd.Series(LABELS, index=np.arange(200)[::-1]),
        pd.Series(LABELS, dtype="string"),
        pd.Categorical(LABELS),
        pd.Series(LABELS, dtype="category"),
        LABELS.tolist(),
    ):
        assert_array_equal(classifier().fit(X, y).predict_proba(X), expected)
    whole = pd.array(np.arange(200) % 3, dtype="Int64")
    assert classifier().fit(X, whole).classes_.tolist() == [0, 1, 2]
    assert regressor().fit(X, pd.array(NUMBERS, dtype="Float64")).predict(X).shape == (200,)


def test_pipelines_and_searches():
    pipeline = make_pipeline(
        FunctionTransformer(lambda X: X.assign(twice=2.0 * X["size"] + X["age"])),
        classifier(),
    )
    assert pipeline.fit(X, LABELS).score(X, LABELS) > 0.6
    grid = {"tabulardnnclassifier__dropout": [0.0, 0.2]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, LABELS)
    assert search.best_score_ > 0.6
    steps = TableEncoder(), VarianceThreshold(), SelectKBest(k=3), LogisticRegression()
    selected = make_pipeline(*steps)
    assert selected.fit(X, LABELS).score(X, LABELS) > 0.7


def test_calibration_stacking_and_voting():
    calibrated = CalibratedClassifierCV(classifier(), cv=2).fit(X, LABELS)
    assert calibrated.score(X, LABELS) > 0.6
    # Arrays, since scikit-learn's bagging makes them of frames.
    Z = TableEncoder().fit_transform(X)
    stack = StackingClassifier(
        [("ours", classifier()), ("theirs", LogisticRegression())], cv=2
    )
    assert stack.fit(Z, LABELS).score(Z, LABELS) > 0.7
    vote = VotingRegressor([("ours", regressor()), ("theirs", Ridge())])
    assert vote.fit(Z, NUMBERS).score(Z, NUMBERS) > 0.3
    bagging = BaggingClassifier(classifier(), n_estimators=2, random_state=0)
    assert bagging.fit(Z, LABELS).score(Z, LABELS) > 0.6
    assert OneVsRestClassifier(classifier()).fit(X, LABELS).score(X, LABELS) > 0.6
    logs = TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp)
    assert (logs.fit(X, np.exp(NUMBERS)).predict(X) > 0.0).all()


def test_cross_validation_and_importances():
    P = cross_val_predict(classifier(), X, LABELS, cv=3, method="predict_proba")
    assert_allclose(P.sum(axis=1), 1.0)
    scores = cross_validate(
        classifier(), X, LABELS, cv=2, scoring=["roc_auc", "neg_log_loss"], error_score="raise"
    )
    assert np.isfinite(scores["test_neg_log_loss"]).all()
    model = regressor(max_epochs=40).fit(X, NUMBERS)
    found = permutation_importance(model, X, NUMBERS, n_repeats=2, random_state=0)
    assert found.importances_mean[[0, 2]].min() > 0.05


def test_containers_that_are_asked_for_everywhere_change_nothing():
    expected = classifier().fit(X, LABELS).predict_proba(X)
    for kind in ("pandas", "polars"):
        with sklearn.config_context(transform_output=kind):
            assert_array_equal(classifier().fit(X, LABELS).predict_proba(X), expected)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_encoders_return_the_containers_that_are_asked_for(kind):
    encoder = TableEncoder().set_output(transform=kind)
    Z = encoder.fit_transform(X)
    assert type(Z).__module__.startswith(kind)
    assert list(Z.columns) == list(encoder.get_feature_names_out())
    assert_array_equal(Z.to_numpy(), TableEncoder().fit_transform(X))
    many = pd.DataFrame({f"c{j}": (np.arange(3000) % 55).astype(str) for j in range(3)})
    many = pd.concat([many.add_prefix(f"{j}") + f"{j}" for j in range(4)], axis=1)
    shuffled = many.apply(lambda c: c.sample(frac=1.0, random_state=1).to_numpy())
    wide = pd.concat([many, shuffled.add_prefix("s")], axis=1)
    assert type(encoder.fit_transform(wide)).__module__.startswith(kind)


def test_metadata_is_routed():
    weight = np.r_[np.ones(100), np.full(100, 2.0)]
    rows = slice(0, 150), slice(150, 200)
    expected = regressor().fit(
        X[rows[0]], NUMBERS[rows[0]], weight[rows[0]],
        X_val=X[rows[1]], y_val=NUMBERS[rows[1]], sample_weight_val=weight[rows[1]],
    )  # fmt: skip
    with sklearn.config_context(enable_metadata_routing=True):
        model = regressor().set_fit_request(
            sample_weight=True, X_val=True, y_val=True, sample_weight_val=True
        )
        pipeline = make_pipeline(
            FunctionTransformer(lambda X: X.assign(size=-X["size"])),
            model,
            transform_input=["X_val"],
        )
        pipeline.fit(
            X[rows[0]].assign(size=-X["size"][rows[0]]), NUMBERS[rows[0]],
            sample_weight=weight[rows[0]], X_val=X[rows[1]].assign(size=-X["size"][rows[1]]),
            y_val=NUMBERS[rows[1]], sample_weight_val=weight[rows[1]],
        )  # fmt: skip
        assert_array_equal(outputs(pipeline[-1], X), outputs(expected, X))
        splits = StratifiedKFold(2)
        cross_validate(
            classifier().set_fit_request(sample_weight=True).set_score_request(
                sample_weight=True
            ),
            X, LABELS, cv=splits, params={"sample_weight": weight}, error_score="raise",
        )  # fmt: skip


def test_spread_of_the_members():
    mean, deviation = regressor().fit(X, NUMBERS).predict(X, return_std=True)
    assert mean.shape == deviation.shape == (200,)
    assert (deviation >= 0.0).all()
