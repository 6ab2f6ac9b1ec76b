"""Parameters that are not finite and outputs that overflow are not predicted in silence."""

import numpy as np
import pytest
import scipy.sparse
import sklearn
from sklearn.exceptions import ConvergenceWarning

from fastdnn import DNNClassifier, DNNRegressor
from tests.diverging import BOTH, NUMPY_MAY_WARN, SMALL, THREE, Y_REAL, X

pytestmark = NUMPY_MAY_WARN


@pytest.mark.pairwise
@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_parameters_that_are_not_finite(Estimator, y, bad, name):
    model = Estimator(**SMALL)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, y)
    getattr(model, name)[-1][...] = bad
    message = "coefs_ or intercepts_.* have NaN or infinity"
    for rows in (X, X[:1], scipy.sparse.csr_matrix(X)):
        with pytest.raises(ValueError, match=message):
            model.predict(rows)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y)


@BOTH
def test_a_warm_start_from_large_parameters(Estimator, y):
    model = Estimator(**SMALL, warm_start=True, alpha=0.0)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, y)
    for W in model.coefs_:
        W *= 1e25
    with pytest.raises(ValueError, match="Likely cause: the fit goes on from coefs_"):
        model.fit(X, y)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_matrix, np.float32])
def test_predictions_that_overflow(loss, convert):
    model = DNNRegressor(loss, **SMALL | {"hidden_layer_sizes": []})
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, abs(Y_REAL))
    model.coefs_[0][:, 0] = 3.0
    rows = X.copy()
    rows[7] = 1e38 if loss == "poisson" else 2e38
    # Exponentials are those of the results, which are float64 if X is.
    dtype = "float64" if loss == "poisson" and convert is not np.float32 else "float32"
    message = f"output overflows {dtype} in 1 of 60 rows: row 7 of X has values of up to "
    with pytest.raises(ValueError, match=message):
        model.predict(convert(rows))
    with pytest.raises(ValueError, match=r"1 of 1 rows: row 0 of X .* Scale X"):
        model.predict(convert(rows[7:8]))
    model.predict(convert(rows[:7]))


def test_probabilities_that_overflow():
    model = DNNClassifier(**SMALL | {"hidden_layer_sizes": []})
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, THREE)
    model.coefs_[0][:] = 3.0
    for method in (model.predict, model.predict_proba, model.predict_log_proba):
        with pytest.raises(ValueError, match="overflows float32"):
            method(np.full((2, 3), 2e38))


@BOTH
def test_numbers_that_are_not_checked_pass(Estimator, y):
    model = Estimator(**SMALL)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, y)
    rows = X.copy()
    rows[3, 1] = np.nan
    with sklearn.config_context(assume_finite=True):
        outputs = model._results(rows, "logits")
    assert np.isnan(outputs).any(axis=1).tolist() == [i == 3 for i in range(60)]
