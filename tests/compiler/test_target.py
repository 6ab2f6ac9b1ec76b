"""What code is compiled for, and on which other processors it may be used."""

import pytest

from fastdnn.compiler.target import Target

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
SSE, AVX, AVX2 = "+sse2", "+sse2,+avx", "+sse2,+avx,+avx2,+fma"
AVX512 = AVX2 + ",+avx512f"


@pytest.mark.parametrize(
    ("triple", "features", "n_bytes", "has_32", "fuses"),
    [
        (X86, "", 16, False, False),
        (X86, SSE, 16, False, False),
        (X86, "+sse2,-avx,-avx512f,-fma", 16, False, False),
        (X86, AVX, 32, False, False),
        (X86, "+avx2,+fma4,-avx512f,+avx", 32, False, False),
        (X86, AVX2, 32, False, True),
        (X86, AVX512, 64, True, True),
        (ARM, "+neon", 16, True, True),
    ],
)
def test_features_decide_on_vectors(triple, features, n_bytes, has_32, fuses):
    target = Target(triple, "some", features)
    found = target.vector_bytes, target.has_32_registers, target.fuses_multiply_add
    assert found == (n_bytes, has_32, fuses)


@pytest.mark.parametrize(
    ("kind", "here", "runs"),
    [
        (("haswell", AVX2), ("skylake", AVX2 + ",+adx"), True),
        (("haswell", AVX2), ("znver3", AVX2 + ",-avx512f"), True),
        (("skylake", AVX2 + ",+adx"), ("haswell", AVX2), False),
        (("skylake", AVX2 + ",+adx"), ("haswell", AVX2 + ",-adx"), False),
        # Kernels would be written otherwise, with longer vectors or in halves.
        (("haswell", AVX2), ("icelake", AVX512), False),
        (("sandybridge", AVX), ("haswell", AVX2), False),
        (("x86-64-v4", AVX512), ("znver4", AVX512), False),
        (("znver4", AVX512), ("znver4", AVX512), True),
    ],
)
def test_code_runs_where_all_it_uses_is_and_nothing_else_would_be_chosen(kind, here, runs):
    assert Target(X86, *kind).runs_on(Target(X86, *here)) is runs


def test_code_runs_on_its_own_system_only():
    musl = "x86_64-unknown-linux-musl"
    assert not Target(X86, "haswell", AVX2).runs_on(Target(musl, "haswell", AVX2))
