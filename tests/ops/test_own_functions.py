"""Activations and losses of users' own: what is refused, what is equal, what is stored."""

import copy
import pickle

import joblib
import numba
import numpy as np
import pytest

import fastdnn
from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.compiler.users_functions import path_of
from tests import own
from tests.ops.activation_calls import backward, forward
from tests.ops.loss_calls import no_weights, of_output
from tests.processes import run_python
from tests.small_layers import DTYPES, gradients, layer

OBJECTS = [own.SWISH, own.LEAKY, own.SQUARE, own.CROSS_ENTROPY, own.DEVIANCE]
IDS = [made.name for made in OBJECTS]


# -- what they compute --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_activation_computes_as_the_same_one_of_the_table(dtype):
    Z, b = layer(dtype)
    dA, db = gradients(Z.shape, dtype)
    eps = np.finfo(dtype).eps
    for ours, theirs in zip(
        (forward(own.SWISH, Z, b)[1], *backward(own.SWISH, Z, b, dA, db)),
        (forward("silu", Z, b)[1], *backward("silu", Z, b, dA, db)),
        strict=True,
    ):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=32 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_of_float64_within_a_function_are_rounded_once(dtype):
    Z, b = layer(dtype)
    A = forward(own.LEAKY, Z, b)[1]
    np.testing.assert_array_equal(A, np.where(Z + b > 0, Z + b, (Z + b) / 8))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_loss_computes_as_the_same_one_of_the_table(dtype):
    rng = np.random.default_rng(0)
    A, Y = (rng.standard_normal((5, 3)).astype(dtype) for _ in range(2))
    ours, theirs = (
        of_output(name, A, Y, no_weights(dtype)) for name in (own.SQUARE, "squared_error")
    )
    assert ours[0] == theirs[0]
    np.testing.assert_array_equal(ours[1], theirs[1])


def test_a_row_is_made_once():
    again = fastdnn.Activation(own.swish, own.swish_prime, name="another")
    assert again.row is own.SWISH.row
    assert fastdnn.Loss(own.square, own.square_prime).row is own.SQUARE.row


# -- what is refused ----------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("kind", [fastdnn.Activation, fastdnn.Loss])
@pytest.mark.parametrize("function", [lambda z: z, abs, "relu", None, 1.0])
def test_what_is_not_compiled_is_refused(kind, function):
    with pytest.raises(ValueError, match=r"value=.* must be a function that numba has"):
        kind(function, own.swish_prime)
    with pytest.raises(ValueError, match=r"derivative=.*@numba\.njit"):
        kind(own.swish, function)


@pytest.mark.parametrize("name", ["", 3, ["a"]])
def test_a_name_is_a_string(name):
    with pytest.raises(ValueError, match="must be a string that is not empty, or None"):
        fastdnn.Activation(own.swish, own.swish_prime, name=name)


@pytest.mark.parametrize("output", ["sigmoid", None, ["exp"]])
def test_an_output_of_a_loss_is_one_of_some(output):
    with pytest.raises(ValueError, match=r"output=.* must be one of \['identity', 'exp'"):
        fastdnn.Loss(own.square, own.square_prime, output=output)


@numba.njit
def half(a, y):
    return 0.5


def test_a_wrong_derivative_is_refused_with_numbers():
    with pytest.raises(ValueError) as error:
        fastdnn.Activation(own.swish, own.leaky_prime)
    said = str(error.value)
    for part in ("at z=-7.", "the value is -0.00", "derivative 0.125", "differences", "away"):
        assert part in said
    with pytest.raises(ValueError, match=r"at a=-2\.71, y=-2\.71 the value is 0 "):
        fastdnn.Loss(own.square, half)


@numba.njit
def shifted(z):
    return max(z - 0.001, 0.0)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_a_kink_may_have_any_slope_between_its_sides(slope):
    @numba.njit
    def prime(z):
        return 1.0 if z > 0.001 else (slope if z == 0.001 else 0.0)

    assert fastdnn.Activation(shifted, prime).name == "shifted"


