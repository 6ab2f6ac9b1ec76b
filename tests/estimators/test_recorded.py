"""Fitted attributes that are as long as training, and the table of all epochs."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neural_network import MLPClassifier

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(2)
X = RNG.normal(size=(90, 4))
Y = (X[:, 0] > 0).astype(int)
SMALL = dict(hidden_layer_sizes=(5,), random_state=0, batch_size=30)
COLUMNS = ["epoch", "loss", "learning_rate", "seconds", "n_samples"]


def same_but_for_time(one, other):
    """Compare two tables, of which NaN equals NaN."""
    assert one.keys() == other.keys()
    for name in one.keys() - {"seconds"}:
        assert_array_equal(one[name], other[name])


def test_a_table_has_a_row_for_each_epoch():
    model = DNNClassifier(**SMALL, max_iter=7).fit(X, Y)
    table = model.history_
    assert list(table) == COLUMNS
    assert table["epoch"] == [1, 2, 3, 4, 5, 6, 7]
    assert table["loss"] == model.loss_curve_
    assert table["learning_rate"] == [0.001] * 7
    assert table["n_samples"] == [90 * k for k in range(1, 8)]
    assert all(seconds > 0.0 for seconds in table["seconds"])
    assert {len(column) for column in table.values()} == {7}
    pd = pytest.importorskip("pandas")
    assert pd.DataFrame(table).shape == (7, 5)


def test_rates_are_those_of_the_first_steps():
    model = DNNClassifier(**SMALL, solver="sgd", max_iter=3, learning_rate="invscaling")
    rates = model.fit(X, Y).history_["learning_rate"]
    assert_allclose(rates, 0.001 / np.sqrt([1.0, 91.0, 181.0]))


def test_it_grows_over_partial_fit_and_warm_starts():
    model = DNNClassifier(**SMALL, warm_start=True, max_iter=2).fit(X, Y)
    model.partial_fit(X[:30], Y[:30])
    model.fit(X, Y, X_val=X[:40], y_val=Y[:40])
    model.set_params(early_stopping=True, validation_fraction=0.5, max_iter=1).fit(X, Y)
    table = model.history_
    assert table["loss"] == model.loss_curve_
    assert table["epoch"] == [1, 2, 3, 4, 5, 6]
    assert table["n_samples"] == [90, 180, 210, 300, 390, 435]
    assert np.isnan(table["validation_loss"]).tolist() == [True] * 3 + [False] * 3
    assert table["validation_loss"][3:] == model.validation_loss_curve_
    assert table["validation_score"][3:] == model.validation_scores_
    same_but_for_time(model.fit(X, Y).set_params(warm_start=False).history_, model.history_)


def test_what_is_read_is_a_copy():
    model = DNNClassifier(**SMALL, max_iter=2).fit(X, Y)
    for name in ("loss_curve_", "history_"):
        getattr(model, name).clear()
        assert len(getattr(model, name)) > 1
    model.history_["loss"].append(3.0)
    assert len(model.history_["loss"]) == 2


def test_before_a_fit_there_are_none():
    model = DNNClassifier()
    for name in ("loss_curve_", "validation_scores_", "validation_loss_curve_", "history_"):
        with pytest.raises(AttributeError, match=f"'DNNClassifier' object has no .* '{name}'"):
            getattr(model, name)


def test_l_bfgs_leaves_no_curves_as_scikit_learns_does():
    model = DNNRegressor(**SMALL | dict(solver="lbfgs", batch_size="auto", max_iter=4))
    model.fit(X, X[:, 0])
    for name in ("loss_curve_", "validation_scores_", "validation_loss_curve_"):
        assert not hasattr(model, name)
    table = model.history_
    assert list(table) == COLUMNS and table["epoch"] == [1, 2, 3, 4]
    assert np.isnan(table["learning_rate"]).all()
    assert np.all(np.diff(table["loss"]) < 0) and table["loss"][-1] == model.loss_
    assert np.all(np.diff(table["n_samples"]) >= 90)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's, without JIT
def test_a_call_that_fails_adds_nothing():
    model = DNNClassifier(**SMALL, max_iter=2).fit(X, Y)
    before = copy.deepcopy(model.history_)
    with pytest.raises(ValueError, match=r"diverged|non-finite"):
        model.partial_fit(X * 1e30, Y)
    assert model.history_ == before
    one, other = copy.copy(model), copy.deepcopy(model)
    for estimator in (model, one, other):
        estimator.partial_fit(X, Y)
    assert model.loss_curve_ == one.loss_curve_ == other.loss_curve_
    assert model.history_["loss"] == model.loss_curve_


def test_calls_of_partial_fit_share_what_came_before():
    model = DNNClassifier(**SMALL).partial_fit(X, Y, classes=[0, 1])
    histories = [model._state.history]
    for _ in range(3):
        histories.append(model.partial_fit(X, Y)._state.history)
    assert [len(history.loss_curve) for history in histories] == [1, 2, 3, 4]
    for name in ("loss_curve", "epochs"):
        assert len({id(getattr(history, name)._items) for history in histories}) == 1


def test_a_diverged_epoch_is_in_the_table():
    scores = iter([1.0, 2.0, 3.0, -np.inf])

    def score(estimator, X, y):
        return next(scores)

    model = DNNClassifier(**SMALL, max_iter=9, early_stopping=True, scoring=score)
    with pytest.warns(UserWarning, match="validation score became -inf"):
        model.fit(X, Y)
    assert len(model.history_["loss"]) == len(model.loss_curve_) == 4
    assert np.isnan(model.validation_scores_[-1]) and np.isnan(
        model.validation_loss_curve_[-1]
    )
    assert np.isnan(model.history_["validation_loss"][-1])
    assert model.best_validation_score_ == 3.0


# -- stored -----------------------------------------------------------------------------------


def fitted():
    model = DNNClassifier(**SMALL, max_iter=3, early_stopping=True, warm_start=True)
    model.set_params(scoring=["roc_auc", "accuracy"]).fit(X, Y)
    return model


def test_pickles_have_all_of_it():
    model = fitted()
    other = pickle.loads(pickle.dumps(model))
    assert other.history_ == model.history_
    assert other.loss_curve_ == model.loss_curve_ and type(other.loss_curve_) is list
    for estimator in (model, other):
        estimator.fit(X, Y)
    same_but_for_time(other.history_, model.history_)


@pytest.mark.parametrize("without", ["the table", "all that is new"])
def test_pickles_of_earlier_versions_have_a_table_of_losses(without):
    state = fitted().__getstate__()
    new = ["epochs", "validation_columns", "validation_losses", "is_validated"]
    for name in new[:1] if without == "the table" else new:
        del state["_history"][name]
    if without == "the table":
        state["_history"]["validation_columns"] = []
    other = DNNClassifier()
    other.__setstate__(state)
    assert list(other.history_) == COLUMNS
    assert other.history_["loss"] == other.loss_curve_
    assert np.isnan(other.history_["seconds"]).all()
    other.fit(X, Y)
    assert len(other.history_["validation_accuracy"]) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(epochs=np.zeros((3, 4))), "epochs has 4 columns"),
        (dict(epochs=[[1.0]]), "must be an array of float64"),
        (dict(validation_columns=["a", "a"]), "must be different names"),
        (dict(validation_losses=[None]), "validation_losses=.*must be a list of numbers"),
        (dict(is_validated=3), "is_validated=3 must be True or False"),
    ],
)
def test_a_record_that_cannot_be_is_refused(change, message):
    state = fitted().__getstate__()
    state["_history"].update(change)
    with pytest.raises(ValueError, match=message):
        DNNClassifier().__setstate__(state)


def test_files_have_all_but_times(tmp_path):
    model = fitted()
    model.save(tmp_path / "a.safetensors")
    other = fastdnn.load(tmp_path / "a.safetensors")
    same_but_for_time(other.history_, model.history_)
    assert np.isnan(other.history_["seconds"]).all()
    assert other.validation_loss_curve_ == model.validation_loss_curve_
    assert other.history_["n_samples"] == model.history_["n_samples"]
    fitted().save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (
        tmp_path / "b.safetensors"
    ).read_bytes()


def test_perceptrons_of_scikit_learn_have_a_table_of_losses():
    theirs = MLPClassifier((5,), max_iter=3, random_state=0, early_stopping=True).fit(X, Y)
    ours = DNNClassifier.from_sklearn(theirs)
    assert ours.loss_curve_ == theirs.loss_curve_
    assert ours.validation_scores_ == theirs.validation_scores_
    assert ours.history_["loss"] == theirs.loss_curve_
    again = ours.to_sklearn()
    assert again.loss_curve_ == theirs.loss_curve_ and type(again.loss_curve_) is list
    assert again.validation_scores_ == theirs.validation_scores_
