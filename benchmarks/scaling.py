"""What an epoch costs against rows, width, depth and batch size, one of them at a time.

    python -m benchmarks.scaling [--json]

The time of an epoch is the difference of two fits of unlike length, divided by the
difference in epochs, so that validation and set-up drop out. Prints microseconds a step
and picoseconds for each floating-point operation of the matrix products, and exits with
an error at a cliff: where the latter rises by more than half from one size to the next.
"""

import argparse
import statistics
import sys
import time
import warnings
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.measure import add_json_option, environment, matmul_flops, spread, store
from fastdnn import DNNClassifier

_CLIFF = 1.5
_FEATURES, _CLASSES = 64, 10
_MOST_FLOPS = 2e10  # an epoch; wide and deep networks see fewer rows
_MOST_EPOCHS = 400


class Workload(NamedTuple):
    """One point of the scaling curves."""

    rows: int = 20_480
    width: int = 128
    depth: int = 2
    batch: int = 256

    def layer_sizes(self) -> list[int]:
        """Return the units of every layer."""
        return [_FEATURES, *[self.width] * self.depth, _CLASSES]

    def affordable(self) -> "Workload":
        """Return the same with as many rows as fit the limit, in whole batches."""
        rows = int(_MOST_FLOPS / matmul_flops(self.layer_sizes())) // self.batch * self.batch
        return self._replace(rows=max(4 * self.batch, min(self.rows, rows)))


#: What varies, from the smallest to the largest; all row counts are whole batches.
PANELS: dict[str, list[int]] = {
    "rows": [1024, 4096, 16_384, 65_536, 262_144, 1_048_576],
    "width": [16, 32, 64, 128, 256, 512, 1024, 2048],
    "depth": [1, 2, 3, 4, 6, 8],
    "batch": [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
}
QUICK_PANELS = {
    "rows": [1024, 4096],
    "width": [16, 64],
    "depth": [1, 2],
    "batch": [64, 256],
}


class EpochClock:
    """Times the epochs of one workload.

    Parameters
    ----------
    workload : Workload
        What is trained.
    X, y : ndarray
        Samples and labels, at least as many as the workload has rows.
    seconds : float
        How long the epochs of one measurement shall take.
    n_threads : int or None
        Threads of the fit.
    """

    def __init__(
        self,
        workload: Workload,
        X: np.ndarray,
        y: np.ndarray,
        seconds: float,
        n_threads: int | None,
    ) -> None:
        self.workload = workload
        self._X, self._y = X[: workload.rows], y[: workload.rows]
        self._n_threads = n_threads
        self._fit(1)
        first = self._difference(1)  # may be off by far: it is one epoch
        epochs = int(min(_MOST_EPOCHS, max(1.0, 0.1 * seconds / max(first, 1e-6))))
        self._epochs = int(
            min(_MOST_EPOCHS, max(1.0, seconds / max(self._difference(epochs), 1e-6)))
        )

    def _fit(self, epochs: int) -> float:
        model = DNNClassifier(
            hidden_layer_sizes=(self.workload.width,) * self.workload.depth,
            batch_size=self.workload.batch,
            max_iter=epochs,
            n_iter_no_change=10_000,
            random_state=0,
            n_threads=self._n_threads,
        )
        start = time.perf_counter()
        model.fit(self._X, self._y)
        return time.perf_counter() - start

    def _difference(self, epochs: int) -> float:
        short = self._fit(1)
        return (self._fit(1 + epochs) - short) / epochs

    def epoch(self) -> float:
        """Return the seconds of an epoch."""
        return self._difference(self._epochs)

    def figures(self, seconds: list[float]) -> dict[str, float]:
        """Return what is stored of the epochs' seconds."""
        rows, epoch = self.workload.rows, statistics.median(seconds)
        flops = rows * matmul_flops(self.workload.layer_sizes())
        picoseconds = spread([1e12 * t / flops for t in seconds], "ps_per_flop")
        return picoseconds | {
            "us_per_step": 1e6 * epoch / -(-rows // self.workload.batch),
            "gflops": 1e-9 * flops / epoch,
            "workload": self.workload._asdict(),
        }


def made_up(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random float32 samples and labels."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((n_rows, _FEATURES), np.float32)
    return X, np.arange(n_rows) % _CLASSES


def panel(
    name: str, sizes: list[int], turns: int, seconds: float, n_threads: int | None
) -> list[dict[str, float]]:
    """Return the figures of one panel; its sizes take turns, as contenders do elsewhere."""
    workloads = [Workload()._replace(**{name: size}) for size in sizes]
    if name != "rows":
        workloads = [workload.affordable() for workload in workloads]
    X, y = made_up(max(workload.rows for workload in workloads))
    clocks = [EpochClock(workload, X, y, seconds, n_threads) for workload in workloads]
    epochs: list[list[float]] = [[] for _ in clocks]
    for _ in range(turns):
        for clock, found in zip(clocks, epochs, strict=True):
            found.append(clock.epoch())
    points = []
    for size, clock, found in zip(sizes, clocks, epochs, strict=True):
        points.append({"size": size} | clock.figures(found))
    return points


def cliffs(points: list[dict]) -> list[str]:
    """Describe every rise of the time of an operation by more than half."""
    found = []
    for before, after in pairwise(points):
        rise = after["ps_per_flop"] / before["ps_per_flop"]
        if rise > _CLIFF:
            found.append(f"from {before['size']} to {after['size']} by {rise:.2f}")
    return found


def main() -> None:
    """Measure, print, store, and look for cliffs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("panels", nargs="*", help=f"of {list(PANELS)}; all by default")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.15, help="of one measurement")
    parser.add_argument("--threads", type=int, default=None, help="as many as pay by default")
    parser.add_argument("--quick", action="store_true", help="two small sizes of each")
    add_json_option(parser, "scaling.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    sizes = QUICK_PANELS if arguments.quick else PANELS
    panels, found = {}, {}
    for name in arguments.panels or PANELS:
        panels[name] = panel(
            name, sizes[name], arguments.turns, arguments.seconds, arguments.threads
        )
        for point in panels[name]:
            print(
                f"{name:6s} {point['size']:8d} {point['us_per_step']:10.1f} us a step "
                f"{point['ps_per_flop']:7.2f} ps an operation "
                f"({point['lowest']:.2f} to {point['highest']:.2f}) "
                f"{point['gflops']:6.1f} GFLOP/s  rows {point['workload']['rows']}",
                flush=True,
            )
        found[name] = cliffs(panels[name])
    stored = {
        "environment": environment(),
        "turns": arguments.turns,
        "threads": arguments.threads,
        "panels": panels,
    }
    store(arguments.json, stored)
    for name, descriptions in found.items():
        for description in descriptions:
            print(f"Cliff: the time of an operation rises with {name} {description}.")
    if any(found.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
