"""What code is compiled for, and on which other processors it may be used."""

import pytest

from fastdnn.compiler.target import Target

X86 = "x86_64-unknown-linux-gnu"
AVX, AVX2 = "+sse2,+avx", "+sse2,+avx,+avx2,+fma"
AVX512 = AVX2 + ",+avx512f"
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
    assert Target(triple, name, features).kind == kind


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


@pytest.mark.parametrize("features", ["+avx2,+fma", "+fma", "+avx,-fma4,+fma,-sse4a"])
def test_processors_that_fuse_products_and_sums(features):
    assert Target(X86, "some", features).fuses_multiply_add
    other = features.replace("+fma", "-fma")
    assert not Target(X86, "some", other).fuses_multiply_add
    assert Target("arm64-apple-darwin23", "apple-m1", other).fuses_multiply_add
