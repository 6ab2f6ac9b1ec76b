"""Interrupt fits and predictions on teams at every instruction of the package's own Python.

    python scripts/interrupt_everywhere.py [--step N] [CASE ...]

Takes an hour for all; ``--step 10`` takes every tenth instruction. Ends with an error, or with
the place of every thread where something hangs.
"""

import argparse
import faulthandler
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests are not installed

from tests import interrupts


def main() -> None:
    """Interrupt, and print how often."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(interrupts.CASES))
    parser.add_argument("--step", type=int, default=1, metavar="N")
    parser.add_argument("--first", type=int, default=1, metavar="N")
    arguments = parser.parse_args()
    for name in arguments.cases or interrupts.CASES:
        if name not in interrupts.CASES:
            sys.exit(f"CASE {name!r} must be one of {', '.join(interrupts.CASES)}.")

        def positions(n: int, name: str = name) -> range:
            print(f"{name}: {n} instructions", flush=True)
            return range(arguments.first, n + 1, arguments.step)

        start = time.perf_counter()
        faulthandler.dump_traceback_later(7200, exit=True)
        n_done = interrupts.interrupt(name, positions)
        print(f"{name}: {n_done} interrupts in {time.perf_counter() - start:.0f} s, no harm")


if __name__ == "__main__":
    main()
