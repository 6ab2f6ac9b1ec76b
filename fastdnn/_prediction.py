"""The forward pass over many rows, in blocks that stay in cache, by one or more workers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastdnn._conversion import convert_piece, for_pieces, is_to_convert, rows_of_piece
from fastdnn._cpus import PREDICTION_THAT_PAYS, threads_offered
from fastdnn._parameters import Parameters
from fastdnn._places import Places
from fastdnn._plan import Plan, plan_prediction
from fastdnn._samples import AS_THEY_LIE, Samples
from fastdnn._threads import run_side_by_side
from fastdnn.kernels.barrier import QUEUES
from fastdnn.kernels.engine import predict

#: Rows of up to so many numbers are few: what is decided about them takes longer than
#: predicting them.
FEW_NUMBERS = 2048


class Predictor:
    """Runs rows forward through a network, any number of times.

    A call takes a workspace for each of its workers, and leaves it for later calls: making
    one takes longer than a single row needs. Calls from several threads at once take
    different ones.

    Parameters
    ----------
    parameters : Parameters
        The network; the current values count.
    activations : sequence of str
        The activation of every layer but the input.
    """

    def __init__(self, parameters: Parameters, activations: Sequence[str]) -> None:
        self.parameters, self.activations = parameters, list(activations)
        self._real = parameters.theta.dtype.type(0)
        self._n_outputs = parameters.layer_sizes[-1]
        self._flops_per_row = 2.0 * parameters.n_weights
        self._idle: dict[tuple[bool, bool], list[Plan]] = {}
        self._idle_for_few: list[tuple[Plan, np.ndarray]] = []

    def __call__(self, samples: Samples, n_threads: int | None = 1) -> np.ndarray:
        """Return the output activations of every row of the samples.

        Parameters
        ----------
        samples : Samples
            In the dtype of the parameters, or float64 that `is_to_convert`; targets and
            weights are not looked at.
        n_threads : int or None
            Threads that the user allows; None for as many as pay.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)

        Raises
        ------
        NotFiniteError
            If float64 is converted, and one of the converted numbers is not finite.
        """
        if is_to_convert(samples.X, self.parameters.theta.dtype):
            return self._convert_and_predict(samples.X, n_threads)
        gather, is_sparse = samples.rows is not None, samples.is_sparse
        idle = self._idle.setdefault((gather, is_sparse), [])
        data: Any = None
        if gather or is_sparse:
            order = AS_THEY_LIE if samples.rows is None else samples.rows
            data = samples.data(order, self.parameters.theta.dtype)
        out = np.empty((samples.n_rows, self._n_outputs), self.parameters.theta.dtype)
        first = self._take(idle, gather, is_sparse)
        plans = [first]
        n_blocks = -(-samples.n_rows // first.shard_rows)
        n_workers = self._n_workers(samples.n_rows, n_blocks, n_threads)
        plans += [self._take(idle, gather, is_sparse) for _ in range(1, n_workers)]
        first.network.team[QUEUES] = 0
        for plan in plans:
            if data is None:
                plan.point_to_rows(samples.X)
            else:
                plan.point_to(data)
            # The queue of tasks is common to all.
            plan.columns["team"][0] = first.team_address
        if len(plans) == 1:
            predict(first.address, self._real, out)
        else:
            places = Places(len(plans))

            def work(worker: int, kept_alive: object = (samples, data)) -> None:
                places.keep_apart(worker)
                predict(plans[worker].address, self._real, out)

            run_side_by_side(len(plans), work)
        idle.extend(plans)
        return out

    def predict_few(self, X: np.ndarray) -> np.ndarray | None:
        """Return the output activations of few rows, by this thread alone.

        Calling the predictor gives the same for finite numbers; deciding about threads and
        conversion takes it longer than a single row through a small network.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            At most `FEW_NUMBERS` in all, in the dtype of the parameters.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs) or None
            None if a number is NaN or infinite.
        """
        try:
            plan, rows = self._idle_for_few.pop()
        except IndexError:
            plan, rows = self._plan_for_few()
        n_rows = len(X)
        rows[:n_rows] = X  # copied in less time than NumPy needs to tell where it lies
        out = np.empty((n_rows, self._n_outputs), rows.dtype)
        plan.network.team[QUEUES] = 0
        is_finite = predict(plan.address, self._real, out)
        self._idle_for_few.append((plan, rows))
        return out if is_finite else None

    def _plan_for_few(self) -> tuple[Plan, np.ndarray]:
        """Return a plan, and the rows that it predicts."""
        n_features = self.parameters.layer_sizes[0]
        rows = np.empty((FEW_NUMBERS // n_features, n_features), self.parameters.theta.dtype)
        plan = plan_prediction(
            self.parameters, self.activations, gather=False, is_sparse=False
        )
        plan.table["check_finite"] = True
        plan.point_to_rows(rows)
        return plan, rows

    def _n_workers(self, n_rows: int, n_shares: int, n_threads: int | None) -> int:
        if n_shares <= 1:
            return 1
        pays = n_rows * self._flops_per_row >= PREDICTION_THAT_PAYS
        return min(threads_offered(n_threads, pays), n_shares)

    def _convert_and_predict(self, X: np.ndarray, n_threads: int | None) -> np.ndarray:
        """Predict rows of float64, each piece right after it is converted."""
        idle = self._idle.setdefault((False, False), [])
        out = np.empty((len(X), self._n_outputs), np.float32)
        first = self._take(idle, False, False)
        piece_rows = rows_of_piece(X, first.shard_rows)
        n_workers = self._n_workers(len(X), -(-len(X) // piece_rows), n_threads)
        plans = [first] + [self._take(idle, False, False) for _ in range(1, n_workers)]

        def make_work(worker: int) -> Callable[[int, int], None]:
            plan = plans[worker]
            buffer = np.empty((min(piece_rows, len(X)), X.shape[1]), np.float32)
            plan.point_to_rows(buffer)
            plan.columns["team"][0] = plan.team_address

            def work(start: int, stop: int) -> None:
                convert_piece(X[start:stop], buffer[: stop - start])
                plan.network.team[QUEUES] = 0
                predict(plan.address, self._real, out[start:stop])

            return work

        for_pieces(len(X), piece_rows, n_workers, make_work)
        idle.extend(plans)
        return out

    def _take(self, idle: list[Plan], gather: bool, is_sparse: bool) -> Plan:
        try:
            return idle.pop()
        except IndexError:
            return plan_prediction(
                self.parameters, self.activations, gather=gather, is_sparse=is_sparse
            )

    def __reduce__(self) -> tuple:
        # Workspaces hold addresses, which mean nothing elsewhere.
        return Predictor, (self.parameters, self.activations)
