"""What is relied on of numba's inside holds; where it does not, everything still works."""

import pytest

from fastdnn.compiler import assumptions
from fastdnn.compiler.assumptions import ASSUMPTIONS, Assumption
from tests.compiler.breaks import BREAKS
from tests.processes import cached_files, kernels_alone, run_python

pytestmark = [pytest.mark.needs_jit, pytest.mark.waits_for_processes]

# Kernels, loops, constants, a kernel that is called by address: as bits.
CALL = """
import numpy as np
from fastdnn.ops.activations import ACTIVATIONS
from fastdnn.textbook import linear_forward, sigmoid
A = np.linspace(-1.0, 2.0, 12).reshape(4, 3)
W, b = np.linspace(-1.0, 1.0, 6).reshape(3, 2), np.array([0.5, -0.25])
assert ACTIVATIONS["tanh"].forward.address("float32") > 0
Z, _ = linear_forward(A, W, b)
print(Z.tobytes().hex(), sigmoid(Z).tobytes().hex())
"""
FIT = """
import warnings
warnings.simplefilter("ignore")
import numpy as np
from fastdnn import DNNClassifier
X = np.random.default_rng(0).standard_normal((600, 8))
y = (X[:, 0] > 0) + (X[:, 1] > 0)
model = DNNClassifier(hidden_layer_sizes=(9, 7), random_state=0, max_iter=3).fit(X, y)
print(model.predict_proba(X).tobytes().hex()[:2000])
"""


def line_of(name):
    row = ASSUMPTIONS[name]
    return f"is not what fastdnn relies on, that {row.what} (", row.without


def run(code, cache, **options):
    done = run_python(code, cache, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Return what the calls print where all holds, and the cache that they leave."""
    cache = tmp_path_factory.mktemp("cache")
    printed, said = run(kernels_alone(CALL), cache)
    assert "relies on" not in said
    return printed, cache


def test_each_row_has_a_break():
    assert BREAKS.keys() == ASSUMPTIONS.keys()


@pytest.mark.parametrize("name", ASSUMPTIONS)
def test_without_it_there_are_the_same_bits_and_a_line(name, expected, tmp_path):
    printed, said = run(BREAKS[name] + kernels_alone(CALL), tmp_path)
    assert printed == expected[0]
    [line] = [line for line in said.splitlines() if "relies on" in line]
    assert all(part in line for part in line_of(name)), line
    assert bool(cached_files(tmp_path)) == (name != "stored code")


@pytest.fixture(scope="module")
def usual_fit(tmp_path_factory):
    """Return what the fit prints where all holds."""
    return run(FIT, tmp_path_factory.mktemp("usual"))[0]


@pytest.mark.exhaustive  # to compile as numba does takes most of a minute
@pytest.mark.parametrize("name", ASSUMPTIONS)
def test_without_it_a_fit_has_the_same_bits(name, usual_fit, tmp_path):
    printed, said = run(BREAKS[name] + FIT, tmp_path)
    assert printed == usual_fit
    assert all(part in said for part in line_of(name)), said


@pytest.mark.parametrize("name", ["runtime", "linking", "signatures", "lock"])
def test_code_that_is_stored_is_loaded_without_it(name, expected):
    before = cached_files(expected[1])
    printed, said = run(BREAKS[name] + kernels_alone(CALL), expected[1])
    assert printed == expected[0]
    assert ("relies on" in said) == (name == "runtime")
    assert cached_files(expected[1]) == before


def test_what_is_not_there_is_not_found():
    assert assumptions.find("numba.core.types.float32") is not None
    assert assumptions.find("numba.core.compiler_lock") is not None
    for name in ("numba.nowhere", "numba.core.types.nothing.more", "no_such_module.name"):
        assert assumptions.find(name, 3) == 3


@pytest.mark.parametrize("kind", [AttributeError, ImportError, AssertionError])
def test_a_row_is_looked_at_once(kind, monkeypatch, caplog):
    looked = []

    def probe():
        looked.append(1)
        raise kind("it is gone")

    row = Assumption("it is there", ("numba.njit",), "much", "Little is lost", probe)
    monkeypatch.setitem(ASSUMPTIONS, "another", row)
    assert [assumptions.holds("another") for _ in range(2)] == [False, False]
    assumptions.holds.cache_clear()
    assert len(looked) == 1
    [line] = caplog.messages
    assert line.endswith(f"that it is there ({kind.__name__}: it is gone). Little is lost.")
