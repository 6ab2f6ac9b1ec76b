"""Pickles: small, complete, and marked with the version that wrote them."""

import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastdnn._estimator
from fastdnn import DNNClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def samples():
    X = np.random.default_rng(0).standard_normal((300, 50)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


def test_the_parameters_are_stored_once(samples, tmp_path):
    model = DNNClassifier(hidden_layer_sizes=(200,), max_iter=2).fit(*samples)
    size = sum(p.nbytes for p in model.coefs_ + model.intercepts_)
    assert len(pickle.dumps(model)) < size + 5_000
    joblib.dump(model, tmp_path / "model.joblib")
    assert (tmp_path / "model.joblib").stat().st_size < size + 5_000
    twin = joblib.load(tmp_path / "model.joblib")
    assert_array_equal(twin.predict_proba(samples[0]), model.predict_proba(samples[0]))
    assert twin.coefs_[0].base is twin.intercepts_[0].base


def test_optimiser_state_is_kept_for_partial_fit_only_and_as_float32(samples):
    model = DNNClassifier(hidden_layer_sizes=(200,), dtype="float64", random_state=0)
    model.set_params(max_iter=2)
    size = sum(p.nbytes for p in model.fit(*samples).coefs_)
    assert pickle.loads(pickle.dumps(model))._optimizer_state is None
    model.partial_fit(*samples)
    # Two moments of Adam in half the precision: once more the size of the parameters.
    assert 2 * size < len(pickle.dumps(model)) < 2 * size + 20_000
    twin = pickle.loads(pickle.dumps(model))
    again, twin = model.partial_fit(*samples), twin.partial_fit(*samples)
    np.testing.assert_allclose(twin.coefs_[0], again.coefs_[0], rtol=1e-5, atol=1e-7)


def test_another_version_warns_and_names_both(samples, monkeypatch):
    stored = pickle.dumps(DNNClassifier(max_iter=2).fit(*samples))
    monkeypatch.setattr(fastdnn._estimator, "VERSION", "9.8.7")
    with pytest.warns(UserWarning, match=r"saved by fastdnn 0\.\d+\.\d+ .* fastdnn 9\.8\.7"):
        pickle.loads(stored)


def test_an_unfitted_estimator_survives_storage():
    assert pickle.loads(pickle.dumps(DNNClassifier(alpha=0.5))).alpha == 0.5


def test_changed_coefs_are_stored(samples):
    model = DNNClassifier(hidden_layer_sizes=(5,), max_iter=2).fit(*samples)
    model.intercepts_[-1] = np.array([2.5], dtype=np.float32)
    twin = pickle.loads(pickle.dumps(model))
    assert_array_equal(twin.intercepts_[-1], [2.5])
