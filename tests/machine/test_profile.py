"""Kinds of processors: which one a processor is of, and that its tiles fit its registers."""

import numba
import numpy as np
import pytest

from fastdnn.machine.processor import lanes_of, vector_lanes
from fastdnn.machine.profile import KIND, PROFILE, PROFILES, rows_of_tile


@pytest.mark.parametrize("kind", PROFILES)
def test_tiles_fit_the_registers(kind):
    profile = PROFILES[kind]
    n_registers = 32 if profile.vector_bytes == 64 or kind == "AArch64" else 16
    for rows, n_vectors in [(profile.tile_rows, 3), (profile.rows_of_one_vector, 1)]:
        # Sums, a row of the right operand, and an element of the left one.
        assert rows * n_vectors + n_vectors + 1 <= n_registers


def test_this_process_has_the_profile_of_its_kind():
    assert PROFILES[KIND] == PROFILE
    assert rows_of_tile(1) == PROFILE.rows_of_one_vector
    assert rows_of_tile(2) == rows_of_tile(3) == PROFILE.tile_rows


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_code_knows_the_lanes_of_a_vector(dtype):
    @numba.njit
    def lanes(real):
        return lanes_of(real)

    assert lanes(dtype(0)) == vector_lanes(np.dtype(dtype))
