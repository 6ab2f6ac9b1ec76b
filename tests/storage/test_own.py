"""Model files with activations and losses of users' own: their names, and never their code."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor, ModelFileError
from tests import own

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def samples():
    X = np.random.default_rng(0).standard_normal((40, 3))
    return X, (X[:, 0] > 0).astype(int)


def models():
    settings = dict(hidden_layer_sizes=(4, 3), random_state=0, max_iter=2)
    return [
        DNNClassifier(activation=own.SWISH, **settings),
        DNNClassifier(activation=[own.LEAKY, "tanh"], loss=own.CROSS_ENTROPY, **settings),
        DNNRegressor(own.SQUARE, activation=own.LEAKY, **settings),
        DNNRegressor(own.DEVIANCE, **settings),
    ]


EVERYTHING = [own.SWISH, own.LEAKY, own.CROSS_ENTROPY, own.SQUARE, own.DEVIANCE]


@pytest.mark.parametrize("model", models(), ids=str)
@pytest.mark.parametrize("is_fitted", [False, True])
def test_a_file_gives_what_was_saved(model, is_fitted, path):
    X, y = samples()
    if is_fitted:
        model.fit(X, y + 1)
    model.save(path)
    assert b"type(z)" not in path.read_bytes()
    loaded = fastdnn.load(path, own=EVERYTHING)
    for name, value in model.get_params().items():
        given = loaded.get_params()[name]
        assert given == value, name
    if is_fitted:
        assert_array_equal(loaded.predict(X), model.predict(X))
        assert_array_equal(
            loaded.partial_fit(X, y + 1).predict(X), model.partial_fit(X, y + 1).predict(X)
        )


def test_what_is_missing_is_named(path):
    model = DNNClassifier((2, 2), [own.SWISH, own.LEAKY], loss=own.CROSS_ENTROPY)
    model.save(path)
    with pytest.raises(ModelFileError) as error:
        fastdnn.load(path, own=[own.SWISH])
    said = str(error.value)
    for part in (
        "Activation 'leaky relu' of 'tests.own:leaky' and 'tests.own:leaky_prime'",
        "Loss 'cross_entropy' of 'tests.own:cross_entropy'",
        "fastdnn.load(path, own=[...])",
    ):
        assert part in said
    assert "swish" not in said
    assert "intact" not in said
    renamed = fastdnn.Activation(own.leaky, own.leaky_prime, name="another")
    with pytest.raises(ModelFileError, match="leaky relu"):
        fastdnn.load(path, own=[own.SWISH, own.CROSS_ENTROPY, renamed])


def test_loading_imports_nothing(path, monkeypatch):
    DNNClassifier(activation=own.SWISH).save(path)
    monkeypatch.delitem(sys.modules, "tests.own")
    with pytest.raises(ModelFileError):
        fastdnn.load(path)
    assert "tests.own" not in sys.modules
    assert fastdnn.load(path, own=(own.SWISH,)).activation is own.SWISH


@pytest.mark.parametrize("wrong", ["relu", ["relu"], 3, [None], own.swish, {"a": own.SWISH}])
def test_only_such_objects_are_taken(wrong, path):
    DNNClassifier().save(path)
    with pytest.raises(TypeError, match=r"must be a list of fastdnn\.Activation and"):
        fastdnn.load(path, own=wrong)
