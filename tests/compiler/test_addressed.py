"""Kernels found by address: compiled alone, kept by name, called with what they take."""

import subprocess
import sys

import numba
import numpy as np
import pytest
from numba.core import errors, types

from fastdnn.compiler.addressed import Addressed, Form, matrix, vector_of
from fastdnn.compiler.cache import cache_directory
from fastdnn.ops.activations import ACTIVATIONS, FORWARD, from_input
from fastdnn.ops.losses import LOSSES, of_outputs
from fastdnn.ops.optimizers import OPTIMIZERS

SCALE = Form("a test", lambda real: (vector_of(real), types.float64), types.float64)
call_scale = SCALE.call


def scale(x, factor):
    for i in range(x.size):
        x[i] *= factor
    return float(x.size)


@numba.njit
def scaled(address, x, factor):
    return call_scale(address, (x, factor))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_is_called_and_returns(dtype):
    x = np.arange(5.0).astype(dtype)
    assert scaled(Addressed(SCALE, scale, None).address(dtype), x, 2) == 5.0
    np.testing.assert_array_equal(x, 2.0 * np.arange(5.0))


def test_each_type_has_an_address_of_its_own_that_stays():
    kernel = Addressed(SCALE, scale, None)
    addresses = [kernel.address(dtype) for dtype in ("float32", "float64")]
    assert len({0, *addresses}) == 3
    assert [kernel.address(np.dtype(dtype)) for dtype in ("float32", "float64")] == addresses


def test_what_a_kernel_raises_reaches_its_caller():
    def fail(x, factor):
        raise IndexError("out of reach")

    with pytest.raises(IndexError, match="out of reach"):
        scaled(Addressed(SCALE, fail, None).address(np.float64), np.ones(1), 1.0)


@pytest.mark.needs_jit
@pytest.mark.parametrize("arguments", [(1, 2.0), (np.ones((2, 2)), 1.0), (np.ones(1), 1.0, 1)])
def test_a_call_that_does_not_fit_the_form_is_not_compiled(arguments):
    call = SCALE.call

    @numba.njit
    def wrong(address, arguments):
        return call(address, arguments)

    with pytest.raises(errors.TypingError, match="a kernel for a test does not take"):
        wrong(1, arguments)


IN_A_PROCESS = """
import logging, sys
from fastdnn.ops.optimizers import OPTIMIZERS
logging.basicConfig(level=logging.WARNING, format="%(message)s")
OPTIMIZERS["momentum"].update.address("float32")
"""


@pytest.mark.waits_for_processes
@pytest.mark.needs_jit
def test_code_of_the_package_is_kept_and_that_of_others_is_not(tmp_path):
    said = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            env={"FASTDNN_CACHE_DIR": str(tmp_path), "PATH": ""},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.append(run.stderr)
    assert "compiling" in said[0]
    assert said[1] == ""
    assert len(list(tmp_path.rglob("optimizers.momentum.update.*.code"))) == 1
    Addressed(SCALE, scale, None).address(np.float64)
    assert not list(cache_directory().glob("*scale*"))


def test_names_in_the_tables_are_different():
    rows = [*ACTIVATIONS.values(), *LOSSES.values(), *OPTIMIZERS.values()]
    parts = [part for row in rows for part in (*row, *getattr(row, "canonical", {}).values())]
    kernels = {id(part): part for part in parts if isinstance(part, Addressed)}
    assert len({kernel.name for kernel in kernels.values()}) == len(kernels)


# -- a user's own pair of compiled scalar functions ----------------------------------------


@numba.njit
def leaky(z):
    return z if z > 0 else 0.125 * z


@numba.njit
def leaky_prime(z):
    return 1.0 if z > 0 else 0.125


@numba.njit
def run_forward(address, Z, A):
    FORWARD_CALL(address, (Z, A))


FORWARD_CALL = FORWARD.call


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scalar_functions_from_outside_become_a_layer(dtype):
    row = from_input(None, leaky, leaky_prime)
    Z = np.linspace(-2, 2, 10, dtype=dtype).reshape(5, 2)
    A = np.empty_like(Z)
    run_forward(row.forward.address(dtype), Z, A)
    np.testing.assert_array_equal(A, np.where(Z > 0, Z, Z / 8))


def test_forms_name_matrices_and_vectors():
    assert matrix(types.float32) == numba.types.Array(types.float32, 2, "C")
    assert of_outputs(None, leaky, leaky_prime).name is None
