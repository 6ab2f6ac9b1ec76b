"""Memory of a fit on covertype's shape: the highest resident size beside that of the data.

    python -m benchmarks.memory [--json]

A new process warms up on a few rows, makes 581012 rows of 54 float32 numbers and labels
of 7 classes, resets the kernel's record of its highest resident size, and fits one epoch.
Linux only: the record is read from ``/proc/self/status``.
"""

import argparse
import json
import subprocess
import sys

from benchmarks.measure import add_json_option, environment, store

_PROCESS = """
import gc, json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import numpy as np
from sklearn.neural_network import MLPClassifier
from fastdnn import DNNClassifier

def status(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return 1024 * int(line.split()[1])

who, n_rows, batch_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
Estimator = {"fastdnn": DNNClassifier, "scikit-learn": MLPClassifier}[who]
model = Estimator(batch_size=batch_size, max_iter=1, random_state=0)

def data(n_rows):
    X = np.random.default_rng(0).standard_normal((n_rows, 54), np.float32)
    return X, np.arange(n_rows) % 7 + 1

model.fit(*data(4 * batch_size))
gc.collect()
before = status("VmRSS")
X, y = data(n_rows)
loaded = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
model.fit(X, y)
print(json.dumps({
    "data": X.nbytes + y.nbytes,
    "network": sum(p.nbytes for p in model.coefs_ + model.intercepts_),
    "before": before,
    "loaded": loaded,
    "peak": status("VmHWM"),
}))
"""


def run(who: str, n_rows: int, batch_size: int) -> dict[str, float]:
    """Fit in a process of its own and return bytes, and peaks over the data's size."""
    command = [sys.executable, "-c", _PROCESS, who, str(n_rows), str(batch_size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    # Adam holds the parameters and two vectors of their size.
    needed = found["data"] + 3 * found["network"]
    return found | {
        "increase": found["peak"] - found["loaded"],
        "ratio": (needed + max(0, found["peak"] - found["loaded"])) / needed,
        "resident_ratio": (found["peak"] - found["before"]) / needed,
    }


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=581_012)
    parser.add_argument("--batch-size", type=int, default=256)
    add_json_option(parser, "memory.json")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("The highest resident size can be reset on Linux only.")
    results = {}
    for who in ("fastdnn", "scikit-learn"):
        found = results[who] = run(who, arguments.rows, arguments.batch_size)
        print(
            f"{who:12s} data {1e-6 * found['data']:.1f} MB, the fit adds "
            f"{1e-6 * found['increase']:.1f} MB: {found['ratio']:.3f} times the data and the "
            f"network's buffers ({found['resident_ratio']:.3f} as resident)"
        )
    stored = {
        "environment": environment(),
        "rows": arguments.rows,
        "batch_size": arguments.batch_size,
        "results": results,
    }
    store(arguments.json, stored)


if __name__ == "__main__":
    main()
