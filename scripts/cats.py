"""Train the textbook's four-layer network on images of cats, and check it to the digit.

The images carry no licence, so they are not part of this project: pass the file
``catvnoncat_64.npz`` (uint8 arrays X_train, y_train, X_test, y_test) with ``--data``.
"""

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from fastdnn import DeepNeuralNetwork

REFERENCE = Path(__file__).parents[1] / "tests" / "stored" / "cats.json"
LAYER_SIZES = [12288, 20, 7, 5, 1]


def main() -> None:
    """Train, print the cost every 100 steps and both accuracies, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, metavar="FILE", help="the images")
    parser.add_argument("--steps", type=int, default=2500)
    arguments = parser.parse_args()
    try:
        with np.load(arguments.data, allow_pickle=False) as images:
            X, X_test = (
                images[name].reshape(len(images[name]), -1) / 255.0
                for name in ("X_train", "X_test")
            )
            y, y_test = images["y_train"], images["y_test"]
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"--data {arguments.data}: cannot read the images ({error})")

    network = DeepNeuralNetwork(LAYER_SIZES)
    # The textbook draws W of shape (n_out, n_in) from NumPy's legacy stream.
    draw = np.random.RandomState(1)
    for l, (n_in, n_out) in enumerate(pairwise(LAYER_SIZES)):
        W = draw.randn(n_out, n_in) / np.sqrt(n_in)
        setattr(network, f"W{l + 1}", W.T)

    print(f"Training {LAYER_SIZES} on {len(X)} images for {arguments.steps} steps.")
    costs = network.gradient_descent(X, y, learning_rate=0.0075, n_iterations=arguments.steps)
    reference = json.loads(REFERENCE.read_text())["costs"]
    worst = 0.0
    for step, cost in enumerate(costs):
        expected = reference.get(str(step))
        if expected is not None:
            difference = abs(cost - expected) / expected
            worst = max(worst, difference)
            print(f"step {step:4d}  cost {cost:.16f}  relative difference {difference:.1e}")
    print(f"train accuracy {100 * network.score(X, y):.3f} %")
    print(f"test accuracy  {100 * network.score(X_test, y_test):.3f} %")
    print(f"largest relative difference from the reference costs: {worst:.1e}")
    if worst > 1e-8:
        sys.exit("The costs differ from the reference by more than 1e-8.")


if __name__ == "__main__":
    main()
