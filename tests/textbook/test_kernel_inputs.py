"""Public kernels called from Python: what does not fit is refused before anything is done."""

import traceback
from pathlib import Path

import numba
import numpy as np
import pytest

from fastdnn import textbook as kernels
from fastdnn.textbook import activations, kernel_inputs, layers
from tests.wrong_arrays import (
    NO_NUMBERS,
    NO_POSITIVE_NUMBERS,
    OTHER_SHAPES,
    OTHER_TYPES,
    SAME_NUMBERS,
)

CHECKS = Path(kernel_inputs.__file__).name


def matrix(*shape):
    return np.linspace(0.1, 0.9, int(np.prod(shape))).reshape(shape)


def arguments(name):
    """Return arguments that fit, by name; those of a cache are in it."""
    A_prev, W, b, Z = matrix(4, 3), matrix(3, 2), matrix(2), matrix(4, 2)
    layer = {"A_prev": A_prev, "W": W, "b": b}
    if name == "compute_cost":
        return {"AL": matrix(4, 2), "Y": matrix(4, 2)}
    if name == "update_parameters":
        step = {"dW": matrix(3, 2), "db": matrix(2), "learning_rate": 0.1, "decay": 0.2}
        return {"W": W, "b": b} | step
    if name.endswith("_forward"):
        return layer | ({"activation": kernels.RELU} if "activation" in name else {})
    if name == "linear_backward":
        return {"dZ": matrix(4, 2)} | layer
    if name == "linear_activation_backward":
        return {"dA": matrix(4, 2)} | layer | {"Z": Z, "activation": kernels.SILU}
    return ({"dA": matrix(4, 2)} if name.endswith("_backward") else {}) | {"Z": Z}


def call(name, given):
    if name == "linear_backward":
        dZ, *layer = given.values()
        return kernels.linear_backward(dZ, tuple(layer))
    if name == "linear_activation_backward":
        dA, *layer, Z, code = given.values()
        return kernels.linear_activation_backward(dA, (tuple(layer), Z), code)
    return getattr(kernels, name)(**given)


def numbers(result):
    """Return all numbers of a result of nested tuples."""
    if isinstance(result, tuple):
        return np.concatenate([numbers(part) for part in result])
    return np.ravel(np.zeros(0) if result is None else result)


NAMES = [name for name in kernels.__all__ if name.islower()]
ARRAYS = [
    (name, argument)
    for name in NAMES
    for argument, value in arguments(name).items()
    if isinstance(value, np.ndarray)
]
CHANGED = ("W", "b")


def refused(name, argument, value):
    """Call with one argument that does not fit; return what is said."""
    given = arguments(name) | {argument: value}
    before = {key: np.copy(given[key]) for key in CHANGED if key in given.keys() - {argument}}
    with pytest.raises((TypeError, ValueError)) as caught:
        call(name, given)
    assert Path(traceback.extract_tb(caught.tb)[-1].filename).name == CHECKS
    for key, value_before in before.items():
        np.testing.assert_array_equal(given[key], value_before)
    return str(caught.value)


@pytest.mark.parametrize("wrong", [*NO_NUMBERS, "list", "tuple", "other bytes", "longdouble"])
@pytest.mark.parametrize(("name", "argument"), ARRAYS)
def test_what_is_no_array_of_floats_is_refused(name, argument, wrong):
    make = (NO_NUMBERS | OTHER_TYPES)[wrong]
    value = make(arguments(name)[argument])
    if wrong == "longdouble" and value.dtype == np.float64:
        pytest.skip("here the same as float64")
    assert refused(name, argument, value).startswith(argument)


@pytest.mark.parametrize("dtype", [np.int64, np.float16, bool])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "compute_cost"])
def test_other_dtypes_are_refused(name, dtype):
    for argument in arguments(name):
        value = arguments(name)[argument]
        if isinstance(value, np.ndarray):
            assert argument in refused(name, argument, value.astype(dtype))


# An elementwise function takes any shape.
OF_MATRICES = [row for row in ARRAYS if len(arguments(row[0])) > 1]


@pytest.mark.parametrize("wrong", OTHER_SHAPES)
@pytest.mark.parametrize(("name", "argument"), OF_MATRICES)
def test_other_shapes_are_refused(name, argument, wrong):
    value = arguments(name)[argument]
    if argument == "A_prev" and "row" in wrong and name.endswith("forward"):
        pytest.skip("a layer takes any number of samples")
    assert argument in refused(name, argument, OTHER_SHAPES[wrong](value))


@pytest.mark.parametrize(("name", "argument"), OF_MATRICES)
def test_two_precisions_are_refused(name, argument):
    value = arguments(name)[argument]
    assert "float32" in refused(name, argument, value.astype(np.float32))


@pytest.mark.parametrize("layout", SAME_NUMBERS)
@pytest.mark.parametrize(("name", "argument"), ARRAYS)
def test_the_layout_does_not_matter(name, argument, layout):
    if name == "update_parameters" and argument in CHANGED:
        pytest.skip("what is changed in place has a test of its own")
    given, usual = arguments(name), arguments(name)
    given[argument] = SAME_NUMBERS[layout](given[argument])
    np.testing.assert_array_equal(numbers(call(name, given)), numbers(call(name, usual)))
    for key in CHANGED:
        np.testing.assert_array_equal(given.get(key), usual.get(key))


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    ("name", "compiled"),
    [
        ("sigmoid", activations._sigmoid.compiled),
        ("linear_activation_forward", layers._linear_activation_forward.compiled),
    ],
)
def test_layouts_are_not_compiled_one_by_one(name, compiled):
    call(name, arguments(name))
    n_signatures = len(compiled.signatures)
    argument = next(iter(arguments(name)))
    for layout in SAME_NUMBERS.values():
        call(name, arguments(name) | {argument: layout(arguments(name)[argument])})
    assert len(compiled.signatures) == n_signatures


