"""Turns off optimisations that change no bit, one by one: for tests and measurements."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastdnn.products.switches import OPTIMISATIONS

_switched_off = 0


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let the fits and predictors that begin in this context do without some optimisations.

    Parameters
    ----------
    *names : str
        Keys of `fastdnn.products.switches.OPTIMISATIONS`.
    """
    global _switched_off
    before = _switched_off
    for name in names:
        _switched_off |= OPTIMISATIONS[name]
    try:
        yield
    finally:
        _switched_off = before


def switched_off() -> int:
    """Return the bits of the optimisations that are off."""
    return _switched_off
