"""Kinds of processors: which one a processor is of, and that its tiles fit its registers."""

import numba
import numpy as np
import pytest

from fastdnn.machine.processor import lanes_of, vector_lanes
from fastdnn.machine.profile import KIND, PROFILE, PROFILES, kind_of_processor, rows_of_tile

X86 = "x86_64-unknown-linux-gnu"
ZEN_4 = "+avx,+avx2,+avx512f,-avx512fp16,+fma"


@pytest.mark.parametrize(
    ("kind", "triple", "name", "features"),
    [
        ("AVX-512", X86, "znver5", "+64bit,+avx,+avx2,+avx512bw,+avx512f"),
        ("AVX-512 in halves", X86, "znver4", ZEN_4),
        ("AVX2", X86, "haswell", "+64bit,+avx,+avx2,-avx512f"),
        ("AVX2 in halves", X86, "znver1", "+avx,+avx2"),
        ("AVX2", "x86_64-pc-windows-msvc", "sandybridge", "+avx"),
        ("other", X86, "nehalem", "-avx,-avx2,-avx512f,+sse4.2"),
        ("other", X86, "znver4", ""),
        ("AArch64", "aarch64-unknown-linux-gnu", "neoverse-n1", "+neon"),
        ("AArch64", "arm64-apple-darwin23", "apple-m1", "+neon"),
        ("other", "powerpc64le-unknown-linux-gnu", "pwr9", "+vsx"),
    ],
)
def test_a_processor_is_of_a_kind(kind, triple, name, features):
    assert kind_of_processor(triple, name, features) == kind


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
