"""Estimators whose attributes were edited: used as far as they fit together, else refused."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from fastdnn import DNNClassifier, DNNRegressor
from tests.cases import case

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_FEATURES, N_TRIES = 5, 400
RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, N_FEATURES))
KINDS = {
    "binary": (DNNClassifier, (X[:, 0] > 0).astype(int)),
    "classes": (DNNClassifier, np.array(["a", "b", "c", "d"])[RNG.integers(0, 4, 40)]),
    "labels": (DNNClassifier, (X[:, :3] > 0).astype(int)),
    "value": (DNNRegressor, X[:, 0]),
    "values": (DNNRegressor, X[:, :3]),
}
# Errors of our own: nothing that a kernel or NumPy's broadcasting would raise.
CLEAR = (ValueError, NotFittedError)


def fitted(kind, **parameters):
    """Return an estimator, and targets, after a fit and a call of `partial_fit`."""
    estimator, y = KINDS[kind]
    model = estimator(hidden_layer_sizes=(6, 4), max_iter=2, random_state=0, **parameters)
    return model.fit(X, y).partial_fit(X, y), y


def forward(model):
    """Return the output's pre-activations of X, by NumPy from the public attributes."""
    A = X
    for l, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        A = A @ np.asarray(W, float) + b
        if l < len(model.coefs_) - 1:
            A = np.maximum(A, 0)
    return A


# -- examples of what was believed ------------------------------------------------------------


def transposed(model):
    model.coefs_ = [W.T for W in model.coefs_]


def shorter(model):
    model.coefs_[1] = model.coefs_[1][:-1]


def of_one(model):
    model.intercepts_[0] = np.ones(1)


def as_column(model):
    model.intercepts_[0] = np.ones((6, 1))


def as_number(model):
    model.coefs_[0] = np.float64(1.0)


def as_row(model):
    model.coefs_[0] = np.ones((1, 6))


def with_one_more_dimension(model):
    model.coefs_[1] = model.coefs_[1][None]


def with_a_layer_less(model):
    model.coefs_, model.intercepts_ = model.coefs_[:-1], model.intercepts_[:-1]


def with_a_matrix_less(model):
    model.coefs_ = model.coefs_[:-1]


def with_other_inputs(model):
    model.coefs_[0] = np.ones((N_FEATURES + 1, 6))


def with_other_outputs(model):
    n = model.n_outputs_ + 1
    model.coefs_[-1], model.intercepts_[-1] = np.ones((4, n)), np.ones(n)


def reshaped_in_place(model):
    model.coefs_[0].shape = model.coefs_[0].shape[::-1]


def with_nan(model):
    model.coefs_[0] = np.full((N_FEATURES, 6), np.nan)


def too_large(model):
    model.coefs_[0] = np.full((N_FEATURES, 6), 1e300)


def without_numbers(model):
    model.coefs_[0] = np.full((N_FEATURES, 6), "a")


def complex_numbers(model):
    model.coefs_[0] = np.full((N_FEATURES, 6), 1j)


def without_lists(model):
    model.coefs_ = None


def empty(model):
    model.coefs_, model.intercepts_ = [], []


def more_features(model):
    model.n_features_in_ = 512


def more_layers(model):
    model.n_layers_ = 9


def more_outputs(model):
    model.n_outputs_ = 300


def fractional_outputs(model):
    model.n_outputs_ = model.n_outputs_ + 0.5


def another_output(model):
    model.out_activation_ = "tanh"


