"""Samples, and the reference values: their matrices are transposed against ours."""

import json
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parents[1] / "stored"


@pytest.fixture(scope="session")
def reference():
    """Return a function that reads a JSON file of tests/stored."""
    return lambda name: json.loads((DATA / name).read_text())


@pytest.fixture(scope="session")
def ours():
    """Return a function that turns one of their parameters into the shape of ours."""

    def turn(name, value):
        value = np.array(value, dtype=np.float64).T
        return value.ravel() if "b" in name else value

    return turn


@pytest.fixture(scope="session")
def seeds():
    """Wheat seeds standardised by the population standard deviation, and 0/1 classes."""
    table = np.genfromtxt(DATA / "wheat-seeds-binary.csv", delimiter=",", skip_header=1)
    X, y = table[:, :-1], table[:, -1] - 1
    return (X - X.mean(axis=0)) / X.std(axis=0), y


@pytest.fixture
def samples():
    generator = np.random.default_rng(0)
    X = generator.standard_normal((30, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)
