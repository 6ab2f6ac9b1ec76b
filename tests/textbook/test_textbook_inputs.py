"""What the textbook network's methods are given: used as it is meant, or refused by name."""

import traceback
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import fastdnn
from fastdnn import DeepNeuralNetwork
from fastdnn.textbook.layers import ACTIVATION_CODES
from tests.wrong_arrays import (
    NO_NUMBERS,
    NO_POSITIVE_INTEGERS,
    NO_POSITIVE_NUMBERS,
    NOT_FINITE,
    OTHER_SHAPES,
    OTHER_TYPES,
    SAME_NUMBERS,
)

PACKAGE = Path(fastdnn.__file__).parent
SIZES = (3, 4, 2)
X = np.linspace(-1.0, 1.0, 15).reshape(5, 3)
Y = np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]])
WRONG = NO_NUMBERS | OTHER_SHAPES | NOT_FINITE
SAME = SAME_NUMBERS | OTHER_TYPES


def network(dtype="float64", output="softmax", loss="log_loss"):
    made = DeepNeuralNetwork(SIZES, "relu", output, loss, dtype)
    made.initialize_parameters(random_state=0)
    return made


def given_to(method, made):
    """Return arguments of a method that fit, by name."""
    AL, caches = made.forward(X)
    if method in ("forward", "predict_proba", "predict"):
        return {"X": X}
    if method == "cost":
        return {"AL": AL, "Y": Y, "l2": 0.3, "caches": caches}
    if method == "backward":
        return {"AL": AL, "Y": Y, "caches": caches}
    if method == "update_parameters":
        return {"grads": made.backward(AL, Y, caches), "learning_rate": 0.1, "l2": 0.3}
    if method == "score":
        return {"X": X, "Y": Y.round()}
    assert method == "gradient_descent"
    settings = {"learning_rate": 0.1, "n_iterations": 2, "batch_size": 2, "l2": 0.3}
    return {"X": X, "Y": Y} | settings | {"record_every": 1, "n_threads": 1}


METHODS = [
    *("forward", "predict_proba", "predict", "score", "cost", "backward"),
    *("update_parameters", "gradient_descent"),
]


