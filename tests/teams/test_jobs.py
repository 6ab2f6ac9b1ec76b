"""Jobs that are done side by side: results, shares of threads, errors and interrupts."""

import _thread
import threading
import time

import pytest

from fastdnn.teams import jobs as jobs_module
from fastdnn.teams.cpus import at_most, threads_offered
from fastdnn.teams.jobs import Jobs

pytestmark = [pytest.mark.usefixtures("four_cpus"), pytest.mark.needs_jit]


def run(works, n_threads=None):
    jobs = Jobs(works, n_threads)
    jobs.run()
    return jobs


def wait_for_ever():
    while True:
        time.sleep(1e-3)


@pytest.mark.parametrize("n_threads", [None, 1, 2, 3])
def test_results_have_the_order_of_the_jobs(n_threads):
    jobs = run([lambda i=i: i * i for i in range(7)], n_threads)
    assert jobs.results == [i * i for i in range(7)]
    assert jobs.n_workers == (4 if n_threads is None else n_threads)
    assert not jobs.is_interrupted


@pytest.mark.parametrize(
    ("n_jobs", "n_threads", "share"), [(1, None, 4), (2, None, 2), (3, None, 1), (2, 3, 1)]
)
def test_jobs_share_the_cpus(n_jobs, n_threads, share):
    offered = run([lambda: threads_offered(None, pays=True)] * n_jobs, n_threads).results
    assert offered == [share] * n_jobs
    asked_for = run([lambda: threads_offered(9, pays=False)] * n_jobs, n_threads).results
    assert asked_for == [share] * n_jobs
    assert threads_offered(None, pays=True) == 4  # afterwards, and here, as before


def test_a_share_of_a_share():
    with at_most(2):
        with at_most(3):
            assert threads_offered(None, pays=True) == 2
        assert Jobs([int, int, int], None).n_workers == 2
    assert threads_offered(None, pays=True) == 4


def fail(message):
    raise ValueError(message)


def test_the_first_error_is_raised_and_the_others_stop():
    done = []
    works = [lambda: fail("one"), wait_for_ever, *[lambda: done.append(1)] * 50]
    with pytest.raises(ValueError, match="one"):
        run(works, 2)
    assert len(done) < 50
    both = threading.Barrier(2)

    def fail_together(message):
        both.wait()
        fail(message)

    with pytest.raises(ValueError, match="first"):
        run([lambda: fail_together("first"), lambda: fail_together("second")], 2)


def test_an_interrupt_is_raised_in_all_jobs_and_no_further_one_begins():
    begun, seen = [], []
    together = threading.Barrier(2)

    def interrupted(name):
        begun.append(name)
        together.wait()
        if name == 0:
            _thread.interrupt_main()
        try:
            wait_for_ever()
        except KeyboardInterrupt:
            seen.append(name)
        return name  # what it has come to by then

    jobs = run([lambda i=i: interrupted(i) for i in range(6)], 2)
    assert jobs.is_interrupted
    assert sorted(begun) == sorted(seen) == [0, 1]
    assert jobs.results == [0, 1, None, None, None, None]


def test_what_an_interrupt_ends_has_no_result():
    def interrupt():
        _thread.interrupt_main()
        wait_for_ever()

    jobs = run([lambda: "done", interrupt, wait_for_ever], 1)
    assert jobs.is_interrupted
    assert jobs.results == ["done", None, None]


def test_a_job_may_say_that_it_was_interrupted():
    works = [lambda: jobs.begin_no_more(), lambda: "done"]
    jobs = Jobs(works, 1)
    jobs.run()
    assert jobs.is_interrupted
    assert jobs.results == [None, None]


def test_jobs_are_done_where_no_thread_can_be_started(monkeypatch):
    def refuse(*args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("fastdnn.system.interruptible._start_new_thread", refuse)
    assert run([lambda: 1, lambda: 2], 2).results == [1, 2]


def test_only_threads_at_work_are_interrupted(monkeypatch):
    """The number of one that has ended may be another's."""
    interrupted = []
    monkeypatch.setattr(
        jobs_module, "_raise_in_thread", lambda *args: interrupted.append(args)
    )
    jobs = run([lambda: 1, lambda: 2], 2)
    jobs.interrupt()
    assert interrupted == []
