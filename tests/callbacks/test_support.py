"""The mixin where scikit-learn has callbacks, and where it has none."""

import pytest
import sklearn
from sklearn.base import BaseEstimator

from fastdnn import DNNClassifier
from fastdnn.callbacks.support import HAS_CALLBACKS, NoCallbackSupport, without_callbacks
from tests.callbacks.kinds import LABELS, Recording, X, classifier, needs_callbacks


def test_callbacks_are_there_from_scikit_learn_1_9_on():
    version = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
    assert HAS_CALLBACKS == (version >= (1, 9))
    assert hasattr(DNNClassifier(), "set_callbacks") == HAS_CALLBACKS


def test_without_them_an_error_says_what_to_do():
    class Old(NoCallbackSupport, BaseEstimator):
        @without_callbacks
        def fit(self, X):
            """Fit."""
            return len(X)

    model = Old()
    assert model.fit([1, 2]) == 2
    assert Old.fit.__doc__ == "Fit."
    assert not hasattr(model, "set_callbacks")
    with pytest.raises(AttributeError) as error:
        model.set_callbacks(Recording())
    assert "scikit-learn 1.9 or newer" in str(error.value.__cause__ or error.value)


@needs_callbacks
def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match="FitCallback"):
        classifier().set_callbacks(lambda epoch: None)
    with pytest.raises(TypeError, match="FitCallback"):
        classifier().set_callbacks(Recording)


@needs_callbacks
def test_setting_none_takes_them_away():
    recording = Recording()
    model = classifier().set_callbacks(recording).set_callbacks()
    model.set_params(max_iter=1).fit(X, LABELS)
    assert not recording.epochs
