"""Training that diverged and outputs that overflow: how they are found.

Nothing that is not finite leaves an estimator without a word.
"""

import math
from typing import Any

import numpy as np
from scipy import sparse

from fastdnn.data.samples import Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.prediction.predictor import Predictor

# scikit-learn's words; more follows.
NON_FINITE_MESSAGE = (
    "Solver produced non-finite parameter weights. The input data may contain large "
    "values and need to be preprocessed."
)

# Of so few numbers Python looks at each sooner than NumPy begins.
_FEW = 16
# Up to so many parameters it takes no time to look at what is remembered of them.
_MANY = 50_000
# Rows that are predicted after a fit whose outputs may overflow.
_MOST_ROWS = 64
# Outputs are not expected to overflow in the last step of a fit while the gains of all layers
# multiply to less than this power of two.
_SAFE_POWERS = {np.dtype(np.float32): 64.0, np.dtype(np.float64): 512.0}


def is_finite(array: np.ndarray) -> bool:
    """Return whether no number is NaN or infinite."""
    if array.size <= _FEW:
        return all(map(math.isfinite, array.ravel().tolist()))
    return bool(np.isfinite(array).all())


def largest(array: np.ndarray) -> float:
    """Return the largest magnitude; NaN if there is one, 0 of nothing."""
    if array.size == 0:
        return 0.0
    low, high = float(array.min()), float(array.max())
    return max(-low, high) if low == low else math.nan


def problem_of_epochs(
    parameters: Parameters, losses: list[float], score: float | None = None
) -> str | None:
    """Return what is wrong after epochs of some losses, or None: a look at few numbers."""
    bad = [f"loss became {loss}" for loss in losses if not math.isfinite(loss)]
    if score is not None and not math.isfinite(score):
        bad.append(f"validation score became {score}")
    if not bad:
        return None
    if not is_finite(parameters.theta):
        return NON_FINITE_MESSAGE
    return f"Training diverged: the {bad[0]}."


def problem_of_memory(
    parameters: Parameters, samples: Samples, optimizer: str, memory: np.ndarray
) -> str | None:
    """Return what is wrong with what an optimiser remembers after training, or None."""
    # What else they remember is added to the parameters. By the roots of squares they divide:
    # those weights would no longer move. Squares overflow before anything else.
    slots = OPTIMIZERS[optimizer].squares
    if not slots:
        return None
    X = samples.X.data if samples.is_sparse else samples.X
    if parameters.theta.size > max(_MANY, X.size):
        # Few steps of many parameters: less to read. A gradient is an activation times a
        # delta, which have passed all layers, be it not the same ones.
        power = 2.0 * _power_of_gain(parameters, largest(parameters.theta))
        power += math.log2((1.0 + largest(X)) ** 2 * (1.0 + samples.largest_target))
        if power < _SAFE_POWERS[memory.dtype] - 10.0:
            return None
    size = parameters.theta.size
    if all(is_finite(memory[slot * size : (slot + 1) * size]) for slot in slots):
        return None
    return (
        "Training diverged: the optimiser's moments of the gradient overflowed "
        f"{memory.dtype}."
    )


def _power_of_gain(parameters: Parameters, size: float) -> float:
    """Return by what power of two layers multiply, of weights of up to `size` at random."""
    gains = (1.0 + math.sqrt(n_inputs) * size for n_inputs in parameters.layer_sizes[:-1])
    return sum(map(math.log2, gains))


def problem_of_network(
    parameters: Parameters,
    network: Network,
    samples: Samples,
    n_threads: int | None,
    doubtful: bool,
) -> str | None:
    """Return what is wrong with a trained network, or None.

    Its losses are of before the last step. So samples are predicted: all of them, if that is
    `doubtful`, or some, where weights are large enough for outputs to overflow.
    """
    size = largest(parameters.theta)
    if not math.isfinite(size):
        return NON_FINITE_MESSAGE
    if not doubtful:
        safe = _SAFE_POWERS[parameters.theta.dtype]
        if network.output_activation != "exp" and _power_of_gain(parameters, size) < safe:
            return None
        samples = _some_of(samples)
    outputs = Predictor(parameters, network)(samples.to_predict(), n_threads)
    if not _overflow(outputs, network.output_activation).any():
        return None
    return (
        f"Training diverged: the network has finite parameters, of up to {size:.3g}, but its "
        f"outputs overflow {parameters.theta.dtype}."
    )


def _some_of(samples: Samples) -> Samples:
    """Return few of the samples, from the first to the last."""
    rows = np.linspace(0, samples.n_rows - 1, min(_MOST_ROWS, samples.n_rows)).astype(np.int64)
    return samples.at(rows if samples.rows is None else samples.rows[rows])


def _overflow(outputs: np.ndarray, activation: str) -> np.ndarray:
    """Return which of the outputs are NaN or out of range."""
    if activation == "exp":  # stays at the end of the range, a little below it
        return ~(outputs < np.finfo(outputs.dtype).max / 4)
    return ~np.isfinite(outputs)


def finite_outputs(
    outputs: np.ndarray, X: Any, parameters: Parameters, activation: str
) -> np.ndarray:
    """Return the outputs of a prediction, if they are finite.

    Where X itself is not finite, which scikit-learn's setting ``assume_finite`` lets pass,
    neither have the outputs to be.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_outputs)
        Of the network, before or after the output activation, be it in float64.
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        What is predicted.
    parameters : Parameters
        The network.
    activation : str
        Of the output layer.

    Raises
    ------
    ValueError
        If a row of finite numbers has an output that is NaN or infinite.
    """
    if is_finite(outputs) and activation != "exp":
        return outputs
    rows = np.flatnonzero(_overflow(outputs, activation).reshape(len(outputs), -1).any(axis=1))
    if rows.size == 0:
        return outputs
    weight = largest(parameters.theta)
    if not math.isfinite(weight):
        raise ValueError(
            "coefs_ or intercepts_ have NaN or infinity, and so would the predictions. "
            "Put finite numbers there, or fit the estimator again."
        )
    for row in rows:
        numbers = X[[row]].data if sparse.issparse(X) else np.asarray(X[row])
        feature = largest(numbers)
        if math.isfinite(feature):
            break
    else:
        return outputs
    dtype = outputs.dtype if activation == "exp" else parameters.theta.dtype
    wider = " or fit with dtype='float64'" if dtype == np.float32 else ""
    raise ValueError(
        f"The network's output overflows {dtype} in {rows.size} of "
        f"{len(outputs)} rows: row {row} of X has values of up to {feature:.3g}, and the "
        f"network parameters of up to {weight:.3g}. Scale X as that of the fit, for instance "
        f"with StandardScaler{wider}."
    )
