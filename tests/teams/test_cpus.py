"""How many threads a workload is offered: never more than this process may use."""

import math
import os
import sys
import types

import joblib
import pytest

from fastdnn.teams import cpus
from fastdnn.teams.cpus import cpu_quota, threads_offered, usable_cpus

HINTS = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch):
    """With JIT, four processors, no limit and no hints from outside."""
    monkeypatch.setattr(cpus, "JIT_ENABLED", True)
    monkeypatch.setattr(cpus, "cpu_quota", lambda: math.inf)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.delitem(sys.modules, "distributed.worker", raising=False)
    for name in HINTS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("asked", "offered"), [(1, 1), (3, 3), (4, 4), (16, 4), (100_000, 4)])
@pytest.mark.parametrize("pays", [False, True])
def test_the_users_number_counts_up_to_the_processors(asked, offered, pays):
    assert threads_offered(asked, pays) == offered


def test_by_default_the_processors_of_this_process_are_offered():
    assert threads_offered(None, True) == 4


def test_processors_taken_from_this_process_later_are_not_offered(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert threads_offered(None, True) == threads_offered(2, True) == 1


def test_systems_without_affinity_have_all_processors(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for n_cpus, usable in ((3, 3), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda n_cpus=n_cpus: n_cpus)
        assert usable_cpus() == usable


@pytest.mark.parametrize(
    ("quota", "usable"), [(0.2, 1), (1.0, 1), (1.5, 2), (3.0, 3), (64.0, 4)]
)
def test_a_containers_quota_limits_all(quota, usable, monkeypatch):
    monkeypatch.setattr(cpus, "cpu_quota", lambda: quota)
    assert threads_offered(None, True) == threads_offered(16, True) == usable


@pytest.mark.parametrize("name", HINTS)
@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("1", 1),
        ("3", 3),
        ("3,2", 3),
        (" 2 ", 2),
        ("64", 4),
        ("", 4),
        ("0", 4),
        ("-1", 4),
        ("x", 4),
    ],
)
def test_hints_count_by_default_and_may_change(name, text, offered, monkeypatch):
    monkeypatch.setenv(name, text)
    assert threads_offered(None, True) == offered
    assert threads_offered(4, True) == 4
    monkeypatch.delenv(name)
    assert threads_offered(None, True) == 4


def test_the_lowest_hint_counts(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    assert threads_offered(None, True) == 2


def test_small_work_is_not_shared():
    assert threads_offered(None, False) == 1


def test_plain_python_runs_alone(monkeypatch):
    monkeypatch.setattr(cpus, "JIT_ENABLED", False)
    assert threads_offered(4, True) == 1


def test_one_thread_inside_a_thread_of_joblib():
    jobs = joblib.Parallel(n_jobs=2, backend="threading")
    assert jobs(joblib.delayed(threads_offered)(None, True) for _ in range(2)) == [1, 1]


def offered_in_a_worker():
    """Return what is offered in this process, as if it had eight processors."""
    cpus.JIT_ENABLED, cpus.usable_cpus = True, lambda: 8
    return threads_offered(None, True)


@pytest.mark.waits_for_processes
@pytest.mark.slow_without_jit
@pytest.mark.parametrize("told", [1, 3])
def test_a_process_of_joblib_is_told_its_share(told):
    with joblib.parallel_backend("loky", inner_max_num_threads=told, n_jobs=2):
        offered = joblib.Parallel()(joblib.delayed(offered_in_a_worker)() for _ in range(2))
    assert offered == [told, told]


class StubWorker:
    """What `distributed.worker` is asked for, of a worker with some threads."""

    def __init__(self, n_threads):
        self.state = types.SimpleNamespace(nthreads=n_threads)

    def get_worker(self):
        if self.state.nthreads is None:
            raise ValueError("no worker found")
        return self


@pytest.mark.parametrize(
    ("n_threads", "offered"), [(1, 4), (2, 2), (3, 1), (4, 1), (8, 1), (None, 4)]
)
def test_a_task_of_dask_has_its_share(n_threads, offered, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed.worker", StubWorker(n_threads))
    assert threads_offered(None, True) == offered
    assert threads_offered(4, True) == 4


def test_other_versions_of_dask_are_no_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed.worker", types.ModuleType("worker"))
    assert threads_offered(None, True) == 4


@pytest.fixture
def groups(tmp_path):
    """Return a function that writes control groups, and what reads them."""

    def quota(line, files):
        for name, text in files.items():
            path = tmp_path / "fs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "cgroup").write_text(line)
        return cpu_quota.__wrapped__(tmp_path / "cgroup", tmp_path / "fs")

    return quota


# Of version 1.
QUOTA, PERIOD = "cpu.cfs_quota_us", "cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"cpu.max": "max 100000", "a/cpu.max": "200000 100000"}, 2.0),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "100000 100000"}, 1.0),
        # The path on the host, of a container's own root.
        ("0::/docker/1234\n", {"cpu.max": "50000 100000\n"}, 0.5),
        (
            "5:cpu,cpuacct:/a\n2:memory:/a\n",
            {
                "cpu,cpuacct/a/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/a/cpu.cfs_period_us": "100000",
            },
            3.0,
        ),
        (
            "5:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            math.inf,
        ),
        (
            "5:cpuacct,cpu:/x\n",
            {f"cpu/{QUOTA}": "100000", f"cpu/{PERIOD}": "100000"},
            1.0,
        ),
        ("0::/\n", {"cpu.max": "nonsense"}, math.inf),
        ("0::/\n", {}, math.inf),
        ("", {"cpu.max": "100000 100000"}, math.inf),
    ],
)
def test_quotas_of_control_groups(line, files, expected, groups):
    assert groups(line, files) == expected


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cpu_quota.__wrapped__(tmp_path / "missing", tmp_path) == math.inf
