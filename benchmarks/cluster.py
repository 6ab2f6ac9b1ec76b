"""One network on a cluster: how near to one machine, how fast, and what is communication.

    python -m benchmarks.cluster FOLDER [--json] [--rows N] [--epochs N] [--workers N ...]

FOLDER has the table ``covtype.npz``. At first the loss after the same epochs as on one
machine, by the number of shards and the timetable, with "plain averaging": without
synchronous steps, longer steps and momentum. That needs no cluster and is the same on every
machine. Then fits on a `LocalCluster` of some processes on this machine: the seconds of an
epoch, and the share that is not training. At last the epoch of 100 workers, *simulated* by
what was measured: the rounds of one of 100 shards in this process, the overhead of a task, and
the bytes at 1 GB/s.
"""

import argparse
import statistics
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from benchmarks.measure import add_json_option, environment, store
from fastdnn import DNNClassifier
from fastdnn.distributed.local import InThisProcess
from fastdnn.distributed.rounds import Job, local_steps
from fastdnn.distributed.shards import Shard, made_shard
from fastdnn.distributed.training import Timetable, Training
from fastdnn.models.hyperparameters import training_options

_TIMETABLES = {
    "as it is made": Timetable(),
    "first epoch synchronous": Timetable(sync_epochs=1.0),
    "4 rounds an epoch": Timetable(rounds_per_epoch=4),
    "no momentum": Timetable(outer_momentum=0.0),
    "plain averaging": Timetable(0.0, 10, 0.0),
}
_SHARDS, _SIMULATED, _BYTES_PER_SECOND = (4, 16), 100, 1e9


