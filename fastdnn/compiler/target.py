"""What code is compiled for: a system and a processor, and what of it decides on kernels."""

from typing import Any, NamedTuple

# They take a vector of AVX2, or of AVX-512, in halves.
_IN_HALVES = ("znver1", "znver4")


class Target(NamedTuple):
    """A system and a processor, as LLVM names them.

    Attributes
    ----------
    triple, processor : str
        As in ``x86_64-unknown-linux-gnu`` and ``znver4``.
    features : str
        What the processor has and has not, as in ``+avx,-sse4a``.
    """

    triple: str
    processor: str
    features: str

    @classmethod
    def of(cls, codegen: Any) -> "Target":  # needs jit
        """Return what numba's code generator makes code for."""
        return cls(*codegen.magic_tuple())

    @property
    def kind(self) -> str:
        """The kind of processor, which kernels are cut by: see `fastdnn.machine.profile`."""
        if self._is_arm:
            return "AArch64"
        if self._has("avx512f"):
            kind = "AVX-512"
        elif self._has("avx"):
            kind = "AVX2"
        else:
            return "other"
        return f"{kind} in halves" if self.processor in _IN_HALVES else kind

    @property
    def fuses_multiply_add(self) -> bool:
        """Whether a product is added to a number in one instruction, rounding once."""
        return self._has("fma") or self._is_arm

    def runs_on(self, other: "Target") -> bool:
        """Whether code for this one may be used where code for the other would be compiled.

        The other has all that the code uses, and is of a kind for which kernels are written
        in the same way.
        """
        mine = self.triple, self.kind, self.fuses_multiply_add
        its = other.triple, other.kind, other.fuses_multiply_add
        return mine == its and self.has_no_more_than(other)

    def has_no_more_than(self, other: "Target") -> bool:
        """Whether the other processor has all that this one has."""
        return self._features() <= other._features()

    def n_features(self) -> int:
        """Return how much of the processor is used."""
        return len(self._features())

    @property
    def _is_arm(self) -> bool:
        return self.triple.startswith(("aarch64", "arm64"))

    def _has(self, feature: str) -> bool:
        return f"+{feature}" in self.features.split(",")

    def _features(self) -> set[str]:
        return {name for name in self.features.split(",") if name.startswith("+")}
