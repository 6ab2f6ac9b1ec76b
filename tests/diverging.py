"""Small problems, and settings, for tests of fits that diverge."""

import numpy as np
import pytest

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn._jit import JIT_ENABLED

#: NumPy's own warnings, where the kernels run without JIT.
NUMPY_MAY_WARN = (
    [] if JIT_ENABLED else [pytest.mark.filterwarnings("ignore:.* encountered in")]
)

SMALL = {"hidden_layer_sizes": (6,), "batch_size": 20, "random_state": 0, "max_iter": 4}


def problem(n_rows=60, n_features=3):
    X = np.random.default_rng(0).standard_normal((n_rows, n_features))
    return X, X[:, 0] - 0.5 * X[:, 1] + 0.2 * np.sin(X[:, 2])


X, Y_REAL = problem()
CLASSES = (Y_REAL > 0).astype(int)
THREE = np.digitize(Y_REAL, [-0.5, 0.5])
BOTH = pytest.mark.parametrize(
    ("Estimator", "y"), [(DNNClassifier, THREE), (DNNRegressor, Y_REAL)], ids=["clf", "reg"]
)
