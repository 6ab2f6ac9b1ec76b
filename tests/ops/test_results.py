"""Results of predictions against formulas in many digits, also of logits that are extreme."""

from decimal import Decimal, localcontext

import numba
import numpy as np
import pytest

from fastdnn.ops.results import IN_DOUBLE, RESULTS, SAME_TYPE

# Types of the network and of the results.
TYPES = [(np.float32, np.float64), (np.float32, np.float32), (np.float64, np.float64)]
# Rounding errors of a result, in the last place: those of exp, of a sum, of a division.
ULPS = 8


write_same, write_double = SAME_TYPE.call, IN_DOUBLE.call


@numba.njit
def write_in_same_type(address, Z, out):
    write_same(address, (Z, out))


@numba.njit
def write_in_double(address, Z, out):
    write_double(address, (Z, out))


def results(name, Z, dtype):
    row = RESULTS[name]
    out = np.full((len(Z), row.columns_per_output * Z.shape[1]), np.nan, dtype)
    with np.errstate(all="ignore"):  # NumPy's scalars warn where compiled code does not
        if Z.dtype == dtype:
            write_in_same_type(row.same_type.address(Z.dtype), Z, out)
        else:
            write_in_double(row.in_double.address(Z.dtype), Z, out)
    return out


def logits(n_rows, n_columns, dtype, largest):
    """Return logits of every size up to the largest, of both signs, and zeros."""
    generator = np.random.default_rng(n_columns)
    sizes = 10.0 ** generator.uniform(-6.0, np.log10(largest), (n_rows, n_columns))
    Z = (sizes * generator.choice([-1.0, 1.0], sizes.shape)).astype(dtype)
    Z[0], Z[1, 0], Z[2, -1] = 0.0, largest, -largest
    return Z


def sigmoid(z):
    return 1 / (1 + (-z).exp())


def softmax(row):
    total = sum(z.exp() for z in row)
    return [z.exp() / total for z in row]


EXACT = {
    "logits": lambda row: row,
    "exp": lambda row: [z.exp() for z in row],
    "sigmoid": lambda row: [sigmoid(z) for z in row],
    "two sigmoids": lambda row: [sigmoid(-row[0]), sigmoid(row[0])],
    "softmax": softmax,
    "log sigmoid": lambda row: [-(1 + (-z).exp()).ln() for z in row],
    "two log sigmoids": lambda row: [-(1 + row[0].exp()).ln(), -(1 + (-row[0]).exp()).ln()],
    "log softmax": lambda row: [p.ln() for p in softmax(row)],
}


def exact(name, Z):
    with localcontext() as context:
        context.prec = 330  # as 1 + e^-700 needs
        rows = [EXACT[name]([Decimal(float(z)) for z in row]) for row in Z]
        return np.array([[float(value) for value in row] for row in rows])


@pytest.mark.pairwise
@pytest.mark.parametrize(("network", "dtype"), TYPES)
@pytest.mark.parametrize("n_columns", [1, 3, 10])
@pytest.mark.parametrize("name", EXACT)
def test_every_kind_equals_its_formula(name, n_columns, network, dtype):
    if n_columns == (1 if "softmax" in name else 3):
        n_columns = 2 if "softmax" in name else 1
    # Beyond, e^-z is no normal number; its logarithm is in the next test.
    largest = 80.0 if dtype == np.float32 else 700.0
    if "softmax" in name:
        largest /= 2.0
    Z = logits(12, n_columns if "two" not in name else 1, network, largest)
    out = results(name, Z, dtype)
    assert out.shape[1] == (2 if "two" in name else Z.shape[1])
    expected = exact(name, Z)
    eps = np.finfo(dtype).eps
    # An exponential amplifies the rounding of z less the largest z.
    amplified = 1.0 + (largest if network == dtype else 0.0)
    if name == "logits":
        amplified = 0.0
    atol = 4 * eps if "log" in name else 0.0  # logarithms of numbers close to 1
    np.testing.assert_allclose(out, expected, rtol=ULPS * eps * amplified, atol=atol)


@pytest.mark.parametrize(("network", "dtype"), TYPES)
@pytest.mark.parametrize("name", ["log sigmoid", "two log sigmoids", "log softmax"])
def test_logarithms_are_finite_where_the_probability_is_no_longer_a_number(
    name, network, dtype
):
    largest = np.float32(1e4)
    Z = np.array([[-largest], [largest], [0.0]], network)
    if name == "log softmax":
        Z = np.concatenate([Z, -Z], axis=1)
    out = results(name, Z, dtype)
    expected = exact(name, Z) if name != "log softmax" else None
    if expected is None:
        expected = np.array([[-2e4, 0.0], [0.0, -2e4], [np.log(0.5)] * 2])
    np.testing.assert_allclose(out, expected, rtol=4 * np.finfo(dtype).eps, atol=1e-37)


@pytest.mark.parametrize(("network", "dtype"), TYPES)
@pytest.mark.parametrize("name", ["sigmoid", "two sigmoids", "softmax"])
def test_logarithms_are_those_of_the_probabilities(name, network, dtype):
    """Also close to 1, where few numbers are left: scikit-learn's are those."""
    Z = logits(200, 1 if name == "two sigmoids" else 4, network, 60.0)
    p, logs = (
        results(name, Z, dtype),
        results(f"log {name}".replace("log two", "two log"), Z, dtype),
    )
    rtol = 1e-13 if dtype == np.float64 else 3e-5
    np.testing.assert_allclose(logs, np.log(p), rtol=rtol, atol=0.0)


@pytest.mark.parametrize("name", ["softmax", "log softmax"])
@pytest.mark.parametrize("n_columns", [2, 3, 4, 5, 8, 9, 10, 17])
def test_ties_count_each(name, n_columns):
    Z = np.full((2, n_columns), 3.0, np.float32)
    Z[1, -1] = -100.0
    out = results(name, Z, np.float64)
    share = np.array([1.0 / n_columns, 1.0 / (n_columns - 1)])
    expected = np.log(share) if "log" in name else share
    np.testing.assert_allclose(out[:, 0], expected, rtol=1e-14, atol=1e-17)
    np.testing.assert_array_equal(out[0], out[0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_probability_is_above_one_half_where_it_is_the_larger_one(dtype):
    # Around 0 a probability takes few values.
    eps = float(np.finfo(dtype).eps)
    z = np.concatenate([np.linspace(-4 * eps, 4 * eps, 129), np.linspace(-1e-3, 1e-3, 129)])
    out = results("two sigmoids", z.astype(dtype).reshape(-1, 1), dtype)
    np.testing.assert_array_equal(out[:, 1] > 0.5, out[:, 1] > out[:, 0])
    np.testing.assert_array_equal(out[:, 0] > 0.5, out[:, 0] > out[:, 1])
    assert (np.diff(out[:129, 1]) >= 0.0).all()
    assert len(np.unique(out[:129, 1])) >= 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in RESULTS if name != "activations"])
def test_nan_reaches_the_results_of_its_row(name, dtype):
    n_columns = 1 if "two" in name else 4
    for position in range(n_columns):
        Z = np.ones((3, n_columns), np.float32)
        Z[1, position] = np.nan
        out = results(name, Z, dtype)
        assert np.isfinite(out[[0, 2]]).all()
        one_by_one = n_columns == 4 and "softmax" not in name
        assert np.isnan(out[1, position] if one_by_one else out[1]).all()
