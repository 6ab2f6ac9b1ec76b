"""Numbers of a small layer, the same in both precisions."""

import numpy as np

DTYPES = [np.float32, np.float64]


def layer(dtype, n_rows=7, n_units=4):
    """Return Z and b with a sum that keeps away from the kink of ReLU at zero."""
    rng = np.random.default_rng(0)
    b = rng.uniform(-1.0, 1.0, n_units)
    total = rng.uniform(0.1, 4.0, (n_rows, n_units))
    total *= rng.choice([-1.0, 1.0], total.shape)
    # Computed from the float32 numbers in both precisions.
    Z, b = (total - b).astype(np.float32), b.astype(np.float32)
    return Z.astype(dtype), b.astype(dtype)


def gradients(shape, dtype):
    """Return dA of a layer, and the gradient of its biases so far."""
    rng = np.random.default_rng(1)
    dA, db = rng.standard_normal(shape), rng.standard_normal(shape[1])
    return dA.astype(np.float32).astype(dtype), db.astype(np.float32).astype(dtype)
