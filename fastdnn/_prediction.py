"""The forward pass over many rows, in blocks that stay in cache, by one or more workers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdnn._parameters import Parameters
from fastdnn._plan import Plan, plan_prediction
from fastdnn._samples import AS_THEY_LIE, Samples
from fastdnn._threads import PREDICTION_THAT_PAYS, run_side_by_side, threads_offered
from fastdnn.kernels.barrier import QUEUES
from fastdnn.kernels.engine import predict
from fastdnn.kernels.workspace import point_to


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

    def __call__(self, samples: Samples, n_threads: int | None = 1) -> np.ndarray:
        """Return the output activations of every row of the samples.

        Parameters
        ----------
        samples : Samples
            In the dtype of the parameters; targets and weights are not looked at.
        n_threads : int or None
            Threads that the user allows; None for as many as pay.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
        """
        gather, is_sparse = samples.rows is not None, samples.is_sparse
        idle = self._idle.setdefault((gather, is_sparse), [])
        data: Any = None
        if gather or is_sparse:
            data = samples.data(AS_THEY_LIE if samples.rows is None else samples.rows)
        out = np.empty((samples.n_rows, self._n_outputs), self.parameters.theta.dtype)
        first = self._take(idle, gather, is_sparse)
        plans = [first]
        n_blocks = -(-samples.n_rows // first.shard_rows)
        if n_blocks > 1:
            pays = samples.n_rows * self._flops_per_row >= PREDICTION_THAT_PAYS
            n_workers = min(threads_offered(n_threads, pays), n_blocks)
            plans += [self._take(idle, gather, is_sparse) for _ in range(1, n_workers)]
        first.network.team[QUEUES] = 0
        for plan in plans:
            if data is None:
                plan.columns["X"][0] = samples.X.__array_interface__["data"][0]
                plan.columns["X_size"][0] = samples.X.size
            else:
                point_to(plan.table, data)
            # The queue of tasks is common to all.
            plan.columns["team"][0] = first.team_address
        if len(plans) == 1:
            predict(first.address, self._real, out)
        else:
            run_side_by_side(
                len(plans), lambda worker: predict(plans[worker].address, self._real, out)
            )
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