@pytest.mark.parametrize("layout", ["column by column", "strided", "subclass"])
@pytest.mark.parametrize("argument", CHANGED)
def test_parameters_are_changed_where_they_lie(argument, layout):
    given, usual = arguments("update_parameters"), arguments("update_parameters")
    given[argument] = SAME_NUMBERS[layout](given[argument])
    call("update_parameters", given)
    call("update_parameters", usual)
    np.testing.assert_array_equal(given[argument], usual[argument])


@pytest.mark.parametrize("layout", ["unaligned", "read-only"])
@pytest.mark.parametrize("argument", CHANGED)
def test_parameters_that_cannot_be_changed_are_refused(argument, layout):
    value = SAME_NUMBERS[layout](arguments("update_parameters")[argument])
    said = refused("update_parameters", argument, value)
    assert f"{argument} is changed in place" in said


@pytest.mark.parametrize("value", [*NO_POSITIVE_NUMBERS, 1e-310], ids=repr)
@pytest.mark.parametrize("argument", ["learning_rate", "decay"])
def test_numbers_out_of_range_are_refused(argument, value):
    is_allowed = argument == "decay" and type(value) in (int, float) and 0 <= value < 1e-300
    if is_allowed:
        call("update_parameters", arguments("update_parameters") | {argument: value})
    else:
        said = refused("update_parameters", argument, value)
        assert said.startswith(f"{argument}={value!r} must be a finite number")


@pytest.mark.parametrize("learning_rate", [1e-40, 1e39])
def test_a_learning_rate_that_single_precision_cannot_hold_is_refused(learning_rate):
    given = [np.ones(shape, np.float32) for shape in ((3, 2), 2, (3, 2), 2)]
    with pytest.raises(ValueError, match=r"learning_rate=.* in float32: choose a value from"):
        kernels.update_parameters(*given, learning_rate, 0.0)
    for array in given:
        np.testing.assert_array_equal(array, 1.0)


@pytest.mark.parametrize("code", ["relu", None, 1.0, True, -1, 7, 2**70, [1], np.ones(1)])
def test_unknown_activations_are_refused(code):
    for name in ("linear_activation_forward", "linear_activation_backward"):
        said = refused(name, "activation", code)
        assert said.startswith(f"activation={code!r} must be a code")
        assert "RELU" in said


@pytest.mark.parametrize("cache", [None, 3, (), np.ones((3, 3)), (1, 2), "abc", {1: 2}])
def test_what_is_no_cache_is_refused(cache):
    for name in ("linear_backward", "linear_activation_backward"):
        rest = (kernels.RELU,) if "activation" in name else ()
        with pytest.raises(TypeError, match="cache must be the tuple"):
            getattr(kernels, name)(matrix(4, 2), cache, *rest)
    with pytest.raises(TypeError, match="cache must be the tuple"):
        kernels.linear_activation_backward(matrix(4, 2), (cache, matrix(4, 2)), kernels.RELU)


def test_a_missing_or_unknown_argument_is_a_type_error():
    with pytest.raises(TypeError, match="'db'"):
        kernels.update_parameters(matrix(3, 2), matrix(2), matrix(3, 2))
    with pytest.raises(TypeError, match="too many"):
        kernels.relu(matrix(2), matrix(2))
    with pytest.raises(TypeError, match="'rate'"):
        kernels.relu(matrix(2), rate=1)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.1])
@pytest.mark.parametrize("argument", ["AL", "Y"])
def test_a_cost_of_no_probabilities_is_refused(argument, wrong):
    value = arguments("compute_cost")[argument]
    value[2, 1] = wrong
    assert "must lie between 0 and 1" in refused("compute_cost", argument, value)


@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_a_cost_takes_targets_of_integers(dtype):
    AL, Y = matrix(4, 2), np.eye(2)[[0, 1, 1, 0]]
    cost = kernels.compute_cost(AL, Y.astype(dtype))
    assert cost == kernels.compute_cost(AL, Y)
    rounded = np.nextafter(np.ones((1, 2), np.float32), np.float32(2))
    assert np.isfinite(kernels.compute_cost(rounded, np.ones((1, 2))[:, :2].astype("f4")))


@pytest.mark.needs_jit
def test_compiled_callers_get_the_compiled_function():
    relu = kernels.relu

    @numba.njit
    def through_module(Z):
        return kernels.relu(Z)

    @numba.njit
    def through_closure(Z):
        return relu(Z)

    @numba.njit
    def through_argument(function, Z):
        return function(Z)

    Z = matrix(4, 2) - 0.5
    n_signatures = len(relu.compiled.signatures)
    for result in (through_module(Z), through_closure(Z), through_argument(relu, Z)):
        np.testing.assert_array_equal(result, relu(Z))
    assert len(relu.compiled.signatures) <= n_signatures + 1
