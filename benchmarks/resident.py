"""Memory of this process: what a call adds to its resident size at the highest."""

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")


def added_memory(run: Callable[[], object]) -> int | None:
    """Return by how many bytes a call raises the highest resident size; None if unknown.

    Linux only, where the kernel's record of the highest size can be reset. The call is made
    on other systems too.
    """
    if sys.platform != "linux":
        run()
        return None
    gc.collect()
    _give_back()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    run()
    return _resident("VmHWM") - before


def _give_back() -> None:
    """Have the C library return what is free, which a call would use without adding to it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc
        trim(0)


def _resident(name: str) -> int:
    lines = _STATUS.read_text().splitlines()
    return next(1024 * int(x.split()[1]) for x in lines if x.startswith(f"{name}:"))
