"""Which snapshots make the ensemble, and how sure it may be: decided on validation rows."""

import numpy as np

# Of the temperatures that are tried, and rounds of the selection.
_TEMPERATURES = np.geomspace(0.4, 4.0, 24)
_MOST_ROUNDS = 12


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the mean over members of the softmax of their logits.

    Parameters
    ----------
    logits : ndarray of shape (n_members, n_samples, n_classes)
        Before the softmax.
    temperature : float
        What they are divided by.
    """
    Z = logits.astype(np.float64) / temperature
    P = np.exp(Z - Z.max(axis=2, keepdims=True))
    P /= P.sum(axis=2, keepdims=True)
    return P.mean(axis=0)


def log_loss(P: np.ndarray, positions: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the mean log-loss of probabilities against positions of classes."""
    picked = P[np.arange(len(P)), positions]
    tiny = np.finfo(np.float64).tiny
    return float(np.average(-np.log(np.maximum(picked, tiny)), weights=weight))


def mean_square(A: np.ndarray, Y: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the mean squared error of outputs."""
    return float(np.average(np.square(A - Y).mean(axis=1), weights=weight))


def best_temperature(
    logits: np.ndarray, positions: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Return the temperature with the lowest log-loss; 1 where classes are all but certain."""
    losses = [log_loss(probabilities(logits, t), positions, weight) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def greedy_weights(candidates, loss) -> np.ndarray:
    """Return weights of candidates whose mean has a low loss (Caruana et al., 2004).

    From nothing on, each round adds the candidate, chosen before or not, that makes the mean
    best; it ends where none makes it better.

    Parameters
    ----------
    candidates : sequence of ndarray
        Predictions of one shape.
    loss : callable
        ``loss(prediction)``.

    Returns
    -------
    ndarray of shape (n_candidates,)
        They add up to 1.
    """
    counts = np.zeros(len(candidates))
    total = np.zeros_like(candidates[0], dtype=np.float64)
    best = np.inf
    for n in range(1, _MOST_ROUNDS + 1):
        losses = [loss((total + candidate) / n) for candidate in candidates]
        chosen = int(np.argmin(losses))
        if not losses[chosen] < best:
            break
        best = losses[chosen]
        counts[chosen] += 1
        total += candidates[chosen]
    if counts.sum() == 0:  # no loss is finite
        counts[-1] = 1
    return counts / counts.sum()
