"""The parameter `validation_fraction`: which samples of X are held out."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.model_selection import GroupKFold, KFold, StratifiedShuffleSplit

from fastdnn import DNNClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
Y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])
SMALL = dict(hidden_layer_sizes=(7,), random_state=0, batch_size=30, learning_rate_init=0.02)


@pytest.mark.parametrize(
    "splits",
    [
        StratifiedShuffleSplit(1, test_size=0.3, random_state=4),
        KFold(4),
        list(KFold(4).split(X)),
        list(GroupKFold(3).split(X, groups=np.arange(300) // 10)),
        [(np.arange(300) < 200, np.arange(300) >= 250)],
    ],
    ids=lambda splits: type(splits).__name__,
)
@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix])
def test_the_first_split_says_what_is_held_out(splits, as_given):
    rows = list(splits.split(X, Y)) if hasattr(splits, "split") else splits
    train, held_out = (np.arange(300)[part] for part in rows[0])
    options = SMALL | dict(max_iter=3, early_stopping=True, shuffle=False)
    model = DNNClassifier(**options, validation_fraction=splits).fit(as_given(X), Y)
    expected = DNNClassifier(**options).fit(
        as_given(X[train]), Y[train], X_val=as_given(X[held_out]), y_val=Y[held_out]
    )
    assert_array_equal(model.coefs_[0], expected.coefs_[0])
    assert model.validation_scores_ == expected.validation_scores_
    assert model.t_ == 3 * train.size


def test_a_fit_that_goes_on_exactly_keeps_the_split_of_the_first_one():
    """A cross-validator without a seed draws another one at each call."""
    splits = StratifiedShuffleSplit(1, test_size=0.3)
    options = SMALL | dict(early_stopping=True, warm_start="exact", validation_fraction=splits)
    model = DNNClassifier(**options, max_iter=3).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    for one in (model, again):
        one.set_params(max_iter=6).fit(X, Y)
    assert again.validation_scores_ == model.validation_scores_
    assert len(model.validation_loss_curve_) == 6
    assert_array_equal(again.coefs_[0], model.coefs_[0])


@pytest.mark.parametrize(
    ("fraction", "message"),
    [
        (5, "validation_fraction=5 must be a number of at least 0 and below 1"),
        (None, "validation_fraction=None must be a number"),
        ([], "must give pairs of arrays"),
        ([(1, 2, 3)], "must give pairs of arrays"),
        ([([0, 1, 2], [2, 3])], "has 1 rows both to train on and to hold out, such as 2"),
        ([([0, 1], [2, 300])], "gives rows from 2 to 300, but X has those from 0 to 299"),
        ([([0, -1], [2, 3])], "gives rows from -1 to 0"),
        ([([0.0, 1.0], [2, 3])], "must give rows as arrays of their positions"),
        ([([], [2, 3])], "leaves no rows to train on"),
        ([([0, 1], [2])], "validation set is too small"),
        (GroupKFold(3), "cannot split X and y: .*groups.*give its splits"),
        (KFold(301), "cannot split X and y: .*n_splits=301"),
    ],
)
def test_splits_that_cannot_be_are_refused(fraction, message):
    model = DNNClassifier((3,), max_iter=1, early_stopping=True, validation_fraction=fraction)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)
