"""Count the runnable threads of a process and its children, seen from outside (Linux).

``RunnableThreads`` starts this file as a process of its own, since a thread would wait for
the interpreter's lock exactly when others run.
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

_INTERVAL = 0.005
_SAMPLES_A_LOOK = 20  # new children are looked for every tenth of a second


class RunnableThreads:
    """Context in which the runnable threads of this process and its children are counted.

    Attributes
    ----------
    counts : list of int
        The number of runnable threads at each sample, after the context has ended.
    """

    def __enter__(self) -> "RunnableThreads":
        self.counts: list[int] = []
        self._sampler = subprocess.Popen(
            [sys.executable, __file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        printed, _ = self._sampler.communicate()  # closes its input, which ends it
        self.counts = json.loads(printed)


def _fields(path: Path) -> list[str]:
    """Return state, parent and so on: what follows the name, which may hold spaces."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:  # has ended meanwhile
        return []


def _family(ancestor: int) -> list[int]:
    """Return a process and all that descend from it, without this one."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _fields(folder / "stat")):
            parents[int(folder.name)] = int(fields[1])
    found = [ancestor]
    for member in found:
        found += [pid for pid, parent in parents.items() if parent == member]
    return [pid for pid in found if pid != os.getpid()]


def _count(family: list[int]) -> int:
    total = 0
    for pid in family:
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
        except OSError:
            continue
        total += sum(_fields(task / "stat")[:1] == ["R"] for task in tasks)
    return total


def main() -> None:
    """Sample until the input ends, and print the counts."""
    ancestor, counts, family = int(sys.argv[1]), [], []
    while not select.select([sys.stdin], [], [], _INTERVAL)[0]:
        if len(counts) % _SAMPLES_A_LOOK == 0:
            family = _family(ancestor)
        counts.append(_count(family))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
