"""Races processes that compile and store into one empty cache, and counts what goes wrong.

    python scripts/race_cache.py [TRIES]

In each try two processes call one new entry point at the same time, one with float32 and one
with float64. An entry is poisoned if a later process gets from it anything but the code of its
own type; it is lost if that process has to compile again.
"""

import multiprocessing
import os
import sys
import tempfile
from typing import Any

import numpy as np

_TYPES = (np.float32, np.float64)
_SECONDS_TO_MEET = 60


def entry_point_of(number: int) -> Any:
    """Return a new entry point, the same one in every process."""
    from fastdnn.compiler.jit import entry_point

    names: dict[str, Any] = {"__name__": __name__}
    exec(f"def shifted_{number}(x):\n    return x + x / {number + 3}\n", names)
    return entry_point(names[f"shifted_{number}"])


def store(barrier: Any, real: Any, tries: int) -> None:
    """Call every entry point with numbers of one type, when both processes are there."""
    for number in range(tries):
        call = entry_point_of(number)
        barrier.wait(_SECONDS_TO_MEET)
        call(real(1.5))


def check(tries: int, result: Any) -> None:
    """Call every entry point with both types; count wrong results and compilations."""
    from fastdnn.compiler import cache as cache_module

    compiled: list[int] = []
    # A function in the place of another, which types of a module do not allow for.
    cache_module._announce_compilation = lambda: compiled.append(1)  # type: ignore[assignment]
    poisoned = 0
    for number in range(tries):
        for real in _TYPES:
            call = entry_point_of(number)
            value = call(real(1.5))
            expected = np.float64(real(1.5) + real(1.5) / (number + 3))
            is_right = abs(value - expected) <= 4 * np.finfo(real).eps
            [signature] = call.signatures
            poisoned += not (is_right and str(signature[0]) == np.dtype(real).name)
    result.put((poisoned, len(compiled)))


def main() -> None:
    """Race as often as asked for."""
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FASTDNN_CACHE_DIR"] = folder
        barrier, result = context.Barrier(len(_TYPES)), context.Queue()
        racers = [
            context.Process(target=store, args=(barrier, real, tries)) for real in _TYPES
        ]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        checker = context.Process(target=check, args=(tries, result))
        checker.start()
        checker.join()
        if any(process.exitcode for process in [*racers, checker]):
            sys.exit("a process failed")
        poisoned, lost = result.get()
    print(f"{tries} tries, {poisoned} entries poisoned, {lost} lost")
    sys.exit(bool(poisoned or lost))


if __name__ == "__main__":
    main()
