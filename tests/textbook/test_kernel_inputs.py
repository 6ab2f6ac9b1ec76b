"""Public kernels called from Python: what does not fit is refused before anything is done."""

import traceback
from pathlib import Path

import numba
import numpy as np
import pytest

from fastdnn import textbook as kernels
from fastdnn.textbook import activations, kernel_inputs, layer_kernels
from tests.cases import case
from tests.textbook.kernel_calls import (
    ARRAYS,
    CHANGED,
    NAMES,
    arguments,
    call,
    matrix,
    numbers,
)
from tests.wrong_arrays import (
    NO_NUMBERS,
    NO_POSITIVE_NUMBERS,
    OTHER_SHAPES,
    OTHER_TYPES,
    SAME_NUMBERS,
)

CHECKS = Path(kernel_inputs.__file__).name


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


NO_FLOATS = NO_NUMBERS | {
    name: OTHER_TYPES[name] for name in ("list", "tuple", "other bytes", "longdouble")
}


@pytest.mark.parametrize(("name", "argument"), ARRAYS)
def test_what_is_no_array_of_floats_is_refused(name, argument):
    for wrong, make in NO_FLOATS.items():
        value = make(arguments(name)[argument])
        if wrong == "longdouble" and value.dtype == np.float64:
            continue  # here the same
        with case(wrong):
            assert refused(name, argument, value).startswith(argument)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "compute_cost"])
def test_other_dtypes_are_refused(name):
    for argument, value in arguments(name).items():
        for dtype in (np.int64, np.float16, bool):
            if isinstance(value, np.ndarray):
                with case(argument, dtype):
                    assert argument in refused(name, argument, value.astype(dtype))


#: Layouts of parameters that cannot be changed where they lie.
NOT_CHANGEABLE = ["unaligned", "read-only"]
# An elementwise function takes any shape.
OF_MATRICES = [row for row in ARRAYS if len(arguments(row[0])) > 1]


@pytest.mark.parametrize(("name", "argument"), OF_MATRICES)
def test_other_shapes_are_refused(name, argument):
    for wrong, make in OTHER_SHAPES.items():
        if argument == "A_prev" and "row" in wrong and name.endswith("forward"):
            continue  # a layer takes any number of samples
        with case(wrong):
            assert argument in refused(name, argument, make(arguments(name)[argument]))


@pytest.mark.parametrize(("name", "argument"), OF_MATRICES)
def test_two_precisions_are_refused(name, argument):
    value = arguments(name)[argument]
    assert "float32" in refused(name, argument, value.astype(np.float32))


@pytest.mark.parametrize(("name", "argument"), ARRAYS)
def test_the_layout_does_not_matter(name, argument):
    for layout, make in SAME_NUMBERS.items():
        given, usual = arguments(name), arguments(name)
        if name == "update_parameters" and argument in CHANGED and layout in NOT_CHANGEABLE:
            continue
        given[argument] = make(given[argument])
        with case(layout):
            np.testing.assert_array_equal(
                numbers(call(name, given)), numbers(call(name, usual))
            )
            for key in CHANGED:
                np.testing.assert_array_equal(given.get(key), usual.get(key))


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    ("name", "compiled"),
    [
        ("sigmoid", activations._sigmoid.compiled),
        ("linear_activation_forward", layer_kernels.forward_of_linear.compiled),
    ],
)
def test_layouts_are_not_compiled_one_by_one(name, compiled):
    call(name, arguments(name))
    n_signatures = len(compiled.signatures)
    argument = next(iter(arguments(name)))
    for layout in SAME_NUMBERS.values():
        call(name, arguments(name) | {argument: layout(arguments(name)[argument])})
    assert len(compiled.signatures) == n_signatures


@pytest.mark.parametrize("layout", NOT_CHANGEABLE)
@pytest.mark.parametrize("argument", CHANGED)
def test_parameters_that_cannot_be_changed_are_refused(argument, layout):
    value = SAME_NUMBERS[layout](arguments("update_parameters")[argument])
    said = refused("update_parameters", argument, value)
    assert f"{argument} is changed in place" in said


@pytest.mark.parametrize("argument", ["learning_rate", "decay"])
def test_numbers_out_of_range_are_refused(argument):
    for value in [*NO_POSITIVE_NUMBERS, 1e-310]:
        is_number = type(value) in (int, float)
        with case(value):
            if argument == "decay" and is_number and 0 <= value < 1e-300:
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


N_CODES = len(layer_kernels.ACTIVATION_CODES)


@pytest.mark.parametrize(
    "code", ["relu", None, 1.0, True, -1, N_CODES, 2**70, [1], np.ones(1)]
)
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