class Plain(Training):
    """Training whose local steps are as long as those of one machine."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._longer = 1.0


class Data(NamedTuple):
    """Rows of the table, standardised, and their classes."""

    X: np.ndarray
    y: np.ndarray


def covtype(folder: Path, n_rows: int) -> Data:
    """Return some rows, drawn at random."""
    with np.load(folder / "covtype.npz", allow_pickle=False) as stored:
        X, y = stored["X"].astype(np.float32), stored["y"]
    rows = np.random.RandomState(0).permutation(len(X))[:n_rows]
    X, y = X[rows], y[rows]
    deviation = X.std(axis=0)
    return Data((X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1), y)


def network(n_epochs: int) -> DNNClassifier:
    """Return the network that all train, which does not stop early."""
    return DNNClassifier(
        (64, 32), max_iter=n_epochs, random_state=0, n_threads=1, n_iter_no_change=10_000
    )


def shards_of(model: Any, data: Data, n_shards: int) -> list[Shard]:
    """Cut rows into shards for an initialised network."""
    parts = zip(*(np.array_split(a, n_shards) for a in data), strict=True)
    return [made_shard(model, k, [X], [y], []) for k, (X, y) in enumerate(parts)]


def losses(data: Data, n_epochs: int) -> dict[str, Any]:
    """Return the loss on all rows, of one machine and by shards and timetable."""
    one = network(n_epochs).fit(*data)
    wanted = log_loss(data.y, one.predict_proba(data.X))
    results: dict[str, Any] = {"one machine": wanted}
    for n_shards in _SHARDS:
        for name, timetable in _TIMETABLES.items():
            model = network(n_epochs).initialize(*data)
            team = InThisProcess(shards_of(model, data, n_shards))
            kind = Plain if name == "plain averaging" else Training
            training = kind(team, model._state, training_options(model), timetable, 0)
            training.run()
            model._publish()
            loss = log_loss(data.y, model.predict_proba(data.X))
            bytes_sent = 2 * training.state.optimizer.memory.nbytes  # 3 P there and back
            bytes_sent += 2 * model._state.parameters.theta.nbytes
            results[f"{n_shards} shards, {name}"] = {
                "loss": loss,
                "over_one_machine": loss / wanted - 1.0,
                "rounds": training.n_rounds,
                "megabytes_a_shard_at_most": 1e-6 * bytes_sent * training.n_rounds,
            }
            print(f"{n_shards} shards, {name}: {loss:.4f}, {100 * (loss / wanted - 1):+.2f} %")
    return results


def seconds_of_round(data: Data, n_shards: int) -> float:
    """Return what one shard's part of a round takes, without a cluster."""
    model: Any = network(1).initialize(*data)
    shard = shards_of(model, data, n_shards)[0]
    theta = model._state.parameters.theta
    n_batches = -(-len(data.X) // 200)
    memory = np.zeros(2 * theta.size, theta.dtype)
    end = max(1, n_batches // 10)
    job = Job(theta, memory, "adam", 0.001, 0, 0, 0, 0, end, n_batches, len(data.X))
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        local_steps(shard, job, 1)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def on_processes(data: Data, workers: list[int], n_epochs: int) -> dict[str, Any]:
    """Return times of epochs of local rounds on clusters of processes."""
    import dask.array as da
    from distributed import Client, LocalCluster

    from fastdnn.distributed import DaskDNNClassifier

    n_shards, results = max(workers), {}
    alone = seconds_of_round(data, n_shards)
    for n in workers:
        options: dict[str, Any] = {"n_workers": n, "threads_per_worker": 1}
        with (
            LocalCluster(**options, dashboard_address=None, silence_logs=50) as cluster,
            Client(cluster) as client,
        ):
            rows = -(-len(data.X) // n_shards)
            X = client.persist(da.from_array(data.X, (rows, data.X.shape[1])))
            y = client.persist(da.from_array(data.y, rows))
            model = DaskDNNClassifier(
                **network(n_epochs).get_params() | {"n_threads": None},
                client=client,
                sync_epochs=0.0,
            )
            overhead = task_overhead(client)
            model.fit(X, y)
            epoch = statistics.median(model.history_["seconds"][1:])
        training = 10 * alone * (n_shards / n)
        results[str(n)] = {
            "seconds_of_epoch": epoch,
            "share_of_communication": max(0.0, 1.0 - training / epoch),
            "seconds_of_task": overhead,
        }
        print(f"{n} workers: {results[str(n)]}")
    return results


def task_overhead(client: Any) -> float:
    """Return what a further task takes in a round of many that do nothing."""
    seconds = {}
    for n_tasks in (20, 220):
        start = time.perf_counter()
        client.gather([client.submit(int, i, pure=False) for i in range(n_tasks)])
        seconds[n_tasks] = time.perf_counter() - start
    return (seconds[220] - seconds[20]) / 200


def simulated(data: Data, measured: dict[str, Any]) -> dict[str, Any]:
    """Return the epoch of 100 workers, by what was measured; nothing of it was run."""
    of_round = seconds_of_round(data, _SIMULATED)
    overhead = statistics.median(f["seconds_of_task"] for f in measured.values())
    n_parameters = sum(a * b + b for a, b in ((data.X.shape[1], 64), (64, 32), (32, 7)))
    bytes_sent = 2 * 3 * 4 * n_parameters * _SIMULATED
    other = overhead * 1.15 * _SIMULATED + bytes_sent / _BYTES_PER_SECOND  # with sums of eight
    return {
        "simulated": True,
        "workers": _SIMULATED,
        "seconds_of_epoch": 10 * (of_round + other),
        "share_of_communication": other / (of_round + other),
    }


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    add_json_option(parser, "cluster.json")
    arguments = parser.parse_args()
    data = covtype(arguments.folder, arguments.rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        of_shards = losses(data, arguments.epochs)
        of_processes = on_processes(data, arguments.workers, 4)
    many = simulated(data, of_processes)
    print(f"100 workers, simulated: {many}")
    store(
        arguments.json,
        {
            "environment": environment("dask", "distributed"),
            "rows": arguments.rows,
            "epochs": arguments.epochs,
            "losses": of_shards,
            "processes": of_processes,
            "many": many,
        },
    )


if __name__ == "__main__":
    main()
