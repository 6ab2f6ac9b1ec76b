"""The workspace, whose memory nobody clears."""

import numpy as np
import pytest
from scipy import sparse

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.planning import plan

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((600, 40)), RNG.integers(0, 3, 600)
WEIGHT = RNG.uniform(0.5, 2.0, 600)


def fill_with_nan(make):
    """Return `make` with all that it returns set to NaN."""

    def filled(count, dtype):
        scratch = make(count, dtype)
        scratch.fill(np.nan)
        return scratch

    return filled


@pytest.mark.pairwise
@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (DNNClassifier, {}),
        (DNNClassifier, {"activation": "tanh", "solver": "sgd", "shuffle": False}),
        (DNNClassifier, {"hidden_layer_sizes": (256, 192), "max_iter": 1}),
        (DNNClassifier, {"early_stopping": True}),
        (DNNRegressor, {"batch_size": 150}),
        (DNNRegressor, {"solver": "lbfgs"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_nothing_is_read_before_it_is_written(
    make, options, form, dtype, n_threads, monkeypatch
):
    settings = {"hidden_layer_sizes": (48, 10), "max_iter": 3, "random_state": 0} | options
    data = form(np.where(np.abs(X) > 1.0, X, 0.0))

    def fit_and_predict():
        model = make(**settings, dtype=dtype, n_threads=n_threads)
        model.fit(data, Y, sample_weight=WEIGHT)
        return [*model.coefs_, *model.intercepts_, model.predict(data)]

    expected = fit_and_predict()
    filled = fill_with_nan(plan.aligned_scratch)
    monkeypatch.setattr(plan, "aligned_scratch", filled)
    for found, array in zip(fit_and_predict(), expected, strict=True):
        np.testing.assert_array_equal(found, array)