def numbers(result):
    """Return all numbers of a nested result."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, tuple | list):
        return np.concatenate([numbers(part) for part in result] or [np.zeros(0)])
    return np.zeros(0) if result is None else np.ravel(result).astype(np.float64)


def theta(made):
    return made.__getstate__()["theta"].copy()


def refused(made, method, arguments):
    """Call a method with what does not fit; return what is said."""
    before = theta(made)
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(made, method)(**arguments)
    assert_array_equal(theta(made), before)
    assert_said_by_a_check(caught.tb)
    return str(caught.value)


def assert_said_by_a_check(tb):
    places = [(Path(frame.filename), frame.name) for frame in traceback.extract_tb(tb)]
    last, function = [place for place in places if PACKAGE in place[0].parents][-1]
    if last.name == "losses.py" and function.startswith("_take_"):
        return  # a loss's check of targets
    assert last.parent.name in ("textbook", "data"), last  # not a kernel
    allowed = {
        "inputs.py",
        "kernel_inputs.py",
        "costs.py",
        "steps.py",
        "network.py",
    }
    assert last.name in allowed, last


# -- arrays ---------------------------------------------------------------------------------

WITH_ARRAYS = [
    *((method, "X") for method in ("forward", "predict_proba", "predict", "score")),
    *((method, "Y") for method in ("score", "cost", "backward", "gradient_descent")),
    *(("gradient_descent", "X"), ("cost", "AL"), ("backward", "AL")),
]
# A column of class positions, and other numbers of samples to predict, are no mistakes.
_FIT = {"one row less", "one row more"}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("method", "argument"), WITH_ARRAYS)
def test_wrong_arrays_are_refused_by_name(method, argument, wrong):
    made = network()
    arguments = given_to(method, made)
    value = WRONG[wrong](arguments[argument])
    if argument == "X" and method != "score" and "gradient" not in method and wrong in _FIT:
        pytest.skip("any number of samples can be predicted")
    if argument in ("X", "Y") and wrong in ("objects", "text"):
        pytest.skip("left to scikit-learn's validation")
    if (method, argument, wrong) == ("score", "Y", "one column less"):
        pytest.skip("one column of zeros and ones has class positions")
    said = refused(made, method, arguments | {argument: value})
    assert argument in said


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize(("method", "argument"), WITH_ARRAYS)
def test_the_same_numbers_of_another_kind_give_the_same(method, argument, kind):
    made, usual = network(), network()
    arguments, expected = given_to(method, made), given_to(method, usual)
    # What single precision holds.
    for each in (arguments, expected):
        each[argument] = np.round(each[argument] * 64) / 64
    arguments[argument] = SAME[kind](arguments[argument])
    result = getattr(made, method)(**arguments)
    assert_array_equal(numbers(result), numbers(getattr(usual, method)(**expected)))
    assert_array_equal(theta(made), theta(usual))


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("part", ["A_prev", "W", "b", "Z"])
@pytest.mark.parametrize("l", [0, 1])
@pytest.mark.parametrize("method", ["cost", "backward"])
def test_wrong_caches_are_refused_by_name(method, l, part, wrong):
    made = network()
    arguments = given_to(method, made)
    (A_prev, W, b), Z = arguments["caches"][l]
    parts = {"A_prev": A_prev, "W": W, "b": b, "Z": Z}
    parts[part] = WRONG[wrong](parts[part])
    *layer, Z = parts.values()
    arguments["caches"][l] = (tuple(layer), Z)
    assert f"{part} of caches[{l}]" in refused(made, method, arguments)


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_caches_of_another_kind_give_the_same(part, kind):
    made = network()
    made.W1, made.b1 = np.round(made.W1 * 8) / 8, np.arange(4) / 8
    arguments = given_to("backward", made)
    arguments["caches"] = [
        (tuple(np.round(value * 64) / 64 for value in layer), np.round(Z * 64) / 64)
        for layer, Z in arguments["caches"]
    ]
    expected = made.backward(**arguments)
    (A_prev, W, b), Z = arguments["caches"][0]
    parts = [A_prev, W, b, Z]
    parts[part] = SAME[kind](parts[part])
    arguments["caches"][0] = (tuple(parts[:3]), parts[3])
    assert_array_equal(numbers(made.backward(**arguments)), numbers(expected))


def caches_of(sizes, n_samples=5):
    other = DeepNeuralNetwork(sizes, "relu", "softmax")
    return other.forward(np.ones((n_samples, sizes[0])))[1]


@pytest.mark.parametrize(
    "caches",
    [
        *(3, "abc", (), {}, [None, None], [1, 2], [(1, 2), (3, 4)]),
        *([((1, 2, 3), 4, 5)] * 2, [((1, 2), 3)] * 2, np.ones((2, 2)), {0: 1, 1: 2}),
        *(caches_of((3, 2)), caches_of((3, 4, 2, 2)), caches_of((3, 5, 2))),
        *(caches_of((4, 4, 2)), caches_of((3, 4, 3)), caches_of(SIZES, n_samples=4)),
        *(caches_of((3, 4, 2, 2))[1:], caches_of(SIZES)[::-1]),
    ],
)
@pytest.mark.parametrize("method", ["cost", "backward"])
def test_caches_of_something_else_are_refused(method, caches):
    made = network()
    assert "caches" in refused(made, method, given_to(method, made) | {"caches": caches})


def test_backward_needs_caches():
    made = network()
    arguments = given_to("backward", made) | {"caches": None}
    assert "caches must be the list of 2" in refused(made, "backward", arguments)


# -- gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [*WRONG, "missing"])
@pytest.mark.parametrize("name", ["dW1", "db1", "dW2", "db2"])
def test_wrong_gradients_are_refused_by_name(name, wrong):
    made = network()
    arguments = given_to("update_parameters", made)
    value = arguments["grads"].pop(name)
    if wrong != "missing":
        arguments["grads"][name] = WRONG[wrong](value)
    assert name in refused(made, "update_parameters", arguments)


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("name", ["dW1", "db2"])
def test_gradients_of_another_kind_give_the_same_step(name, kind):
    made, usual = network(), network()
    arguments = given_to("update_parameters", made)
    grads = arguments["grads"]
    grads[name] = np.round(grads[name] * 64) / 64
    usual.update_parameters(**arguments)
    grads[name] = SAME[kind](grads[name])
    made.update_parameters(**arguments)
    assert_array_equal(theta(made), theta(usual))


@pytest.mark.parametrize("sizes", [(3, 2), (3, 4, 2, 2), (3, 5, 2), (4, 4, 2), (2, 4, 3)])
def test_gradients_of_another_network_are_refused(sizes):
    other = DeepNeuralNetwork(sizes, output_activation="identity", loss="squared_error")
    AL, caches = other.forward(np.ones((5, sizes[0])))
    grads = other.backward(AL, np.ones((5, sizes[-1])), caches)
    said = refused(network(), "update_parameters", {"grads": grads, "learning_rate": 0.1})
    assert "grads" in said or "must have shape" in said


@pytest.mark.parametrize("grads", [None, 1, [], "dW1", np.ones(3), {1, 2}])
def test_what_are_no_gradients_is_refused(grads):
    arguments = {"grads": grads, "learning_rate": 0.1}
    assert "grads must be the dictionary" in refused(network(), "update_parameters", arguments)


@pytest.mark.parametrize("dA1", [None, 3, np.ones(4), np.ones((0, 4)), np.ones((5, 3)), "a"])
def test_a_penalty_needs_the_number_of_samples(dA1):
    made = network()
    arguments = given_to("update_parameters", made)
    arguments["grads"]["dA1"] = dA1
    assert "'dA1' of shape (n_samples, 4)" in refused(made, "update_parameters", arguments)
    del arguments["grads"]["dA1"]
    assert "'dA1'" in refused(made, "update_parameters", arguments)
    made.update_parameters(arguments["grads"], 0.1)  # without a penalty nobody asks


# -- settings -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", NO_POSITIVE_NUMBERS, ids=repr)
@pytest.mark.parametrize("method", ["update_parameters", "gradient_descent"])
def test_learning_rates_out_of_range_are_refused(method, value):
    made = network()
    said = refused(made, method, given_to(method, made) | {"learning_rate": value})
    assert said.startswith(f"learning_rate={value!r} must be a finite number above 0")


@pytest.mark.parametrize("value", [*NO_POSITIVE_NUMBERS, 1e39], ids=repr)
@pytest.mark.parametrize("method", ["cost", "update_parameters", "gradient_descent"])
def test_penalties_out_of_range_are_refused(method, value):
    made = network("float32")
    arguments = given_to(method, made) | {"l2": value}
    if type(value) in (int, float) and 0 <= value < 1:
        assert np.isfinite(numbers(getattr(made, method)(**arguments))).all()
    else:
        assert refused(made, method, arguments).startswith(f"l2={value!r} must be a finite")


@pytest.mark.parametrize("value", [*NO_POSITIVE_INTEGERS, None], ids=repr)
@pytest.mark.parametrize("name", ["n_iterations", "batch_size", "record_every", "n_threads"])
def test_counts_that_are_no_positive_integers_are_refused(name, value):
    made = network()
    arguments = given_to("gradient_descent", made) | {name: value}
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
    assert not np.shares_memory(made._targets(positions, made.forward(X)[0]), positions)


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
