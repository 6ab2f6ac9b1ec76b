"""Parameters of networks for tests."""

import numpy as np

from fastdnn.network.parameters import Parameters


def random_parameters(rng, sizes, dtype=np.float64):
    """Draw parameters that are the same numbers in both precisions."""
    parameters = Parameters(sizes, np.float32)
    for W, b in zip(parameters.coefs, parameters.intercepts, strict=True):
        W[:] = rng.uniform(-1.0, 1.0, W.shape) * np.sqrt(3.0 / len(W))
        b[:] = rng.uniform(-1.0, 1.0, b.shape)
    return parameters.astype(dtype)
