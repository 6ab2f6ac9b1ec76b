"""fastdnn in a minute: handwritten digits, a pipeline, a grid search, and the clock.

Trains on the digits that scikit-learn ships, compares time and accuracy with
``MLPClassifier``, and draws the loss curve to ``quickstart-loss.png`` where matplotlib is
installed.
"""

import argparse
import logging
import statistics
import time
import warnings

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, LossCurveDisplay


def main() -> None:
    """Run the tour."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", default="quickstart-loss.png", metavar="FILE")
    arguments = parser.parse_args()
    logging.basicConfig(format="  (%(message)s)")
    # The tour trains for a fixed number of epochs; that is not worth a warning here.
    warnings.simplefilter("ignore", ConvergenceWarning)
    started = time.perf_counter()

    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    print(f"Digits: {len(X_train)} images to train on, {len(X_test)} to test, 64 pixels.")

    print("\n1. The first fit compiles the engine if this machine has not done so yet.")
    network = DNNClassifier(hidden_layer_sizes=(100,), random_state=0)
    _, seconds = timed(make_pipeline(StandardScaler(), network), X_train, y_train)
    print(f"   First fit, with compilation if any: {seconds:.1f} s")

    print("\n2. A pipeline, with progress.")
    network.set_params(verbose=True, max_iter=10)
    make_pipeline(StandardScaler(), network).fit(X_train, y_train)
    network.set_params(verbose=False, max_iter=200)
    model, seconds = timed(make_pipeline(StandardScaler(), network), X_train, y_train)
    curve = model[-1].loss_curve_
    print(f"   To the end: {len(curve)} epochs in {1000 * seconds:.0f} ms")
    print(f"   Test accuracy: {model.score(X_test, y_test):.3f}")

    print("\n3. A grid search: 6 candidates, 3 folds each.")
    grid = {
        "dnnclassifier__hidden_layer_sizes": [(32,), (100,), (64, 32)],
        "dnnclassifier__alpha": [1e-4, 1e-1],
    }
    start = time.perf_counter()
    search = GridSearchCV(model, grid, cv=3).fit(X_train, y_train)
    print(f"   {time.perf_counter() - start:.1f} s, best: {search.best_params_}")
    print(f"   Test accuracy: {search.score(X_test, y_test):.3f}")

    print("\n4. The same 50 epochs with scikit-learn's MLPClassifier, in turns.")
    settings = {"random_state": 0, "max_iter": 50}
    ours, theirs = DNNClassifier(**settings), MLPClassifier(**settings)
    ratios, fitted = [], []
    for _ in range(3):
        pair = [
            timed(make_pipeline(StandardScaler(), estimator), X_train, y_train)
            for estimator in (ours, theirs)
        ]
        fitted = [model for model, _ in pair]
        ratios.append(pair[1][1] / pair[0][1])
        print(f"   fastdnn {pair[0][1]:.2f} s, scikit-learn {pair[1][1]:.2f} s")
    scores = [model.score(X_test, y_test) for model in fitted]
    print(f"   {statistics.median(ratios):.1f} times as fast;", end=" ")
    print(f"test accuracy {scores[0]:.3f} and {scores[1]:.3f}.")

    draw(model, arguments.picture)
    print(f"\nDone in {time.perf_counter() - started:.0f} s.")


def timed(model: Pipeline, X, y) -> tuple[Pipeline, float]:
    """Fit `model` and return it with the seconds it took."""
    start = time.perf_counter()
    model.fit(X, y)
    return model, time.perf_counter() - start


def draw(model: Pipeline, file: str) -> None:
    """Draw the loss of each epoch."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        print('\nNo picture of the loss: pip install "fastdnn[plot]" for matplotlib.')
        return
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    LossCurveDisplay.from_estimator(model, ax=axes, log_scale=True)
    axes.set(title="Digits")
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=120)
    print(f"\nThe loss curve is in {file}.")


if __name__ == "__main__":
    main()
