"""What several networks say together: means of predictions, and how far they differ."""

from collections.abc import Callable, Iterator

import numpy as np

from fastdnn.ops.several_outputs import n_targets_of

#: ``each(kind)`` yields the results of each network, a name in `fastdnn.ops.results.RESULTS`.
Each = Callable[[str], Iterator[np.ndarray]]


def mean_results(each: Each, kind: str, output: str) -> np.ndarray:
    """Return results of the mean of several networks.

    What is meaned are predictions and probabilities. Logits and logarithms are those of the
    mean probabilities; a variance is that of the mixture of the networks' distributions
    (Lakshminarayanan et al., 2017).

    Parameters
    ----------
    each : callable
        The results of each network, in the same order at each call.
    kind : str
        Which results.
    output : str
        The fitted ``out_activation_``.

    Returns
    -------
    ndarray of shape (n_samples, n_columns)
        Of the dtype of the networks' results.
    """
    if kind == "logits" and output == "softmax":
        return _log_mean(each("log softmax"))
    if kind == "logits" and output == "logistic":
        # Minus the logarithm of a probability, and of its complement.
        ones = _log_mean(-np.logaddexp(0.0, -Z) for Z in each(kind))
        zeros = _log_mean(-np.logaddexp(0.0, Z) for Z in each(kind))
        return ones - zeros
    if kind.startswith(("log ", "two log ")):
        return _log_mean(each(kind))
    mean, deviation = mean_and_deviation(each(kind))
    if kind == "activations" and output == "mean_and_variance":
        n_targets = n_targets_of(output, mean.shape[1])
        mean[:, n_targets:] += np.square(deviation[:, :n_targets])
    return mean


def mean_and_deviation(results: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of arrays, and their standard deviation; two of them are held at once.

    Parameters
    ----------
    results : iterator of ndarray
        Of one shape.
    """
    first = next(results)
    mean, squares = first.astype(np.float64), np.zeros(first.shape)
    n_seen = 1
    for result in results:
        n_seen += 1
        difference = result - mean
        mean += difference / n_seen
        squares += difference * (result - mean)
    deviation = np.sqrt(squares / n_seen)
    return mean.astype(first.dtype), deviation.astype(first.dtype)


def _log_mean(logarithms: Iterator[np.ndarray]) -> np.ndarray:
    """Return the logarithm of the mean of numbers whose logarithms are given."""
    first = next(logarithms)
    total, n_seen = first.astype(np.float64), 1
    for more in logarithms:
        np.logaddexp(total, more, out=total)
        n_seen += 1
    return (total - np.log(n_seen)).astype(first.dtype)
