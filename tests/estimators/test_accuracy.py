"""The score of a classifier against scikit-learn's accuracy."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from fastdnn.estimators import accuracy as accuracy_module
from fastdnn.estimators.accuracy import AccuracyMixin, are_plain_labels


class Repeats(AccuracyMixin):
    """Predicts what it is given, and counts how often."""

    def __init__(self):
        self.n_predictions = 0

    def predict(self, X):
        self.n_predictions += 1
        return X


NUMBERS, OTHERS = np.array([3, 1, 4, 1, 5]), np.array([3, 1, 1, 1, 4])


@pytest.mark.parametrize(
    ("predicted", "y"),
    [
        (NUMBERS, OTHERS),
        (NUMBERS, OTHERS.astype(np.uint8).astype(np.int16)),
        (NUMBERS > 1, OTHERS > 3),
        (NUMBERS.astype(str), OTHERS.astype("U9")),
    ],
    ids=["integers", "shorter integers", "booleans", "strings"],
)
def test_plain_labels_have_scikit_learns_accuracy_without_its_checks(
    predicted, y, monkeypatch
):
    assert are_plain_labels(y, predicted)
    expected = accuracy_score(y, predicted)
    monkeypatch.setattr(accuracy_module, "accuracy_score", None)  # is not called
    score = Repeats().score(predicted, y)
    assert type(score) is float
    assert score == expected
    assert 0.0 < score < 1.0


@pytest.mark.parametrize(
    ("predicted", "y"),
    [
        (NUMBERS, OTHERS.tolist()),
        (NUMBERS, OTHERS.reshape(-1, 1)),
        (NUMBERS, OTHERS.astype(float)),
        (NUMBERS.astype(str).astype(object), OTHERS.astype(str).astype(object)),
        (np.eye(5, dtype=int), np.tri(5, dtype=int)),
        (NUMBERS.tolist(), OTHERS),
    ],
    ids=["list", "column", "float", "objects", "several labels", "predicted list"],
)
def test_other_labels_are_left_to_scikit_learn(predicted, y):
    assert not are_plain_labels(y, predicted)
    model = Repeats()
    assert model.score(predicted, y) == accuracy_score(y, predicted)
    assert model.n_predictions == 1


def test_weights_count():
    weight = np.array([1.0, 0.0, 2.0, 3.0, 1.0])
    expected = accuracy_score(OTHERS, NUMBERS, sample_weight=weight)
    assert expected != accuracy_score(OTHERS, NUMBERS)
    assert Repeats().score(NUMBERS, OTHERS, sample_weight=weight) == expected


@pytest.mark.parametrize("y", [OTHERS[:3], OTHERS[:0], OTHERS.astype(str)])
def test_labels_that_do_not_fit_have_scikit_learns_message(y):
    try:
        expected = accuracy_score(y, NUMBERS)
    except ValueError as error:
        message = str(error)
    else:  # older versions compare texts with numbers
        assert Repeats().score(NUMBERS, y) == expected
        return
    with pytest.raises(ValueError) as ours:
        Repeats().score(NUMBERS, y)
    assert str(ours.value) == message
