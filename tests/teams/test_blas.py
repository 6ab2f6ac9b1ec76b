"""The guard around BLAS: over threads, nested, per thread, and after a fork."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import ThreadpoolController

from fastdnn.teams import blas
from fastdnn.teams.blas import single_threaded_blas


def blas_threads():
    info = ThreadpoolController().select(user_api="blas").info()
    return [library["num_threads"] for library in info]


def test_blas_is_limited_inside_and_restored_outside():
    before = blas_threads()
    with single_threaded_blas():
        assert set(blas_threads()) == {1}
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_the_limit_holds_in_any_thread_and_over_many_at_once():
    before = blas_threads()
    gate = threading.Barrier(4)

    def fit(delay):
        with single_threaded_blas():
            gate.wait(10)
            inside = blas_threads()
            gate.wait(10)
        return inside

    with single_threaded_blas():  # this thread takes control of the limits first
        pass
    with ThreadPoolExecutor(4) as pool:
        assert all(set(inside) == {1} for inside in pool.map(fit, range(4)))
    assert blas_threads() == before


class InterruptedOpenBLAS:
    """OpenBLAS with a limit of the process; a signal comes whenever that is read or set."""

    internal_api, threading_layer = "openblas", "pthreads"

    def __init__(self):
        self.n_threads, self.handle = 8, None

    def _interrupt(self):
        handle, self.handle = self.handle, None
        if handle is not None:
            handle()
            self.handle = handle

    def get_num_threads(self):
        self._interrupt()
        return self.n_threads

    def set_num_threads(self, n):
        self._interrupt()
        self.n_threads = n
        self._interrupt()


def test_a_signal_handler_may_enter_while_another_fit_enters_or_leaves():
    library, guard, limits = InterruptedOpenBLAS(), blas._BlasGuard(), []
    guard._libraries = [library]

    def handle():
        with guard():
            pass

    def fit():
        library.handle = handle
        with guard():
            limits.append(library.n_threads)
        library.handle = None

    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert limits == [1]
    assert library.n_threads == 8


class FakeOpenBLAS:
    """OpenBLAS on OpenMP: a limit for each thread."""

    internal_api, threading_layer = "openblas", "openmp"

    def __init__(self):
        self._local = threading.local()

    def get_num_threads(self):
        return getattr(self._local, "n", 8)

    def set_num_threads(self, n):
        self._local.n = n


def test_limits_that_belong_to_a_thread_are_set_in_every_thread():
    guard = blas._BlasGuard()
    library = FakeOpenBLAS()
    guard._libraries = [library]

    def inside():
        with guard():
            during = library.get_num_threads()
        return during, library.get_num_threads()

    with guard(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() == (1, 8)
        assert library.get_num_threads() == 1
    assert library.get_num_threads() == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_during_a_fit_does_not_leave_the_child_limited():
    with single_threaded_blas():
        child = os.fork()
        if child == 0:
            os._exit(0 if single_threaded_blas._users == 0 else 1)
        assert os.waitpid(child, 0)[1] == 0