CORRUPTIONS = [
    transposed, shorter, of_one, as_column, as_number, as_row, with_one_more_dimension,
    with_a_layer_less, with_a_matrix_less, with_other_inputs, with_other_outputs,
    reshaped_in_place, with_nan, too_large, without_numbers, complex_numbers, without_lists,
    empty, more_features, more_layers, more_outputs, fractional_outputs, another_output,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
@pytest.mark.parametrize("corrupt", CORRUPTIONS, ids=lambda function: function.__name__)
def test_a_state_that_does_not_fit_is_refused_and_stays(corrupt):
    for kind in KINDS:
        model, y = fitted(kind)
        corrupt(model)
        before = vars(model).copy()
        for name, use in {
            "predict": lambda model=model: model.predict(X),
            "partial_fit": lambda model=model, y=y: model.partial_fit(X, y),
            "fit": lambda model=model, y=y: model.set_params(warm_start=True).fit(X, y),
            "to_sklearn": model.to_sklearn,
        }.items():
            with case(kind, name), pytest.raises(ValueError, match=r"fit|features"):
                use()
        model.set_params(warm_start=False)
        assert vars(model) == before
        assert np.isfinite(forward(model.fit(X, y))).all()


@pytest.mark.parametrize("n_classes", [0, 1, 2, 3, 5, 700])
@pytest.mark.parametrize("kind", ["binary", "classes", "labels"])
def test_classes_of_another_number_are_refused(kind, n_classes):
    model, _ = fitted(kind)
    n_before = len(model.classes_)
    model.classes_ = np.arange(n_classes)
    if n_classes == n_before or (kind == "binary" and n_classes == 1):
        assert set(np.ravel(model.predict(X))) <= set(range(max(2, n_classes)))
        return
    with pytest.raises(ValueError, match="classes_"):
        model.predict(X)


def test_classes_of_the_same_number_may_be_renamed():
    model, _ = fitted("classes")
    positions = np.searchsorted(model.classes_, model.predict(X))
    model.classes_ = np.array(["north", "east", "south", "west"])
    assert (model.predict(X) == model.classes_[positions]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_of_fewer_units_takes_the_place_of_another(kind):
    model, y = fitted(kind)
    kept = [0, 2, 5]
    model.coefs_ = [model.coefs_[0][:, kept], model.coefs_[1][kept], model.coefs_[2]]
    model.intercepts_[0] = model.intercepts_[0][kept]
    theirs = model.to_sklearn()
    predict = "predict" if kind in ("value", "values") else "predict_proba"
    assert_allclose(getattr(model, predict)(X), getattr(theirs, predict)(X), atol=1e-5)
    again = type(model).from_sklearn(theirs)
    assert_allclose(getattr(again, predict)(X), getattr(theirs, predict)(X), atol=1e-5)
    before = forward(model)
    assert model.partial_fit(X, y).coefs_[0].shape == (N_FEATURES, 3)
    assert model.to_sklearn().partial_fit(X, y)  # with an optimiser's state of that size
    assert np.abs(forward(model) - before).max() > 0
    twin = pickle.loads(pickle.dumps(model))
    assert_allclose(getattr(twin, predict)(X), getattr(model, predict)(X), rtol=0, atol=0)


def test_an_optimiser_of_another_network_is_not_taken_over_from_scikit_learn():
    model, y = fitted("binary")
    theirs = model.to_sklearn()
    kept = [1, 3]
    theirs.coefs_[0], theirs.coefs_[1] = theirs.coefs_[0][:, kept], theirs.coefs_[1][kept]
    theirs.intercepts_[0] = theirs.intercepts_[0][kept]
    again = DNNClassifier.from_sklearn(theirs)
    assert again._state.optimizer is None
    assert np.isfinite(forward(again.partial_fit(X, y))).all()


@pytest.mark.parametrize("t", [-1, 2.5, None])
def test_an_impossible_number_of_steps_is_refused(t):
    model, y = fitted("binary")
    model._state.optimizer.t = t
    with pytest.raises(ValueError, match="optimiser"):
        model.partial_fit(X, y)


# -- drawn at random --------------------------------------------------------------------------


def draw_array(rng):
    shape = tuple(rng.integers(0, 8, rng.integers(0, 4)))
    dtype = rng.choice(["f4", "f8", "i8", "?", "O", "c8", "U3"])
    array = rng.standard_normal(shape).astype(dtype)
    return array if rng.random() < 0.7 else np.asfortranarray(array)


def draw_value(rng):
    values = [None, 0, -1, 3, 10**9, 2**63, 1.5, np.nan, "relu", b"x", [], [1, 2], {}, object]
    return values[rng.integers(len(values))] if rng.random() < 0.5 else draw_array(rng)


def draw_corruption(rng, model):
    """Edit one attribute, one element of a list, or the memory behind an array."""
    names = [name for name in vars(model) if name.endswith("_")]
    name = names[rng.integers(len(names))]
    value = getattr(model, name)
    if isinstance(value, list) and value and rng.random() < 0.7:
        position = rng.integers(len(value))
        if (
            rng.random() < 0.3
            and isinstance(value[position], np.ndarray)
            and value[position].ndim
        ):
            view = value[position]
            rows = rng.integers(0, view.shape[0] + 1)
            value[position] = view[:rows] if rng.random() < 0.5 else view[..., None]
        else:
            value[position] = draw_value(rng)
    elif rng.random() < 0.1:
        delattr(model, name)
    else:
        setattr(model, name, draw_value(rng))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_drawn_corruptions_are_refused_or_harmless(kind):
    rng = np.random.default_rng(sorted(KINDS).index(kind))
    original, y = fitted(kind)
    for _ in range(N_TRIES // len(KINDS)):
        model = copy.deepcopy(original)
        for _ in range(rng.integers(1, 3)):
            draw_corruption(rng, model)
        for use in (model.predict, lambda X, model=model: model.partial_fit(X, y).predict(X)):
            try:
                predicted = use(X)
            except (*CLEAR, AttributeError) as error:
                # Of attributes that are missing Python itself says so.
                is_missing = isinstance(error, AttributeError)
                assert not is_missing or "has no attribute" in str(error)
                continue
            assert len(predicted) == len(X)
            if predicted.dtype.kind == "f":
                assert np.isfinite(predicted).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert np.isfinite(forward(original)).all()
