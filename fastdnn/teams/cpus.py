"""How many threads a workload is offered: what this process may use, and what others say."""

import functools
import math
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joblib.parallel import get_active_backend

from fastdnn.compiler.jit import JIT_ENABLED

# Shared out, a prediction of so many floating-point operations gains more than starting
# threads costs. In training, where they wait for the next step: `fastdnn.planning.plan`.
PREDICTION_THAT_PAYS = 5e7

_share = threading.local()


@contextmanager
def at_most(n_threads: int) -> Iterator[None]:
    """Offer no more than so many threads to what this thread does meanwhile.

    It is for threads that work side by side, each of which has a share of the CPUs.
    """
    before = getattr(_share, "n_threads", math.inf)
    _share.n_threads = min(before, n_threads)
    try:
        yield
    finally:
        _share.n_threads = before


def threads_offered(n_threads: int | None, pays: bool) -> int:
    """Return how many threads the engine may use.

    Parameters
    ----------
    n_threads : int or None
        A number that the user chose, or None for as many as this process should use. Either
        way it is at most the CPUs that this process may use: more workers would wait for
        each other.
    pays : bool
        Whether the work is large enough to share.
    """
    if not JIT_ENABLED:
        return 1  # plain Python kernels cannot run side by side
    share = getattr(_share, "n_threads", math.inf)
    if share <= 1:
        return 1
    if n_threads is not None:
        return int(min(n_threads, usable_cpus(), share)) if n_threads > 1 else 1
    if not pays:
        return 1
    return int(max(1, min(usable_cpus(), share, *_hints())))


def usable_cpus() -> int:
    """Return the CPUs that this process may use: by affinity and container limits."""
    try:
        n_cpus = len(os.sched_getaffinity(0))
    except (AttributeError, NotImplementedError):  # as on Windows and macOS
        n_cpus = os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(n_cpus, math.ceil(quota))) if math.isfinite(quota) else n_cpus


def _hints() -> list[float]:
    """Return what others say about the threads of this process; they may be few or none."""
    hints: list[float] = [
        _positive(os.environ.get("OMP_NUM_THREADS")),
        _positive(os.environ.get("LOKY_MAX_CPU_COUNT")),
        _dask_share(),
    ]
    backend, _ = get_active_backend()
    # A joblib worker that is a process of its own is told its share by OMP_NUM_THREADS; others
    # share this process with their like.
    if getattr(backend, "nesting_level", 0):
        is_told = multiprocessing.current_process().name != "MainProcess"
        hints.append(hints[0] if is_told and hints[0] < math.inf else 1)
    return hints


def _positive(text: str | None) -> float:
    """Return the first number of a list such as ``"4,2"``; infinity for anything else."""
    try:
        number = int((text or "").split(",")[0])
    except ValueError:
        return math.inf
    return number if number > 0 else math.inf


def _dask_share() -> float:
    """Return a Dask task's share of the CPUs, or infinity outside of such tasks.

    Dask runs as many tasks in a worker as that has threads. It is not imported for that.
    """
    module: Any = sys.modules.get("distributed.worker")
    if module is None:
        return math.inf
    try:
        worker = module.get_worker()
        n_threads = int(worker.state.nthreads)
    except (AttributeError, ValueError):  # no worker runs this thread
        return math.inf
    return max(1, usable_cpus() // max(1, n_threads))


@functools.cache
def cpu_quota(
    cgroup: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> float:
    """Return how many CPUs' time the control groups of this process allow, or infinity.

    They are those that the process began in: files are read once.

    Parameters
    ----------
    cgroup : Path
        Which groups this process is in.
    root : Path
        Where the groups of either version are mounted.
    """
    quota = math.inf
    try:
        lines = cgroup.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return quota
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for mounted in (root / controllers, root / "cpu") if controllers else (root,):
            # A container may see the path of its group on the host, and mount it as the root.
            folder = mounted / path.lstrip("/")
            for group in {folder, *folder.parents, mounted}:
                if group.is_relative_to(mounted):
                    quota = min(quota, _quota_of(group))
    return quota


def _quota_of(group: Path) -> float:
    try:
        if (group / "cpu.max").exists():  # version 2
            limit, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            limit, period = (
                (group / f"cpu.cfs_{name}_us").read_text(encoding="utf-8").strip()
                for name in ("quota", "period")
            )
        share = int(limit) / int(period)  # "max" and -1 are no limit
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
    return share if share > 0 else math.inf
