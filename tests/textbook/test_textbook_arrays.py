"""Arrays that the textbook network's methods are given: used as meant, or refused by name."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastdnn import DeepNeuralNetwork
from tests.cases import case
from tests.textbook.kernel_calls import numbers
from tests.textbook.network_calls import SAME, SIZES, WRONG, given_to, network, refused, theta

WITH_ARRAYS = [
    *((method, "X") for method in ("forward", "predict_proba", "predict", "score")),
    *((method, "Y") for method in ("score", "cost", "backward", "gradient_descent")),
    *(("gradient_descent", "X"), ("cost", "AL"), ("backward", "AL")),
]


def is_no_mistake(method, argument, wrong):
    """Whether a method takes what is wrong elsewhere."""
    if argument == "X" and "row" in wrong:  # any number of samples can be predicted
        return method not in ("score", "gradient_descent")
    if wrong in ("objects", "text"):  # left to scikit-learn's validation
        return argument in ("X", "Y")
    # One column of zeros and ones has class positions.
    return (method, argument, wrong) == ("score", "Y", "one column less")


@pytest.mark.parametrize(("method", "argument"), WITH_ARRAYS)
def test_wrong_arrays_are_refused_by_name(method, argument):
    made = network()
    for wrong, make in WRONG.items():
        if not is_no_mistake(method, argument, wrong):
            arguments = given_to(method, made)
            arguments[argument] = make(arguments[argument])
            with case(wrong):
                assert argument in refused(made, method, arguments)


@pytest.mark.parametrize(("method", "argument"), WITH_ARRAYS)
def test_the_same_numbers_of_another_kind_give_the_same(method, argument):
    for kind, make in SAME.items():
        made, usual = network(), network()
        arguments, expected = given_to(method, made), given_to(method, usual)
        # What single precision holds.
        for each in (arguments, expected):
            each[argument] = np.round(each[argument] * 64) / 64
        arguments[argument] = make(arguments[argument])
        with case(kind):
            result = numbers(getattr(made, method)(**arguments))
            assert_array_equal(result, numbers(getattr(usual, method)(**expected)))
            assert_array_equal(theta(made), theta(usual))


PARTS = ["A_prev", "W", "b", "Z"]


def with_part(layer, part, make):
    """Return the caches of a layer, one of which was made anew."""
    (A_prev, W, b), Z = layer
    parts = dict(zip(PARTS, (A_prev, W, b, Z), strict=True))
    parts[part] = make(parts[part])
    *layer, Z = parts.values()
    return tuple(layer), Z


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("l", [0, 1])
@pytest.mark.parametrize("method", ["cost", "backward"])
def test_wrong_caches_are_refused_by_name(method, l, part):
    made = network()
    for wrong, make in WRONG.items():
        arguments = given_to(method, made)
        arguments["caches"][l] = with_part(arguments["caches"][l], part, make)
        with case(wrong):
            assert f"{part} of caches[{l}]" in refused(made, method, arguments)


@pytest.mark.parametrize("part", PARTS)
def test_caches_of_another_kind_give_the_same(part):
    made = network()
    made.W1, made.b1 = np.round(made.W1 * 8) / 8, np.arange(4) / 8
    arguments = given_to("backward", made)
    first, second = [
        (tuple(np.round(value * 64) / 64 for value in layer), np.round(Z * 64) / 64)
        for layer, Z in arguments["caches"]
    ]
    expected = numbers(made.backward(**arguments | {"caches": [first, second]}))
    for kind, make in SAME.items():
        arguments["caches"] = [with_part(first, part, make), second]
        with case(kind):
            assert_array_equal(numbers(made.backward(**arguments)), expected)


def caches_of(sizes, n_samples=5):
    other = DeepNeuralNetwork(sizes, "relu", "softmax")
    return other.forward(np.ones((n_samples, sizes[0])))[1]


OTHER_CACHES = [
    *(3, "abc", (), {}, [None, None], [1, 2], [(1, 2), (3, 4)]),
    *([((1, 2, 3), 4, 5)] * 2, [((1, 2), 3)] * 2, np.ones((2, 2)), {0: 1, 1: 2}),
    *(caches_of((3, 2)), caches_of((3, 4, 2, 2)), caches_of((3, 5, 2))),
    *(caches_of((4, 4, 2)), caches_of((3, 4, 3)), caches_of(SIZES, n_samples=4)),
    *(caches_of((3, 4, 2, 2))[1:], caches_of(SIZES)[::-1]),
]


@pytest.mark.parametrize("method", ["cost", "backward"])
def test_caches_of_something_else_are_refused(method):
    made = network()
    for caches in OTHER_CACHES:
        with case(caches):
            said = refused(made, method, given_to(method, made) | {"caches": caches})
            assert "caches" in said


def test_backward_needs_caches():
    made = network()
    arguments = given_to("backward", made) | {"caches": None}
    assert "caches must be the list of 2" in refused(made, "backward", arguments)


# -- gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dW1", "db1", "dW2", "db2"])
def test_wrong_gradients_are_refused_by_name(name):
    made = network()
    arguments = given_to("update_parameters", made)
    right = arguments["grads"].pop(name)
    assert name in refused(made, "update_parameters", arguments)
    for wrong, make in WRONG.items():
        arguments["grads"][name] = make(right)
        with case(wrong):
            assert name in refused(made, "update_parameters", arguments)


@pytest.mark.parametrize("name", ["dW1", "db2"])
def test_gradients_of_another_kind_give_the_same_step(name):
    for kind, make in SAME.items():
        made, usual = network(), network()
        arguments = given_to("update_parameters", made)
        grads = arguments["grads"]
        grads[name] = np.round(grads[name] * 64) / 64
        usual.update_parameters(**arguments)
        grads[name] = make(grads[name])
        with case(kind):
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
