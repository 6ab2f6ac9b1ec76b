"""Measure how long fits of huge batches take to end after Ctrl-C.

    python scripts/time_to_stop.py

Fits networks of (1024, 1024) to 30000 rows as one batch, interrupts them at several moments
and prints the longest time from the signal to the end of the call.
"""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable

import numpy as np
import scipy.sparse

from fastdnn import DeepNeuralNetwork, DNNClassifier

MOMENTS = (0.3, 1.0, 2.5, 4.0, 6.0)
_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((30000, 100))
Y = (X[:, 0] > 0).astype(int)
SPARSE = scipy.sparse.random(30000, 5000, 0.01, format="csr", random_state=0)


def classifier(X: object = X, **options: object) -> Callable[[int], object]:
    """Return a function that fits with so many threads."""
    options = {"max_iter": 50, "batch_size": len(Y), "random_state": 0} | options
    return lambda n_threads: DNNClassifier((1024, 1024), n_threads=n_threads, **options).fit(
        X, Y
    )


def descend(n_threads: int) -> None:
    """Train the textbook's network."""
    network = DeepNeuralNetwork([100, 1024, 1024, 1])
    network.initialize_parameters(random_state=0)
    network.gradient_descent(X, Y, learning_rate=1e-3, n_iterations=50, n_threads=n_threads)


FITS = {
    "adam": classifier(),
    "sgd": classifier(solver="sgd"),
    "adam, float64, tanh": classifier(activation="tanh", dtype="float64"),
    "adam, sparse X": classifier(SPARSE),
    "lbfgs": classifier(solver="lbfgs"),
    "gradient_descent": descend,
    "adam, (8192, 8192), batches of 1000": lambda n_threads: DNNClassifier(
        (8192, 8192), batch_size=1000, n_threads=n_threads
    ).fit(X, Y),
}


def seconds_to_stop(fit: Callable[[], object], moment: float) -> float:
    """Return the time from a signal, sent so many seconds after the start, to the end."""
    sent = []

    def send() -> None:
        time.sleep(moment)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        fit()
        thread.join()
    except KeyboardInterrupt:
        pass
    end = time.perf_counter()
    thread.join()
    return end - sent[0]


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    for dtype in ("float32", "float64"):  # compiled before anything is measured
        DNNClassifier((4,), max_iter=1, dtype=dtype).fit(X[:500], Y[:500])
    for name, fit in FITS.items():
        for n_threads in (1, 2):
            seconds = [
                seconds_to_stop(lambda fit=fit, n=n_threads: fit(n), moment)
                for moment in MOMENTS
            ]
            print(f"{name}, {n_threads} threads: {max(seconds):.3f} s", flush=True)


if __name__ == "__main__":
    main()
