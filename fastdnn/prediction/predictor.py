"""The forward pass over many rows, in blocks that stay in cache, by one or more workers."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastdnn.data.conversion import convert_piece, for_pieces, is_to_convert, rows_of_piece
from fastdnn.data.samples import AS_THEY_LIE, Samples
from fastdnn.engine.barrier import QUEUES
from fastdnn.engine.loop import DONE, NOT_FINITE, predict
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.results import RESULTS
from fastdnn.planning.plan import Plan
from fastdnn.planning.predictions import plan_prediction
from fastdnn.planning.program import activate
from fastdnn.teams.cpus import PREDICTION_THAT_PAYS, threads_offered
from fastdnn.teams.separation import Separation
from fastdnn.teams.threads import run_side_by_side

#: Rows of up to so many numbers are few: what is decided about them takes longer than
#: predicting them.
FEW_NUMBERS = 2048

# A worker looks this often whether it was interrupted. Before it has been timed, it takes so
# many floating-point operations; each unit counts as some more.
_SECONDS_PER_TURN, _FLOPS_OF_FIRST_TURN, _FLOPS_OF_UNIT = 0.05, 2.5e8, 50.0


class Predictor:
    """Runs rows forward through a network, any number of times.

    A call takes a workspace for each of its workers, and leaves it for later calls: making
    one takes longer than a single row needs. Calls from several threads at once take
    different ones.

    Parameters
    ----------
    parameters : Parameters
        The network; the current values count.
    network : Network
        What it is.
    """

    def __init__(self, parameters: Parameters, network: Network) -> None:
        self.parameters, self.network = parameters, network
        self._real = parameters.theta.dtype.type(0)
        self._n_outputs = parameters.layer_sizes[-1]
        n_weights = parameters.n_weights
        # Pickles of fastdnn 0.2 hand over something else, which is not predicted with.
        table = getattr(network, "table", None)
        if table is not None:  # of the first layer's, an entry reads those of two inputs
            n_read = 2 * len(table.entries) * parameters.layer_sizes[1]
            n_weights += min(0, n_read - parameters.coefs[0].size)
        self._flops_per_row = 2.0 * n_weights
        self._cost_per_row = self._flops_per_row + _FLOPS_OF_UNIT * parameters.n_biases
        self._idle: dict[tuple[bool, bool], list[Plan]] = {}
        self._idle_for_few: list[tuple[Plan, np.ndarray]] = []

    def __call__(
        self,
        samples: Samples,
        n_threads: int | None = 1,
        results: str = "activations",
        in_double: bool = False,
    ) -> np.ndarray:
        """Return results for every row of the samples.

        Parameters
        ----------
        samples : Samples
            In the dtype of the parameters, or float64 that `is_to_convert`; targets and
            weights are not looked at.
        n_threads : int or None
            Threads that the user allows; None for as many as pay.
        results : str
            What to return: a name in `fastdnn.ops.results.RESULTS`.
        in_double : bool
            Whether the results are float64; otherwise they have the dtype of the parameters.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)

        Raises
        ------
        NotFiniteError
            If float64 is converted, and one of the converted numbers is not finite.
        """
        dtype = self.parameters.theta.dtype
        n_columns = RESULTS[results].columns_per_output * self._n_outputs
        out = np.empty((samples.n_rows, n_columns), np.float64 if in_double else dtype)
        if is_to_convert(samples.X, dtype):
            self._convert_and_predict(samples.X, n_threads, results, out)
        else:
            self._predict(samples, n_threads, results, out)
        return out

    def _predict(
        self, samples: Samples, n_threads: int | None, results: str, out: np.ndarray
    ) -> None:
        """Write results for the samples, which have the dtype of the parameters."""
        gather, is_sparse = samples.rows is not None, samples.is_sparse
        idle = self._idle.setdefault((gather, is_sparse), [])
        data: Any = None
        if gather or is_sparse:
            order = AS_THEY_LIE if samples.rows is None else samples.rows
            data = samples.data(order, self.parameters.theta.dtype)
        first = self._take(idle, gather, is_sparse)
        plans = [first]
        n_blocks = -(-samples.n_rows // first.shard_rows)
        n_workers = self._n_workers(samples.n_rows, n_blocks, n_threads)
        plans += [self._take(idle, gather, is_sparse) for _ in range(1, n_workers)]
        first.memory.team[QUEUES] = 0
        for plan in plans:
            if data is None:
                plan.point_to_rows(samples.X)
            else:
                plan.point_to(data)
            # The queue of tasks is common to all.
            plan.columns["team"][0] = first.team_address
        turns = [self._turns(plan, results, out) for plan in plans]
        if len(plans) == 1:
            while turns[0]():
                pass
        else:
            separation = Separation(len(plans))

            # Whoever is still at work when this call has been interrupted, twice, keeps alive
            # what he reads and writes.
            def work(worker: int, kept_alive: object = (samples, data, plans)) -> bool:
                separation.keep_apart(worker)
                return turns[worker]()

            run_side_by_side(len(plans), work)
        idle.extend(plans)

    def _turns(self, plan: Plan, results: str, out: np.ndarray) -> Callable[[], bool]:
        """Return what predicts some blocks when it is called, and whether more are left.

        Between two calls Python looks for interrupts.
        """
        address, n_rows, memory = plan.address, len(out), _address_of(out)
        made = self._how_made(plan, results, out)
        most_blocks = self._blocks_of_first_turn(plan)

        def take_turn(kept_alive: object = (plan, out)) -> bool:
            nonlocal most_blocks
            start = time.perf_counter()
            state = predict(address, self._real, memory, n_rows, *made, most_blocks)
            if state == DONE:
                return False
            seconds = max(time.perf_counter() - start, 1e-9)
            # Never much more because of a single timing.
            growth = min(2.0, _SECONDS_PER_TURN / seconds)
            most_blocks = max(1, int(most_blocks * growth))
            return True

        return take_turn

    def _how_made(
        self, plan: Plan, results: str, out: np.ndarray
    ) -> tuple[int, int, int, bool]:
        """Let a plan make some results; return what the engine is told about them.

        The number of operations, where the kernel lies, the columns, and whether they are
        float64 and not of the computing type.
        """
        row, dtype = RESULTS[results], self.parameters.theta.dtype
        n_operations = len(plan.memory.operations) - (not row.of_activations)
        if row.of_activations:
            activate(plan.memory.operations, self.network, dtype)
        in_double = out.dtype == np.float64
        kernel = row.in_double if in_double else row.same_type
        return n_operations, kernel.address(dtype), out.shape[1], in_double

    def _blocks_of_first_turn(self, plan: Plan) -> int:
        return max(1, int(_FLOPS_OF_FIRST_TURN / (self._cost_per_row * plan.shard_rows)))

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
        plan.memory.team[QUEUES] = 0
        # All blocks at once, of which there cannot be more.
        made = self._how_made(plan, "activations", out)
        state = predict(plan.address, self._real, _address_of(out), n_rows, *made, FEW_NUMBERS)
        self._idle_for_few.append((plan, rows))
        return None if state == NOT_FINITE else out

    def _plan_for_few(self) -> tuple[Plan, np.ndarray]:
        """Return a plan, and the rows that it predicts."""
        n_features = self.parameters.layer_sizes[0]
        rows = np.empty((FEW_NUMBERS // n_features, n_features), self.parameters.theta.dtype)
        plan = plan_prediction(self.parameters, self.network, gather=False, is_sparse=False)
        plan.table["check_finite"] = True
        plan.point_to_rows(rows)
        return plan, rows

    def _n_workers(self, n_rows: int, n_shares: int, n_threads: int | None) -> int:
        if n_shares <= 1:
            return 1
        pays = n_rows * self._flops_per_row >= PREDICTION_THAT_PAYS
        return min(threads_offered(n_threads, pays), n_shares)

    def _convert_and_predict(
        self, X: np.ndarray, n_threads: int | None, results: str, out: np.ndarray
    ) -> None:
        """Predict rows of float64, each piece right after it is converted."""
        idle = self._idle.setdefault((False, False), [])
        first = self._take(idle, False, False)
        # A piece is a turn, see `_turns`.
        rows_of_turn = self._blocks_of_first_turn(first) * first.shard_rows
        piece_rows = min(rows_of_piece(X, first.shard_rows), rows_of_turn)
        n_workers = self._n_workers(len(X), -(-len(X) // piece_rows), n_threads)
        plans = [first] + [self._take(idle, False, False) for _ in range(1, n_workers)]

        def make_work(worker: int) -> Callable[[int, int], None]:
            plan = plans[worker]
            made = self._how_made(plan, results, out)
            buffer = np.empty((min(piece_rows, len(X)), X.shape[1]), np.float32)
            plan.point_to_rows(buffer)
            plan.columns["team"][0] = plan.team_address

            def work(start: int, stop: int) -> None:
                convert_piece(X[start:stop], buffer[: stop - start])
                plan.memory.team[QUEUES] = 0
                piece = out[start:stop]
                predict(
                    plan.address, self._real, _address_of(piece), len(piece), *made,
                    len(piece) + 1,
                )  # fmt: skip

            return work

        for_pieces(len(X), piece_rows, n_workers, make_work)
        idle.extend(plans)

    def _take(self, idle: list[Plan], gather: bool, is_sparse: bool) -> Plan:
        try:
            return idle.pop()
        except IndexError:
            return plan_prediction(
                self.parameters, self.network, gather=gather, is_sparse=is_sparse
            )

    def __reduce__(self) -> tuple:
        # Workspaces hold addresses, which mean nothing elsewhere.
        return Predictor, (self.parameters, self.network)


def _address_of(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
