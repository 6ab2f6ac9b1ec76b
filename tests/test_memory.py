"""Memory of a fit: no copy of samples that can be used as they lie, one of others."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.training import Stream

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_ROWS, N_FEATURES = 20_000, 54


def peak_of_fit(model, X, y):
    """Return the most memory that a fit held at one time, in bytes."""
    model.fit(X[:300], y[:300])  # compiled code and imports do not count
    tracemalloc.start()
    try:
        model.fit(X, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    X = generator.standard_normal((N_ROWS, N_FEATURES))
    return X, (X[:, 0] > 0).astype(np.int64)


RECORD = {"hidden_layer_sizes": (16,), "max_iter": 2, "batch_size": 200}


# The fewer rows are checked by one thread, the others by all.
@pytest.mark.pairwise
@pytest.mark.slow_without_jit
@pytest.mark.parametrize("n_rows", [N_ROWS // 2, N_ROWS])
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_of_the_computing_dtype_are_not_copied(
    Estimator, dtype, early_stopping, n_rows, data
):
    X, y = data[0][:n_rows].astype(dtype), data[1][:n_rows]
    model = Estimator(dtype=dtype, early_stopping=early_stopping, **RECORD)
    # Labels, targets, the order of the rows, a check for NaN: a few numbers a row.
    assert peak_of_fit(model, X, y) < 60 * n_rows + 1_000_000 < 0.8 * X.nbytes


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_samples_are_converted_once(order, data):
    X, y = np.asarray(data[0], order=order), data[1]
    converted = X.size * 4
    peak = peak_of_fit(DNNClassifier(**RECORD), X, y)
    assert converted < peak < converted + 60 * N_ROWS + 1_000_000


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_stream_has_two_blocks_in_memory(dtype, data, tmp_path):
    X, y = np.tile(data[0].astype(dtype), (4, 1)), np.tile(data[1], 4)
    np.save(tmp_path / "X.npy", X)
    n_numbers, block_rows = X.size, 2000
    del X
    stream = Stream(tmp_path / "X.npy", y, block_rows=block_rows)
    model = DNNClassifier(**RECORD)
    DNNClassifier(**RECORD).fit(Stream(data[0][:5000], data[1][:5000], block_rows=block_rows))
    tracemalloc.start()
    try:
        model.fit(stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    two_blocks = 2 * block_rows * (N_FEATURES + 1) * 4
    # Besides them, pieces of the file, of a MiB each.
    assert two_blocks < peak < two_blocks + 4_000_000 < 0.3 * n_numbers * 4


TRAIN_IN_LITTLE_MEMORY = """
import resource, sys
import numpy as np
from fastdnn import DNNClassifier

path, n_rows, n_features = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
y = np.arange(n_rows, dtype=np.int8) % 2
model = DNNClassifier(hidden_layer_sizes=(4,), batch_size=5000, max_iter=1, n_threads=1)
model.fit(np.zeros((600, n_features), np.float32), y[:600])
X = np.memmap(path, dtype=np.float32, mode="r", shape=(n_rows, n_features))
spare = X.nbytes // 2
status = dict(line.split(":") for line in open("/proc/self/status"))
for limit, used in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
    most = int(status[used].split()[0]) * 1024 + spare
    resource.setrlimit(limit, (most, most))
try:
    np.array(X)
except MemoryError:
    print("no room for a copy")
print(model.fit(X, y).n_iter_, np.isfinite(model.loss_))
"""


@pytest.mark.waits_for_processes
@pytest.mark.needs_jit
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and limits memory")
def test_a_memory_map_larger_than_memory_trains(tmp_path):
    n_rows, n_features = 1_000_000, 100
    path = tmp_path / "X.bin"
    with path.open("wb") as file:
        file.truncate(4 * n_rows * n_features)  # a hole: zeros that take no disk
    arguments = [str(path), str(n_rows), str(n_features)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAIN_IN_LITTLE_MEMORY, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.splitlines() == ["no room for a copy", "1 True"], done.stderr
