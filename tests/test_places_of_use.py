"""Fits and predictions where threads are scarce or time is: in processes of their own."""

import os
import sys

import pytest

from tests.processes import AS_NOBODY, can_become_nobody, run_python

pytestmark = [
    pytest.mark.needs_jit,
    pytest.mark.waits_for_processes,
    pytest.mark.skipif(os.name != "posix", reason="signals and limits are POSIX's"),
]

# A fit and a prediction that are shared out, as bits. The count of processors is that of a
# machine with four.
FIT_AND_PREDICT = """
import numpy as np, warnings
warnings.simplefilter("ignore")
from fastdnn import DNNClassifier
from fastdnn.teams import cpus
from fastdnn.teams import crowding

cpus.usable_cpus, crowding._are_too_many = lambda: 4, lambda n_workers: False
X = np.random.default_rng(0).standard_normal((1500, 60))
y = X[:, 0] > 0
rows = np.tile(X, (4, 1)).astype(np.float32)

def fit():
    return DNNClassifier((64, 64), n_threads=4, random_state=0, max_iter=2).fit(X, y)

def predict(model):
    return model.predict_proba(rows).tobytes()

model = fit()
expected = predict(model)
"""

AT_EXIT = """
import atexit

@atexit.register
def check():
    assert predict(fit()) == expected
    print("equal")
"""

# The handler comes at any point of what it interrupts: as often as that takes to be sure.
IN_A_HANDLER = """
import signal

n_handled = 0

def handle(signum, frame):
    global n_handled
    assert predict(model) == expected
    if n_handled % 4 == 0:
        assert predict(fit()) == expected
    n_handled += 1
    signal.setitimer(signal.ITIMER_REAL, 0.002)

signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.002)
while n_handled < 100:
    assert predict(model) == expected
    assert predict(fit()) == expected
signal.setitimer(signal.ITIMER_REAL, 0.0)
print("equal")
"""

UNDER_A_LIMIT = """
import os, resource, threading
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    threading.Thread(target=int).start()
except RuntimeError:
    assert predict(fit()) == expected
    print("equal")
else:
    print("no limit")
"""


def said(code, **options):
    cache = os.environ.get("FASTDNN_CACHE_DIR", "")
    done = run_python(FIT_AND_PREDICT + code, cache, "-W", "error::RuntimeWarning", **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", [AT_EXIT, IN_A_HANDLER], ids=["at exit", "in a handler"])
def test_fits_and_predictions_work(code):
    assert said(code) == "equal\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
@pytest.mark.skipif(not can_become_nobody(), reason="root has no limit")
def test_fits_and_predictions_work_under_a_limit_of_threads(tmp_path):
    home = {"HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    assert said(UNDER_A_LIMIT, before=AS_NOBODY, **home) == "equal\n"


OPTIONAL = (
    *("matplotlib", "tqdm", "tensorboardX", "mlflow", "onnx", "skl2onnx", "optuna", "torch"),
)


def test_optional_libraries_are_imported_when_they_are_used():
    code = f"import sys, fastdnn\nprint([name for name in {OPTIONAL} if name in sys.modules])"
    assert run_python(code).stdout.strip() == "[]"


def test_callbacks_and_pictures_are_imported_when_they_are_asked_for():
    code = """
import sys, fastdnn
parts = ("fastdnn.callbacks.", "fastdnn.displays")
print(sorted(name for name in sys.modules if name.startswith(parts)))
fastdnn.LossCurveDisplay, fastdnn.NetworkDisplay
names = [*fastdnn.__all__, *fastdnn.callbacks.__all__]
print(all(hasattr(fastdnn, n) or hasattr(fastdnn.callbacks, n) for n in names))
print(set(fastdnn.__all__) <= set(dir(fastdnn)), hasattr(fastdnn, "ProgressBar"))
print(set(fastdnn.callbacks.__all__) <= set(dir(fastdnn.callbacks)))
print(hasattr(fastdnn.callbacks, "LossCurveDisplay"))
"""
    imported, *said = run_python(code).stdout.splitlines()
    needed = ("bar", "epoch_callback", "support")
    assert imported == str([f"fastdnn.callbacks.{name}" for name in needed])
    assert said == ["True", "True False", "True", "False"]
