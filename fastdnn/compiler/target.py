"""What code is compiled for: a system and a processor, and what of it decides on kernels."""

from typing import Any, NamedTuple

# Processors that take a vector in two halves, so that half of one costs half as much: Zen 1
# the vectors of AVX2, Zen 4 those of AVX-512.
_SPLITTING_PROCESSORS = ("znver1", "znver4")


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
    def choices(self) -> tuple:
        """All that the way kernels are written depends on; see `fastdnn.machine.processor`."""
        return (
            self.vector_bytes,
            self.has_32_registers,
            self.fuses_multiply_add,
            self.splits_vectors,
        )

    @property
    def vector_bytes(self) -> int:
        """The size of a vector."""
        if self._has("avx512f"):
            return 64
        return 32 if self._has("avx") else 16

    @property
    def has_32_registers(self) -> bool:
        """Whether there are 32 registers for vectors; else there are 16."""
        return self._has("avx512f") or self._is_arm

    @property
    def fuses_multiply_add(self) -> bool:
        """Whether a product is added to a number in one instruction, rounding once."""
        return self._has("fma") or self._is_arm

    @property
    def splits_vectors(self) -> bool:
        """Whether half a vector costs half as much."""
        return self.processor in _SPLITTING_PROCESSORS

    def runs_on(self, other: "Target") -> bool:
        """Whether code for this one is what would be compiled for the other, if plainer.

        The other has all that the code uses, and nothing that kernels would be written
        differently for.
        """
        is_plainer = self.triple == other.triple and self.has_no_more_than(other)
        return is_plainer and self.choices == other.choices

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
