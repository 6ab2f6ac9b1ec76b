"""Fixtures for all tests, and which of them run."""

import os
import signal
import sys
import threading

import pytest

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.system import interruptible
from fastdnn.teams.blas import single_threaded_blas
from tests import beside
from tests.pairwise import is_drawn
from tests.processes import end_of, start_python
from tests.rooms import FLOOR_OF
from tests.switches import let_teams_have_four


def pytest_configure(config):
    """Let some tests run beside the others, and pictures be drawn without a screen.

    Shells let what they start in the background ignore interrupts, which tests wait for.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    beside.register(config)
    os.environ.setdefault("MPLBACKEND", "Agg")
    if threading.gettrace() is not None:
        interruptible._start_new_thread = _start_traced_thread


_start_new_thread = interruptible._start_new_thread


def _start_traced_thread(function, arguments):
    """Start a thread that coverage sees, which it does those of `threading` by itself."""

    def traced(*arguments):
        sys.settrace(threading.gettrace())
        return function(*arguments)

    return _start_new_thread(traced, arguments)


# Without JIT examples of docstrings are left out, and a case of each test is enough where many
# train and none is of kernels alone.
_ONE_CASE_WITHOUT_JIT = {"estimators", "tables", "training", "search"}

# Tests with these marks run where ``-m`` names the mark.
_LEFT_OUT = ["exhaustive"] if JIT_ENABLED else ["exhaustive", "needs_jit", "slow_without_jit"]


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc):
    """Make no tests of a cross product but its pairs: to leave out thousands takes long.

    Where pytest keeps them elsewhere, they are left out below.
    """
    calls, test = getattr(metafunc, "_calls", []), metafunc.definition
    if "exhaustive" not in metafunc.config.option.markexpr and _is_product(test):
        calls[:] = [call for call in calls if is_drawn(test, call.params)]


def _is_product(item):
    return item.get_closest_marker("pairwise") is not None


@pytest.fixture(autouse=True)
def free_blas_guard():
    """Let no test wait for a guard that one before has left.

    Tests of interrupts raise at any instruction, also between two at which Python itself never
    does: where a lock has just been taken, and nobody is yet to give it back.
    """
    yield
    if single_threaded_blas._users:
        single_threaded_blas.reset_after_fork()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Sort by rooms; leave out what runs on demand, as all but the pairs of cross products."""
    for item in items:
        is_product = _is_product(item) and hasattr(item, "callspec")
        if is_product and not is_drawn(item, item.callspec.params):
            item.add_marker(pytest.mark.exhaustive)
    # What others rely on comes first, and what needs much compiled code when that is there.
    items.sort(key=lambda item: -FLOOR_OF.get(item.path.parent.name, -1))
    names = [name for name in _LEFT_OUT if name not in config.option.markexpr]
    left_out = {item for item in items if any(map(item.get_closest_marker, names))}
    if not JIT_ENABLED and "exhaustive" in names:
        left_out |= _further_cases(items, left_out)
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))


def _further_cases(items, left_out):
    """Return examples, and what only repeats a test with other values in some rooms."""
    seen, further = set(), set()
    for item in items:
        if isinstance(item, pytest.DoctestItem):
            further.add(item)
        test = item.nodeid.partition("[")[0]
        if item in left_out or item.path.parent.name not in _ONE_CASE_WITHOUT_JIT:
            continue
        if test in seen:
            further.add(item)
        seen.add(test)
    return further


_WARM_UP = """
import fastdnn
from fastdnn.compiler.cache import _in_use
print(fastdnn.warmup(), *_in_use, sep="\\n")
"""
_process_that_warms_up = pytest.StashKey()


def pytest_collection_finish(session):
    """Begin a warm-up beside the first tests, if one asks for it.

    It is a process of its own, on another processor, that compiles what they will need.
    """
    is_wanted = any("warmed_up" in getattr(item, "fixturenames", ()) for item in session.items)
    if is_wanted and not session.config.option.collectonly:
        session.config.stash[_process_that_warms_up] = start_python(_WARM_UP)


def pytest_sessionfinish(session):
    """End a warm-up that nobody has waited for."""
    process = session.config.stash.get(_process_that_warms_up, None)
    if process is not None and process.poll() is None:
        process.kill()
        end_of(process)


@pytest.fixture(scope="session")
def warmed_up(pytestconfig):
    """Return the folder that a process has warmed up, and the names of the entries it uses."""
    done = end_of(pytestconfig.stash[_process_that_warms_up])
    assert done.returncode == 0, done.stderr
    folder, *names = done.stdout.splitlines()
    return folder, names


@pytest.fixture(scope="module")
def four_cpus():
    """Let teams have up to four workers, whatever the machine and what else runs on it."""
    with pytest.MonkeyPatch.context() as patch:
        let_teams_have_four(patch)
        yield
