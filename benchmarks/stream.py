"""Training on files larger than memory beside training on the same rows in memory.

    python -m benchmarks.stream [--json] [--rows N] [--epochs N] [--turns N] [--folder PATH]

A file of 125 float32 numbers a row is made, as .npy and as Parquet, in row groups of 100 000
rows. Each turn fits two networks, each in new processes: on arrays in memory, on a stream of
the .npy files, the same when the system has forgotten them, and on a stream of the Parquet
file. Times are those of epochs; memory is the highest resident size of the whole process, with
Python and all packages. Without ``--rows`` there are 20 million rows, of 10 GB, where the disk
has room for three such files and memory for the arrays; otherwise as many as fit, and what
that tells of 20 million is marked as extrapolated. Linux only: sizes are read from
``/proc/self/status``.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import add_json_option, environment, spread, store

_FEATURES, _GROUP_ROWS, _ROWS_OF_PROMISE = 125, 100_000, 20_000_000
_NETWORKS = {"100": [100], "256, 128": [256, 128]}
_WAYS = ["memory", "npy", "npy from the disk", "parquet"]

_PROCESS = """
import json, os, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import numpy as np
from fastdnn import DNNClassifier
from fastdnn.training import Stream

way, folder, epochs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
options = dict(batch_size=256, tol=0.0, n_iter_no_change=10_000, random_state=0)
options["hidden_layer_sizes"] = json.loads(sys.argv[4])
few = np.random.default_rng(0).standard_normal((1000, 125), np.float32)
DNNClassifier(max_iter=1, **options).fit(few, few[:, 0] > 0)
files = [folder / "X.npy", folder / "y.npy"]
if way == "memory":
    given = [np.load(path) for path in files]
elif way == "parquet":
    given = [Stream(folder / "rows.parquet", target="y")]
else:
    given = [Stream(*files)]
if way == "npy from the disk":
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    epochs = 1
model = DNNClassifier(max_iter=epochs, **options)
start = time.perf_counter()
model.fit(*given)
[peak] = [
    1024 * int(line.split()[1])
    for line in Path("/proc/self/status").read_text().splitlines()
    if line.startswith("VmHWM:")
]
print(json.dumps({
    "seconds": model.history_["seconds"],
    "fit": time.perf_counter() - start,
    "peak": peak,
    "loss": model.loss_,
}))
"""


def make(folder: Path, n_rows: int) -> None:
    """Write the files: the same rows over and over, which no time depends on."""
    import pyarrow
    import pyarrow.parquet

    X = np.random.default_rng(0).standard_normal((_GROUP_ROWS, _FEATURES), np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int64)
    names = [f"x{j}" for j in range(_FEATURES)]
    columns = [np.ascontiguousarray(column) for column in X.T]
    group = pyarrow.table({**dict(zip(names, columns, strict=True)), "y": y})
    shape = n_rows, _FEATURES
    rows = np.lib.format.open_memmap(folder / "X.npy", "w+", np.dtype(np.float32), shape)
    with pyarrow.parquet.ParquetWriter(
        folder / "rows.parquet", group.schema, compression="none", use_dictionary=False
    ) as writer:
        for first in range(0, n_rows, _GROUP_ROWS):
            n = min(_GROUP_ROWS, n_rows - first)
            rows[first : first + n] = X[:n]
            writer.write_table(group.slice(0, n), row_group_size=_GROUP_ROWS)
    rows.flush()
    np.save(folder / "y.npy", np.resize(y, n_rows))


def run(way: str, folder: Path, epochs: int, network: str) -> dict[str, Any]:
    """Fit in a process of its own."""
    told = str(folder), str(epochs), json.dumps(_NETWORKS[network])
    command = [sys.executable, "-c", _PROCESS, way, *told]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def most_rows(folder: Path) -> int:
    """Return how many rows fit the disk twice, and memory with some to spare."""
    row_bytes = 4 * _FEATURES + 8
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    room = min(shutil.disk_usage(folder).free // 3, int(0.6 * memory))
    return min(_ROWS_OF_PROMISE, room // row_bytes // _GROUP_ROWS * _GROUP_ROWS)


def summary(
    found: dict[tuple[str, str], list[dict[str, Any]]], network: str, way: str, n_rows: int
) -> dict[str, Any]:
    """Return, and print, what the turns of one way have come to."""
    runs, of_arrays = (
        [statistics.median(one["seconds"]) for one in found[network, which]]
        for which in (way, "memory")
    )
    shares = [a / b for a, b in zip(of_arrays, runs, strict=True)]
    seconds = statistics.median(runs)
    made = {
        "seconds": seconds,
        "seconds_of_promise": seconds * _ROWS_OF_PROMISE / n_rows,
        "fit": statistics.median(one["fit"] for one in found[network, way]),
        "peak": max(one["peak"] for one in found[network, way]),
        "loss": found[network, way][0]["loss"],
        **spread(shares, "share"),
    }
    print(
        f"{network}, {way}: {seconds:.2f} s an epoch, {made['share']:.2f} of the speed in "
        f"memory, {made['peak'] / 1e6:.0f} MB"
    )
    return made


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    add_json_option(parser, "stream.json")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("The highest resident size is read on Linux only.")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        n_rows = arguments.rows or most_rows(folder)
        make(folder, n_rows)
        n_bytes = (folder / "X.npy").stat().st_size
        run("npy", folder, 1, "100")  # compiles
        runs = [(network, way) for network in _NETWORKS for way in _WAYS]
        found: dict[tuple[str, str], list[dict[str, Any]]] = {key: [] for key in runs}
        for turn in range(arguments.turns):
            for network, way in runs[turn % len(runs) :] + runs[: turn % len(runs)]:
                found[network, way].append(run(way, folder, arguments.epochs, network))
    results = {
        network: {way: summary(found, network, way, n_rows) for way in _WAYS}
        for network in _NETWORKS
    }
    store(
        arguments.json,
        {
            "environment": environment("pyarrow"),
            "rows": n_rows,
            "features": _FEATURES,
            "bytes": n_bytes,
            "epochs": arguments.epochs,
            "turns": arguments.turns,
            "rows_of_promise": _ROWS_OF_PROMISE,
            "is_extrapolated": n_rows < _ROWS_OF_PROMISE,
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
