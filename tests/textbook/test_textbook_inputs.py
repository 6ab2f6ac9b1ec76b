"""Numbers that the textbook network's methods are given: used as meant, or refused by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from fastdnn import DeepNeuralNetwork
from fastdnn.textbook.layers import ACTIVATION_CODES
from fastdnn.textbook.step_inputs import as_targets
from tests.cases import case
from tests.textbook.kernel_calls import numbers
from tests.textbook.network_calls import (
    METHODS,
    SAME,
    WRONG,
    X,
    Y,
    assert_said_by_a_check,
    given_to,
    network,
    refused,
    theta,
)
from tests.wrong_arrays import NO_POSITIVE_INTEGERS, NO_POSITIVE_NUMBERS


@pytest.mark.parametrize("method", ["update_parameters", "gradient_descent"])
def test_learning_rates_out_of_range_are_refused(method):
    made = network()
    for value in NO_POSITIVE_NUMBERS:
        with case(value):
            said = refused(made, method, given_to(method, made) | {"learning_rate": value})
            assert said.startswith(f"learning_rate={value!r} must be a finite number above 0")


@pytest.mark.parametrize("method", ["cost", "update_parameters", "gradient_descent"])
def test_penalties_out_of_range_are_refused(method):
    for value in [*NO_POSITIVE_NUMBERS, 1e39]:
        made = network("float32")
        arguments = given_to(method, made) | {"l2": value}
        with case(value):
            if type(value) in (int, float) and 0 <= value < 1:
                assert np.isfinite(numbers(getattr(made, method)(**arguments))).all()
            else:
                said = refused(made, method, arguments)
                assert said.startswith(f"l2={value!r} must be a finite")


@pytest.mark.parametrize("name", ["n_iterations", "batch_size", "record_every", "n_threads"])
def test_counts_that_are_no_positive_integers_are_refused(name):
    for value in [*NO_POSITIVE_INTEGERS, None]:
        made = network()
        arguments = given_to("gradient_descent", made) | {name: value}
        with case(value):
            if value is None and name in ("batch_size", "n_threads"):
                assert np.isfinite(made.gradient_descent(**arguments)).all()
            else:
                said = refused(made, "gradient_descent", arguments)
                assert said.startswith(f"{name}={value!r} must be a positive integer")


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), 1, np.int8(1)], ids=repr)
def test_settings_of_numpy_are_as_good_as_pythons(value):
    made, usual = network(), network()
    grads = given_to("update_parameters", usual)["grads"]
    arguments = given_to("gradient_descent", usual) | {"batch_size": np.int16(2)}
    for of, number in ((made, value), (usual, float(value))):
        of.gradient_descent(**arguments | {"learning_rate": number, "l2": number})
        of.update_parameters(grads, number, number)
    assert_array_equal(theta(made), theta(usual))


# -- values ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.1, 1.1])
@pytest.mark.parametrize("method", ["cost", "backward"])
def test_outputs_that_are_no_probabilities_are_refused(method, value):
    made = network()
    arguments = given_to(method, made)
    arguments["AL"] = arguments["AL"].copy()
    arguments["AL"][3, 1] = value
    assert "AL must be probabilities" in refused(made, method, arguments)


@pytest.mark.parametrize("method", ["cost", "backward", "gradient_descent"])
def test_shares_of_classes_sum_to_one(method):
    made = network()
    wrong = Y.copy()
    wrong[2] = [0.25, 0.5]
    said = refused(made, method, given_to(method, made) | {"Y": wrong})
    assert "row 2 sums to 0.75" in said


@pytest.mark.parametrize("positions", [[0, 1, 2, 0, 1], [0, -1, 0, 0, 0], [0, 0.5, 0, 0, 0]])
@pytest.mark.parametrize("method", ["cost", "backward", "gradient_descent", "score"])
def test_positions_of_no_class_are_refused(method, positions):
    made = network()
    for wrong in (positions, np.array(positions, "f4"), np.array(positions)[:, None]):
        said = refused(made, method, given_to(method, made) | {"Y": wrong})
        assert "class" in said and "0 to 1" in said


def test_the_engine_finds_classes_in_memory_of_its_own():
    made = network()
    positions = np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])
    targets = as_targets(positions, made.forward(X)[0], made._network)
    assert not np.shares_memory(targets, positions)


def test_outputs_below_zero_have_no_cost_of_counts():
    made = network(output="exp", loss="poisson")
    AL, caches = made.forward(X)
    for method in ("cost", "backward"):
        arguments = {"AL": AL - 100.0, "Y": Y, "caches": caches}
        assert "AL must not be negative" in refused(made, method, arguments)


# -- overflow -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.* encountered in")  # NumPy's, without JIT
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_parameter_that_was_made_nan_is_named(name, value):
    made = network()
    getattr(made, name).flat[:] = value
    for method in ("forward", "predict_proba", "predict"):
        with pytest.raises(ValueError, match=f"parameter {name} holds NaN or infinity"):
            getattr(made, method)(X)
    with pytest.raises(ValueError, match=r"non-finite|NaN"):
        made.gradient_descent(X, Y, learning_rate=0.1, n_iterations=1)


@pytest.mark.filterwarnings("ignore:.* encountered in")  # NumPy's, without JIT
@pytest.mark.parametrize("n_rows", [1, 2000])
def test_outputs_that_overflow_are_refused(n_rows):
    made = DeepNeuralNetwork((1, 1, 1), "identity", "identity", "squared_error", "float32")
    made.W1, made.W2 = [[1e30]], [[1e30]]
    for method in ("forward", "predict_proba", "predict"):
        with pytest.raises(ValueError, match=r"is too large for float32. Scale X"):
            getattr(made, method)(np.ones((n_rows, 1), np.float32))


@pytest.mark.parametrize("name", ACTIVATION_CODES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_of_finite_numbers_are_finite(name, dtype):
    made = DeepNeuralNetwork((1, 3), (), name, "absolute_error", dtype)
    largest = np.finfo(dtype).max
    if name == "selu":  # which multiplies by a little more than 1
        largest /= largest.dtype.type(1.06)
    if name == "ascending":  # which adds them up
        largest /= 2
    made.W1 = [[largest, -largest, largest / 2]]
    assert np.isfinite(made.forward([[1.0]])[0]).all()


def test_results_that_overflow_are_refused():
    made = DeepNeuralNetwork((1, 1), (), "identity", "squared_error", "float32")
    made.W1 = [[1e25]]
    AL, caches = made.forward([[1e10]])
    assert np.isfinite(made.cost([[1e25]], [[-1e25]]))  # summed in float64
    double = DeepNeuralNetwork((1, 1), (), "identity", "squared_error")
    assert "The cost is too large" in refused(
        double, "cost", {"AL": [[1e200]], "Y": [[-1e200]]}
    )
    arguments = {"AL": AL, "Y": [[-1e35]], "caches": caches}
    assert "DW1 is too large" in refused(made, "backward", arguments)
    grads = {"dW1": [[1e30]], "db1": [1.0]}
    arguments = {"grads": grads, "learning_rate": 1e20}
    assert "A parameter after" in refused(made, "update_parameters", arguments)


# -- all at once ----------------------------------------------------------------------------

MAKERS = list((WRONG | SAME).values())
VALUES = [*NO_POSITIVE_NUMBERS, *NO_POSITIVE_INTEGERS, 0.5, 3, np.float32(0.25)]


def spoil(draw, value):
    """Return a value, or part of it, replaced by something else."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim and value.size:
        with np.errstate(all="ignore"):
            return draw(st.sampled_from(MAKERS))(value)
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        return value | {name: spoil(draw, value[name])}
    if isinstance(value, list | tuple) and value:
        position = draw(st.integers(0, len(value) - 1))
        parts = list(value)
        parts[position] = spoil(draw, parts[position])
        return parts if draw(st.booleans()) else tuple(parts)
    return draw(st.sampled_from(VALUES))


@pytest.mark.filterwarnings("ignore:A single label was found", "ignore:R.2 score is not well")
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_any_mixture_of_what_is_given_is_used_or_refused(data):
    output, loss = data.draw(
        st.sampled_from(
            [("softmax", "log_loss"), ("sigmoid", "log_loss"), ("identity", "squared_error")]
        )
    )
    made = network(data.draw(st.sampled_from(["float32", "float64"])), output, loss)
    method = data.draw(st.sampled_from(METHODS))
    arguments = given_to(method, made)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(arguments)))
        if name == "n_iterations":
            continue
        arguments[name] = spoil(data.draw, arguments[name])
    before = theta(made)
    try:
        result = getattr(made, method)(**arguments)
    except (ValueError, TypeError) as error:
        assert_array_equal(theta(made), before)
        assert_said_by_a_check(error.__traceback__)
        return
    assert np.isfinite(numbers(result)).all()
    assert np.isfinite(theta(made)).all()
    assert theta(made).shape == before.shape
