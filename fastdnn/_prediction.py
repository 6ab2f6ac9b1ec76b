"""The forward pass over many rows, in blocks, by a team of workers."""

from collections.abc import Sequence

import numpy as np

from fastdnn._parameters import Parameters
from fastdnn._plan import plan_prediction
from fastdnn._threads import Team, single_threaded_blas
from fastdnn.kernels.engine import predict
from fastdnn.kernels.views import read_only


def forward_pass(
    parameters: Parameters,
    activations: Sequence[str],
    X: np.ndarray,
    n_threads: int = 1,
) -> np.ndarray:
    """Return the output activations of every row of `X`.

    Parameters
    ----------
    parameters : Parameters
        The network.
    activations : sequence of str
        The activation of every layer but the input.
    X : ndarray of shape (n_samples, n_features)
        C-contiguous, in the dtype of the parameters.
    n_threads : int
        Threads offered.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
    """
    plan = plan_prediction(parameters, activations, X.shape[0], n_threads)
    out = np.empty((X.shape[0], parameters.layer_sizes[-1]), dtype=X.dtype)
    network, X = plan.network, read_only(X)
    # Every worker has a workspace of its own; the task counter is common.
    networks = [network]
    for _ in range(1, plan.n_workers):
        networks.append(network._replace(work=np.zeros_like(network.work)))
    with single_threaded_blas(), Team(plan.n_workers, network.team) as team:
        team.run(lambda worker: predict(plan.settings, X, networks[worker], out, worker))
    return out
