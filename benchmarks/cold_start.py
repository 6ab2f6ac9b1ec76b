"""What compiling costs: the first fit on a machine, in a later process, and after that.

``python -m benchmarks.cold_start`` starts new processes with an empty cache folder and
prints, for each precision: processor seconds of the first fit ever; wall seconds of
importing fastdnn and the first fit in a later process, over importing
``sklearn.neural_network``; and milliseconds of the next fit.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

_PROCESS = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import sklearn.neural_network
import numpy as np
X = np.random.default_rng(0).standard_normal((1000, 20))
y = (X[:, 0] > 0).astype(int)
start = time.perf_counter()
from fastdnn import DNNClassifier
model = DNNClassifier(max_iter=2, dtype=sys.argv[1])
before = time.process_time()
model.fit(X, y)
cpu = time.process_time() - before
first = time.perf_counter() - start
start = time.perf_counter()
model.fit(X, y)
again = time.perf_counter() - start
print(json.dumps({"cpu": cpu, "first": first, "again": again}))
"""


def run(dtype: str, cache: str) -> dict[str, float]:
    """Run one process and return its times in seconds."""
    environment = os.environ | {"FASTDNN_CACHE_DIR": cache}
    command = [sys.executable, "-c", _PROCESS, dtype]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=5, help="later ones to time")
    arguments = parser.parse_args()
    for dtype in ("float32", "float64"):
        with tempfile.TemporaryDirectory() as cache:
            cold = run(dtype, cache)
            later = [run(dtype, cache) for _ in range(arguments.processes)]
        print(
            f"{dtype}: first fit ever {cold['cpu']:.1f} s of CPU; a later process, import "
            f"and first fit, {statistics.median(x['first'] for x in later):.2f} s; "
            f"the next fit {1e3 * statistics.median(x['again'] for x in later):.1f} ms"
        )


if __name__ == "__main__":
    main()