@numba.njit
def logarithm(z):
    return np.log(z)


@numba.njit
def reciprocal(z):
    return 1.0 / z


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # without JIT
def test_an_activation_takes_any_number():
    with pytest.raises(ValueError, match=r"NaN or infinite at 30 of 61 points.*be finite"):
        fastdnn.Activation(logarithm, reciprocal)


def test_a_function_of_other_arguments_is_refused():
    with pytest.raises(ValueError, match=r"value does not return a number for z=-7\.299"):
        fastdnn.Activation(own.square, own.swish_prime)
    with pytest.raises(
        ValueError, match=r"derivative does not return .* function of 2 numbers"
    ):
        fastdnn.Loss(own.square, own.swish_prime)


@pytest.mark.needs_jit
def test_a_function_that_numba_cannot_compile_is_refused():
    @numba.njit
    def words(z):
        return {"z": [z, "z"]}

    with pytest.raises(ValueError, match=r"value does not return a number.*nopython mode"):
        fastdnn.Activation(words, own.swish_prime)


# -- objects ------------------------------------------------------------------------------


@pytest.mark.parametrize("made", OBJECTS, ids=IDS)
def test_equal_objects_have_equal_functions_and_names(made):
    kind = type(made)
    also = {} if kind is fastdnn.Activation else {"output": made.output}
    again = kind(made.value, made.derivative, name=made.name, **also)
    assert again == made
    assert hash(again) == hash(made)
    assert kind(made.value, made.derivative, name="another", **also) != made
    assert made != made.name
    assert copy.copy(made) is copy.deepcopy(made) is made
    assert made.name in repr(made)
    with pytest.raises(AttributeError, match="cannot be set"):
        made.name = "another"


@pytest.mark.parametrize("made", OBJECTS, ids=IDS)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_has_the_import_path(made, protocol):
    stored = pickle.dumps(made, protocol)
    assert path_of(made.value).encode() in stored
    assert len(stored) < 500  # no code
    assert pickle.loads(stored) == made


_IN_ANOTHER_PROCESS = """
import pickle, sys
activation, loss = pickle.loads(bytes.fromhex({stored!r}))
assert "tests.own" in sys.modules
from tests import own
assert (activation, loss) == (own.SWISH, own.CROSS_ENTROPY)
for made in activation, loss:
    made.row
    print(made.name)
"""


@pytest.mark.waits_for_processes
def test_another_process_imports_the_functions():
    made = own.SWISH, own.CROSS_ENTROPY
    code = _IN_ANOTHER_PROCESS.format(stored=pickle.dumps(made).hex())
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [each.name for each in made]


def test_a_function_that_is_no_longer_there_is_named(monkeypatch):
    stored = pickle.dumps(own.SWISH)
    monkeypatch.delattr(own, "swish")
    with pytest.raises(AttributeError, match=r"'tests\.own:swish' is not there"):
        pickle.loads(stored)


def _value_at(made, z):
    return made.value(z), made == own.SWISH


@pytest.mark.needs_jit  # a local function of Python's has no pickle
def test_local_functions_are_pickled_with_their_code():
    factor = 3.0

    @numba.njit
    def local(z):
        return factor * z

    @numba.njit
    def local_prime(z):
        return factor + 0.0 * z

    made = fastdnn.Activation(local, local_prime)
    assert pickle.loads(pickle.dumps(made)) == made
    calls = [joblib.delayed(_value_at)(each, 2.0) for each in (made, own.SWISH)]
    of_local, of_module = joblib.Parallel(n_jobs=2)(calls)
    assert of_local == (6.0, False)
    assert of_module == (own.swish(2.0), True)


def test_functions_are_functions_of_python_without_jit():
    assert callable(own.SWISH.value)
    assert JIT_ENABLED == hasattr(own.SWISH.value, "py_func")
