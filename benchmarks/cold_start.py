"""What compiling costs: the first fit on a machine, in a later process, and after that.

    python -m benchmarks.cold_start [--json]

Starts new processes with an empty cache folder (cold), with the folder that one of these
has filled (warm), and looks at the next fit in a warm process (steady). Cold and warm are
processor and wall seconds of importing fastdnn and the first fit, over importing
``sklearn.neural_network``. ``fastdnn.warmup()`` is timed on empty folders of its own, with
the first fit after it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from benchmarks.measure import add_json_option, environment, store

_PROCESS = """
import json, logging, os, sys, time, warnings
warnings.simplefilter("ignore")
logging.getLogger("fastdnn").setLevel(logging.ERROR)
import sklearn.neural_network
import numpy as np

def cpu():
    children = os.times()
    return time.process_time() + children.children_user + children.children_system

class Clock:
    def __enter__(self):
        self.wall, self.cpu = -time.perf_counter(), -cpu()
        return self
    def __exit__(self, *error):
        self.wall += time.perf_counter()
        self.cpu += cpu()

dtype, with_warmup = sys.argv[1], sys.argv[2] == "warmup"
X = np.random.default_rng(0).standard_normal((1000, 20))
y = (X[:, 0] > 0).astype(int)
found = {}
if with_warmup:
    with Clock() as clock:
        import fastdnn
        fastdnn.warmup(dtype=dtype)
    found["warmup"] = vars(clock)
with Clock() as clock:
    from fastdnn import DNNClassifier
    model = DNNClassifier(max_iter=2, dtype=dtype)
    model.fit(X, y)
found["first"] = vars(clock)
with Clock() as clock:
    model.fit(X, y)
found["next"] = vars(clock)
print(json.dumps(found))
"""


def run(dtype: str, cache: str, what: str = "fit") -> dict[str, dict[str, float]]:
    """Run one process and return wall and processor seconds of its parts."""
    variables = os.environ | {"FASTDNN_CACHE_DIR": cache}
    # As where pip has installed the package: Python's own compilation is not repeated.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", _PROCESS, dtype, what]
    done = subprocess.run(
        command, env=variables, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def medians(processes: list[dict], part: str) -> dict[str, float]:
    """Return the median wall and processor seconds of one part."""
    return {
        clock: statistics.median(process[part][clock] for process in processes)
        for clock in ("cpu", "wall")
    }


def measure(dtype: str, n_cold: int, n_warm: int) -> dict[str, dict[str, float]]:
    """Return the medians of cold, warm and steady, and of ``warmup()``."""
    cold, warm, warmed_up = [], [], []
    for _ in range(n_cold):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(run(dtype, cache))
            warm += [run(dtype, cache) for _ in range(n_warm)]
        with tempfile.TemporaryDirectory() as cache:
            warmed_up.append(run(dtype, cache, "warmup"))
    return {
        "cold": medians(cold, "first"),
        "warm": medians(warm, "first"),
        "steady": medians(warm, "next"),
        "warmup": medians(warmed_up, "warmup"),
        "after warmup": medians(warmed_up, "first"),
    }


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cold", type=int, default=3, help="first processes to time")
    parser.add_argument("--warm", type=int, default=3, help="later ones after each")
    add_json_option(parser, "cold_start.json")
    arguments = parser.parse_args()
    results = {}
    for dtype in ("float32", "float64"):
        results[dtype] = measure(dtype, arguments.cold, arguments.warm)
        for part, seconds in results[dtype].items():
            print(
                f"{dtype} {part:13s} {seconds['cpu']:8.4f} s of CPU {seconds['wall']:8.4f} s"
            )
    store(arguments.json, {"environment": environment(), "results": results})


if __name__ == "__main__":
    main()
