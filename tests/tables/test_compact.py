"""What networks read of a compact table is the encoded table."""

import numpy as np
import pandas as pd
import pytest

from fastdnn.data.samples import Samples
from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
from fastdnn.prediction.predictor import Predictor
from fastdnn.tables import TableEncoder
from fastdnn.tables.compact import fit_rows, input_of, rows_of


def table(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "normal": rng.standard_normal(n_rows),
            "far": rng.standard_normal(n_rows) + 1e7,
            "heavy": np.exp(20.0 * rng.standard_normal(n_rows)),
            "few": rng.integers(0, 3, n_rows).astype(float),
            "only missing tells": np.where(rng.random(n_rows) < 0.3, np.nan, 2.0),
            "colour": rng.choice(["red", "green", "blue"], n_rows),
            "name": rng.choice([f"n{i}" for i in range(n_rows // 2)], n_rows),
            "day": pd.Timestamp("2020-02-03") + pd.to_timedelta(rng.random(n_rows), "D"),
        }
    )
    X.loc[::4, "normal"] = np.nan
    X.loc[1::9, "colour"] = None
    return X, rng.standard_normal(n_rows)


def read_by_a_network(rows, table_input):
    """Return the inputs of a network whose only layer is the identity."""
    n_in = table_input.n_inputs
    network = Network(
        n_in, (Layer(n_in, "identity"),), "half_squared_error", table=table_input
    )
    parameters = Parameters([n_in, n_in], np.float32)
    parameters.coefs[0][:] = np.eye(n_in)
    return Predictor(parameters, network)(Samples(rows))


@pytest.mark.parametrize("encoding", ["quantile", "tree", "linear"])
def test_networks_read_the_encoded_table(encoding):
    (X, y), (X_new, _) = table(200), table(50, seed=1)
    X_new.loc[3, "colour"], X_new.loc[4, "heavy"] = "violet", 1e300
    encoder, other = (TableEncoder(numeric_encoding=encoding, max_levels=20) for _ in "ab")
    rows = fit_rows(encoder, X, y)
    expected = other.fit_transform(X, y)
    assert rows.dtype == np.float32
    # A column each of what is not a staircase; a date has four, of which one is constant.
    assert rows.shape[1] < 13 < expected.shape[1]
    given = read_by_a_network(rows, input_of(encoder))
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=2e-5)
    given = read_by_a_network(rows_of(encoder, X_new), input_of(encoder))
    np.testing.assert_allclose(given, other.transform(X_new), rtol=1e-4, atol=2e-5)


def test_very_many_numbers_are_encoded():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 200))
    encoder = TableEncoder()
    rows = fit_rows(encoder, X, None)
    assert input_of(encoder) is None
    np.testing.assert_array_equal(rows, encoder.transform(X))
    np.testing.assert_array_equal(rows_of(encoder, X), rows)
