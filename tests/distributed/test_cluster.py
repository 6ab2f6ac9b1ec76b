"""Training on processes: as many as there are, dying and joining."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from fastdnn.distributed import cluster as on_cluster
from fastdnn.distributed.cluster import threads_of_task, workers_of
from fastdnn.teams.cpus import threads_offered

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.needs_jit,
    pytest.mark.waits_for_processes,
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning",
        "ignore::ResourceWarning",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    ),
]

import dask.array as da  # noqa: E402

from fastdnn.distributed import DaskDNNClassifier  # noqa: E402

RNG = np.random.RandomState(0)
X = RNG.randn(800, 5).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0, "batch_size": 100}


def fitted(client, **options):
    dX, dy = da.from_array(X, (200, 5)), da.from_array(Y, 200)
    model = DaskDNNClassifier(client=client, **OPTIONS | options)
    return model.fit(dX, dy).to_local()


def theta_of(model):
    return model._state.parameters.theta


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as made:
        yield made


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(cluster) as made:
        yield made


# One after the other: processes are added from each to the next.


def test_bits_do_not_depend_on_the_number_of_workers(client, cluster):
    found = {}
    for n in (1, 2, 4):
        cluster.scale(n)
        client.wait_for_workers(n)
        found[n] = theta_of(fitted(client))
    assert (found[1] == found[2]).all()
    assert (found[1] == found[4]).all()


def test_shards_are_on_all_workers(client, monkeypatch):
    teams = []
    monkeypatch.setattr(
        "fastdnn.distributed.base.OnCluster",
        lambda *args: teams.append(on_cluster.OnCluster(*args)) or teams[-1],
    )
    fitted(client)
    (team,) = teams
    assert len(set(team._places)) == len(workers_of(client))


def test_threads_are_what_dask_gives(client):
    """Each process has one thread: a task has one, and so has whatever it trains."""
    found = client.gather([client.submit(threads_of_task, n, pure=False) for n in (1, 3)])
    assert found == [1, 1]
    assert client.submit(threads_offered, None, True, pure=False).result() == 1


def test_one_that_is_killed_and_one_that_joins_change_nothing(client, cluster):
    """A process is killed as kill -9 does; its nanny starts another, which joins."""
    options = {"max_iter": 5, "rounds_per_epoch": 8}
    undisturbed = theta_of(fitted(client, **options))
    pids = set(client.run(os.getpid).values())
    victim = min(pids)
    is_killed = []

    def kill(dask_scheduler=None):
        os.kill(victim, signal.SIGKILL)
        is_killed.append(True)

    class Watch(on_cluster.OnCluster):
        n_done = 0

        def do(self, function, add, job):
            self.n_done += 1
            if self.n_done == 12:
                threading.Thread(target=kill).start()
            return super().do(function, add, job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastdnn.distributed.base.OnCluster", Watch)
        disturbed = theta_of(fitted(client, **options))
    assert is_killed
    assert (disturbed == undisturbed).all()
    until = time.monotonic() + 60
    while len(workers_of(client)) < 4 and time.monotonic() < until:
        time.sleep(0.1)
    assert set(client.run(os.getpid).values()) != pids
    assert (theta_of(fitted(client)) == theta_of(fitted(client))).all()
