"""Scores of validation rows against scikit-learn's, and whatever the order of the rows."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, d2_pinball_score, r2_score

from fastdnn.training.scores import d2_pinball, mean_accuracy, r2

ROWS = 20_000


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.pairwise
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_r2_is_scikit_learns(n_targets, weighted, dtype, generator):
    Y = generator.standard_normal((ROWS, n_targets)).astype(dtype)
    outputs = (Y + generator.standard_normal(Y.shape)).astype(dtype)
    weight = generator.uniform(0.0, 2.0, ROWS) if weighted else None
    exact = [matrix.astype(np.float64) for matrix in (Y, outputs)]
    theirs = r2_score(*exact, sample_weight=weight)
    assert r2(Y, outputs, weight) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n_targets", "levels"), [(1, [0.3]), (2, [0.3]), (1, [0.1, 0.5])])
def test_d2_is_scikit_learns(n_targets, levels, weighted, dtype, generator):
    Y = generator.standard_normal((ROWS, n_targets)).astype(dtype)
    n_outputs = max(n_targets, len(levels))
    outputs = (Y + 0.5 * generator.standard_normal((ROWS, n_outputs))).astype(dtype)
    weight = generator.uniform(0.0, 2.0, ROWS) if weighted else None
    exact, predicted = (matrix.astype(np.float64) for matrix in (Y, outputs))
    theirs = [
        d2_pinball_score(
            exact[:, k % n_targets], predicted[:, k], alpha=level, sample_weight=weight
        )
        for k, level in enumerate(levels * n_targets)
    ]
    assert d2_pinball(Y, outputs, levels, weight) == pytest.approx(np.mean(theirs), rel=1e-12)


@pytest.mark.parametrize(("output", "expected"), [(2.0, 1.0), (3.0, 0.0)])
def test_d2_of_a_constant_target(output, expected):
    Y, outputs = np.full((5, 1), 2.0), np.full((5, 1), output)
    assert d2_pinball(Y, outputs, [0.3], None) == expected


@pytest.mark.parametrize(("output", "expected"), [(2.0, 1.0), (3.0, 0.0)])
def test_r2_of_a_constant_target(output, expected):
    Y, outputs = np.full((5, 1), 2.0), np.full((5, 1), output)
    assert r2(Y, outputs, None) == expected == r2_score(Y, outputs)


@pytest.mark.parametrize("weighted", [False, True])
def test_accuracy_is_scikit_learns(weighted, generator):
    correct = generator.random(ROWS) < 0.7
    weight = generator.uniform(0.0, 2.0, ROWS) if weighted else None
    theirs = accuracy_score(np.ones(ROWS, bool), correct, sample_weight=weight)
    assert mean_accuracy(correct, weight) == pytest.approx(theirs, rel=1e-12)


def test_the_order_of_rows_changes_no_bit(generator):
    correct, weight = generator.random(ROWS) < 0.7, generator.uniform(0.0, 2.0, ROWS)
    Y, outputs = generator.standard_normal((2, ROWS, 2))
    order = generator.permutation(ROWS)
    assert mean_accuracy(correct[order], weight[order]) == mean_accuracy(correct, weight)
    assert r2(Y[order], outputs[order], weight[order]) == r2(Y, outputs, weight)


def test_weights_that_sum_to_zero_make_no_error():
    assert np.isnan(mean_accuracy(np.ones(2, bool), np.zeros(2)))
