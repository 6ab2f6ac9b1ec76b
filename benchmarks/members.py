"""Members beside one network: processor time, time by the clock, and copies of X.

    python -m benchmarks.members [--json] [--turns N] [--rows N]

Fits of 1, 2, 4 and 8 members, of one thread a member, are timed in turns, after one that is
not. Processor time is that of all threads together, which other programs do not change much:
k members should take k times that of one, so that c CPUs take k/c of its time by the clock
where nobody else uses them. The same with folds, each of which has (k-1)/k of the rows. What
the fits add to the memory of the process tells whether each has an X of its own; Linux only.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.measure import add_json_option, environment, spread, store
from benchmarks.resident import added_memory
from fastdnn import DNNClassifier

_MEMBERS = [1, 2, 4, 8]
_EPOCHS = 5


def data(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of 100 features, and their classes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 100), np.float32)
    return X, (X @ rng.standard_normal((100, 10), np.float32)).argmax(axis=1)


def fit(X: np.ndarray, y: np.ndarray, n_members: int, bagging: str | None) -> DNNClassifier:
    """Train members for some epochs each."""
    model = DNNClassifier(
        (128, 128),
        batch_size=256,
        max_iter=_EPOCHS,
        random_state=0,
        n_members=n_members,
        bagging=bagging,
        n_threads=1 if n_members == 1 else None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return the processor time of a call, of all threads, and its time by the clock."""
    start, clock = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - start, time.perf_counter() - clock


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rows", type=int, default=50_000)
    add_json_option(parser, "members.json")
    arguments = parser.parse_args()
    X, y = data(arguments.rows)
    runs = [(k, None) for k in _MEMBERS] + [(k, "folds") for k in _MEMBERS[2:]]
    seconds: dict[tuple, list[tuple[float, float]]] = {run: [] for run in runs}
    for turn in range(arguments.turns + 1):
        for k, bagging in runs:
            found = timed(lambda k=k, bagging=bagging: fit(X, y, k, bagging))
            if turn > 0:
                seconds[k, bagging].append(found)
    results, ones = [], seconds[1, None]
    for (k, bagging), of_turns in seconds.items():
        processor = spread([a[0] / b[0] for a, b in zip(of_turns, ones, strict=True)])
        clock = spread([a[1] / b[1] for a, b in zip(of_turns, ones, strict=True)])
        memory = added_memory(lambda k=k, bagging=bagging: fit(X, y, k, bagging))
        row = {
            "members": k,
            "bagging": bagging,
            "processor_seconds": statistics.median(a[0] for a in of_turns),
            "processor": processor,
            "clock": clock,
            "memory": None if memory is None else memory / X.nbytes,
        }
        results.append(row)
        print(
            f"{k} members, bagging={bagging}: {processor['ratio']:.2f} times the processor "
            f"time of one ({processor['lowest']:.2f} to {processor['highest']:.2f}), "
            f"{clock['ratio']:.2f} by the clock, and {row['memory']} of X in memory"
        )
    store(
        arguments.json,
        {"environment": environment(), "turns": arguments.turns, "results": results},
    )


if __name__ == "__main__":
    main()
