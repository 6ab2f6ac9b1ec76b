"""Members that leave folds out: what they predict of these, and intervals and sets of that."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_classification
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split

import fastdnn
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from fastdnn.tables.members import Member
from tests.tables.tables import BOTH, SMALL, outputs, table, targets

SMALLER = SMALL | {"hidden_layer_sizes": (4,), "max_epochs": 4}
FOLDS = SMALLER | {"n_members": 3, "bagging": "folds"}


def fitted(Estimator, n_rows=300, **options):
    X, y = table(n_rows)
    y = targets(Estimator, y)
    return Estimator(**FOLDS | options).fit(X, y), X, y


def truth_is_in(model, X, y, level=0.9):
    """Return for each sample whether an interval or a set holds the truth."""
    if isinstance(model, TabularDNNRegressor):
        low, high = model.predict_interval(X, level)
        return (low <= y) & (y <= high)
    is_in = model.predict_set(X, level)
    return is_in[np.arange(len(y)), np.searchsorted(model.classes_, y)]


@BOTH
def test_each_row_is_predicted_by_the_member_that_left_it_out(Estimator):
    model, X, y = fitted(Estimator)
    same = outputs(model, X) == model.oof_prediction_
    is_same = same.reshape(3, len(X), -1).all(axis=2)
    assert_array_equal(is_same.sum(axis=0), np.ones(len(X)))
    assert_array_equal(is_same.sum(axis=1), [100, 100, 100])
    if Estimator is TabularDNNClassifier:
        labels = model.classes_[model.oof_prediction_.argmax(axis=1)]
        assert model.oof_score_ == accuracy_score(y, labels)
        counts = [(y[left_out] == "high").sum() for left_out in is_same]
        assert max(counts) - min(counts) <= 1
    else:
        assert model.oof_score_ == pytest.approx(r2_score(y, model.oof_prediction_))


@pytest.mark.slow_without_jit
@BOTH
def test_results_do_not_depend_on_threads(Estimator):
    first, X, _ = fitted(Estimator, n_threads=1)
    for n_threads in (2, None):
        model, _, _ = fitted(Estimator, n_threads=n_threads)
        assert_array_equal(outputs(model, X), outputs(first, X))
        assert_array_equal(model.oof_prediction_, first.oof_prediction_)


def test_members_train_on_one_table(monkeypatch):
    seen, real = [], Member.__init__

    def begin(self, recipe, samples, *others):
        seen.append(samples)
        real(self, recipe, samples, *others)

    monkeypatch.setattr(Member, "__init__", begin)
    fitted(TabularDNNRegressor)
    assert len(seen) == 3  # and no pilot
    assert all(np.shares_memory(samples.X, seen[0].X) for samples in seen)
    assert all(samples.n_rows == 200 for samples in seen)


@BOTH
@pytest.mark.parametrize("scoring", [None, "loss"])
def test_what_was_left_out_decides_about_cycles(Estimator, scoring):
    model, _, _ = fitted(Estimator, scoring=scoring)
    assert 3 <= len(model.validation_scores_) <= 4
    assert model.cycle_weights_.sum() == pytest.approx(1.0)
    assert np.isfinite(model.validation_scores_).all()


@pytest.mark.slow_without_jit
@BOTH
def test_weights_count_for_scores_and_rows_of_none_are_left_out(Estimator):
    X, y = table(300)
    y = targets(Estimator, y)
    weight = np.linspace(0.5, 2.0, 300)
    weight[::10] = 0.0
    options = FOLDS | ({"class_weight": "balanced"} if "Class" in Estimator.__name__ else {})
    model = Estimator(**options).fit(X, y, sample_weight=weight)
    is_known = np.isfinite(model.oof_prediction_).reshape(300, -1).all(axis=1)
    assert_array_equal(is_known, weight > 0.0)
    predicted = model.oof_prediction_[is_known]
    score, truth = r2_score, y[is_known]
    if Estimator is TabularDNNClassifier:
        score, predicted = accuracy_score, model.classes_[predicted.argmax(axis=1)]
    expected = score(truth, predicted, sample_weight=weight[is_known])
    assert model.oof_score_ == pytest.approx(expected)


@pytest.mark.slow_without_jit
def test_several_targets_have_intervals_of_their_own():
    X, y = load_diabetes(return_X_y=True)
    model = TabularDNNRegressor(**FOLDS).fit(X, np.column_stack([y, 1000.0 * y]))
    assert model.oof_prediction_.shape == (len(X), 2)
    low, high = model.predict_interval(X)
    assert low.shape == (len(X), 2)
    width = (high - low).mean(axis=0)
    assert 500.0 < width[1] / width[0] < 2000.0


@pytest.mark.slow_without_jit
def test_a_class_of_one_sample():
    X, y = load_iris(return_X_y=True)
    model = TabularDNNClassifier(**FOLDS).fit(X, np.r_[y[:-1], 7])
    assert model.oof_prediction_.shape == (150, 4)
    assert model.predict_set(X).shape == (150, 4)


@BOTH
@pytest.mark.parametrize("given", ["folds", "X_val"])
def test_copies_and_files_have_intervals_and_sets(Estimator, given, tmp_path):
    X, y = table(300)
    y = targets(Estimator, y)
    if given == "folds":
        model = Estimator(**FOLDS).fit(X, y)
    else:
        model = Estimator(**SMALLER).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    model.save(tmp_path / "model")
    for same in (pickle.loads(pickle.dumps(model)), fastdnn.load(tmp_path / "model")):
        for level in (0.5, 0.9):
            expected = truth_is_in(model, X, y, level)
            assert_array_equal(truth_is_in(same, X, y, level), expected)
    again = tmp_path / "again"
    fastdnn.load(tmp_path / "model").save(again)
    assert again.read_bytes() == (tmp_path / "model").read_bytes()


@pytest.mark.slow_without_jit
@BOTH
def test_a_fit_forgets_what_the_one_before_knew(Estimator):
    model, X, y = fitted(Estimator)
    model.set_params(bagging=None).fit(X, y)
    for name in ("oof_prediction_", "oof_score_"):
        assert not hasattr(model, name)
    with pytest.raises(ValueError, match="knows no errors on samples"):
        truth_is_in(model, X, y)


@BOTH
@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({"n_members": 1}, {}, "bagging='folds' needs n_members of 2 at least"),
        ({}, {"X_val": 1}, "bagging='folds' decides by .* but X_val was given, too"),
        ({"n_members": 500}, {}, "n_members=500 with bagging='folds' needs as many samples"),
        ({"bagging": "rows"}, {}, "'bagging' parameter"),
    ],
    ids=str,
)
def test_what_folds_cannot_be_is_refused(Estimator, options, given, message):
    X, y = table(60)
    y = targets(Estimator, y)
    if given:
        given = {"X_val": X, "y_val": y}
    with pytest.raises(ValueError, match=message):
        Estimator(**FOLDS | options).fit(X, y, **given)


def with_many_levels(n_rows=1500):
    """Return categories that are encoded by means of the target, and targets with noise."""
    rng = np.random.default_rng(0)
    codes, x = rng.integers(0, 200, n_rows), rng.normal(size=n_rows)
    X = pd.DataFrame({"level": [f"l{code}" for code in codes], "x": x})
    return X, rng.normal(size=200)[codes] + x + rng.normal(size=n_rows)


DATA = {
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "many levels": with_many_levels,
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "doubtful": lambda: make_classification(
        1500, 10, n_informative=5, n_classes=4, flip_y=0.2, random_state=0
    ),
}


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("way", ["folds", "validation"])
@pytest.mark.parametrize("name", DATA)
def test_as_much_is_covered_as_asked_for(name, way):
    X, y = DATA[name]()
    is_numbers = y.dtype.kind == "f"
    Estimator = TabularDNNRegressor if is_numbers else TabularDNNClassifier
    options = {"hidden_layer_sizes": (32,), "max_epochs": 20, "n_members": 5}
    shares = []
    for seed in range(8):
        X_fit, X_test, y_fit, y_test = train_test_split(X, y, test_size=0.4, random_state=seed)
        model, given = Estimator(**options, random_state=seed), {}
        if way == "folds":
            model.set_params(bagging="folds")
        else:
            X_fit, X_val, y_fit, y_val = train_test_split(
                X_fit, y_fit, test_size=0.4, random_state=seed
            )
            given = {"X_val": X_val, "y_val": y_val}
        is_in = truth_is_in(model.fit(X_fit, y_fit, **given), X_test, y_test)
        shares.append(is_in.mean())
    assert np.mean(shares) == pytest.approx(0.9, abs=0.02)
