"""`DNNRegressor`: one target and several."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes
from sklearn.neural_network import MLPRegressor

from fastdnn import DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X / X.std(axis=0), (y - y.mean()) / y.std()


@pytest.mark.slow_without_jit
def test_learns_diabetes(diabetes):
    X, y = diabetes
    model = DNNRegressor(random_state=0, alpha=1.0, max_iter=300).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.35


def test_several_targets_agree_with_scikit_learn(diabetes):
    X, y = diabetes[0][:90], np.column_stack([diabetes[1], diabetes[1] ** 2])[:90]
    settings = dict(hidden_layer_sizes=(7,), random_state=0, max_iter=10)
    ours = DNNRegressor(dtype="float64", **settings).fit(X, y)
    theirs = MLPRegressor(**settings).fit(X, y)
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)
    assert ours.predict(X).shape == (90, 2)


def test_column_vector_target_predicts_a_vector(diabetes):
    X, y = diabetes
    from sklearn.exceptions import DataConversionWarning

    with pytest.warns(DataConversionWarning):
        model = DNNRegressor(max_iter=2).fit(X, y.reshape(-1, 1))
    assert model.predict(X).shape == y.shape


def test_integer_targets(diabetes):
    X, y = diabetes
    settings = dict(hidden_layer_sizes=(7,), random_state=0, max_iter=3)
    whole = np.rint(10 * y)
    as_integers = DNNRegressor(**settings).fit(X, whole.astype(int))
    as_floats = DNNRegressor(**settings).fit(X, whole)
    assert as_integers.loss_curve_ == as_floats.loss_curve_


def test_strings_are_no_targets(diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match="y has dtype <U4, but must hold numbers"):
        DNNRegressor().fit(X, np.where(y > 0, "high", "low"))


@pytest.mark.parametrize("incremental", [True, False], ids=["partial_fit", "warm_start"])
@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2), (2, 3)])
def test_a_fit_that_goes_on_needs_as_many_targets(first, then, incremental):
    generator = np.random.default_rng(0)
    X, Y = generator.standard_normal((30, 2)), generator.standard_normal((30, 3))
    model = DNNRegressor(hidden_layer_sizes=(3,), warm_start=not incremental, max_iter=2)
    go_on = model.partial_fit if incremental else model.fit
    go_on(X, Y[:, :first].squeeze())
    message = f"`y` has {then} targets a sample, but the network was fitted with {first}"
    with pytest.raises(ValueError, match=message):
        go_on(X, Y[:, :then].squeeze())
    go_on(X, Y[:, :first].squeeze())
    assert model.predict(X).shape == Y[:, :first].squeeze().shape
