"""The forward pass over many rows, in blocks, by a team of workers."""

from collections.abc import Sequence

import numpy as np

from fastdnn._parameters import Parameters
from fastdnn._plan import plan_prediction
from fastdnn._samples import AS_THEY_LIE, Samples
from fastdnn._threads import run_side_by_side
from fastdnn.kernels.engine import predict
from fastdnn.kernels.workspace import point_to


def forward_pass(
    parameters: Parameters,
    activations: Sequence[str],
    samples: Samples,
    n_threads: int | None = 1,
) -> np.ndarray:
    """Return the output activations of every row of the samples.

    Parameters
    ----------
    parameters : Parameters
        The network.
    activations : sequence of str
        The activation of every layer but the input.
    samples : Samples
        In the dtype of the parameters; targets and weights are not looked at.
    n_threads : int or None
        Threads that the user allows; None for as many as pay.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
    """
    plan = plan_prediction(parameters, activations, samples, n_threads)
    data = samples.data(AS_THEY_LIE if samples.rows is None else samples.rows)
    out = np.empty((samples.n_rows, parameters.layer_sizes[-1]), parameters.theta.dtype)
    point_to(plan.table, data)
    # Every worker has a workspace of its own; the task counter is common.
    tables = [plan.table]
    networks = [plan.network]
    for _ in range(1, plan.n_workers):
        networks.append(plan.network._replace(work=np.zeros_like(plan.network.work)))
        tables.append(plan.table.copy())
        point_to(tables[-1], networks[-1])
    real = parameters.theta.dtype.type(0)
    run_side_by_side(plan.n_workers, lambda worker: predict(tables[worker][0], real, out))
    return out
