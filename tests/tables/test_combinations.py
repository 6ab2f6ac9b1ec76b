"""Any parameters on any table: a fit ends finite, or says why not. hypothesis draws them."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastdnn
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from tests.tables.drawn import N_ROWS, OBJECTS, tables
from tests.tables.tables import BOTH

pytestmark = pytest.mark.slow_without_jit

OPTIONS = {
    "n_members": st.integers(1, 3),
    "max_epochs": st.sampled_from([1, 2, 7, "auto"]),
    "hidden_layer_sizes": st.sampled_from([3, (), (4,), (5, 2), [2, 2, 2]]),
    "activation": st.sampled_from(["relu", "silu", "gelu", "mish", "tanh", "leaky_relu"]),
    "learning_rate": st.sampled_from([1e-6, 0.04, 1.0]),
    "batch_size": st.sampled_from([1, 3, 1000, "auto"]),
    "dropout": st.sampled_from([0.0, 0.9, "auto"]),
    "weight_decay": st.sampled_from([0.0, 0.5, "auto"]),
    "numeric_encoding": st.sampled_from(["auto", "quantile", "tree", "linear"]),
    "categorical_features": st.sampled_from(["from_dtype", None, [0], ["c0"], [-1]]),
    "validation": st.sampled_from([None, 0.2, 0.9, 1, 20, [(range(20), range(30, 40))]]),
    "scoring": st.sampled_from(["loss", None]),
    "early_stopping": st.booleans(),
    "n_threads": st.sampled_from([1, 2, None]),
    "callbacks": st.sampled_from([None, [lambda progress: progress.epoch > 3.0]]),
    "random_state": st.integers(0, 9),
}


def some_of(options):
    """Draw values of some of the parameters."""
    names = st.lists(st.sampled_from(sorted(options)), unique=True, max_size=6)
    return names.flatmap(
        lambda drawn: st.fixed_dictionaries({name: options[name] for name in drawn})
    )


@BOTH
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    columns=tables(OBJECTS),
    options=some_of(OPTIONS),
    kind=st.sampled_from(["few", "many", "rare", "weights", "X_val", "large"]),
)
def test_a_fit_ends_finite_or_says_why_not(Estimator, columns, options, kind):
    X = pd.DataFrame({name: pd.Series(v, dtype=object) for name, v in columns.items()})
    i = np.arange(N_ROWS)
    y = {"many": i // 2, "rare": i == 7}.get(kind, i % 3)
    more = {}
    if Estimator is TabularDNNRegressor:
        y = np.sin(y + 0.1 * i) * (1e200 if kind == "large" else 1.0)
    if kind == "weights":
        more["sample_weight"] = np.where(i % 5 == 0, 0.0, 1.0 + i % 2)
    if kind == "X_val":
        more |= dict(X_val=X[::2], y_val=y[::2])
    options = dict(max_epochs=2, hidden_layer_sizes=(4,), n_members=2) | options
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The number of unique classes")
        try:
            model = Estimator(**options).fit(X, y, **more)
        except ValueError as error:
            told = "No column of X", "validation=", "Training diverged", "cross-val"
            assert any(text in str(error) for text in told), error
            return
        predicted = model.predict_members(X)
        assert np.isfinite(predicted).all()
        if Estimator is TabularDNNClassifier:
            np.testing.assert_allclose(predicted.sum(axis=-1), 1.0)
        alone = model.predict_members(X.iloc[[5]])
        np.testing.assert_allclose(alone, predicted[:, [5]], rtol=1e-4, atol=1e-6)
        model.set_params(validation=0.2, random_state=0)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            model.save(path)
            same = fastdnn.load(path)
        np.testing.assert_array_equal(same.predict_members(X), predicted)
