"""Any common setting trains like scikit-learn: hypothesis draws them."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from fastdnn import DNNClassifier, DNNRegressor
from tests.their_features import HAVE_LOSSES, HAVE_WEIGHTS, STOP_EARLY_ON_STRINGS, weights

pytestmark = pytest.mark.slow_without_jit

EPOCHS = 15


@st.composite
def problems(draw):
    """Draw a data set: dense or sparse, with any kind of target, weighted or not."""
    seed = draw(st.integers(0, 2**16))
    generator = np.random.default_rng(seed)
    n_samples = draw(st.integers(20, 90))
    n_features = draw(st.integers(1, 6))
    X = generator.standard_normal((n_samples, n_features))
    target = draw(
        st.sampled_from(["binary", "multiclass", "multilabel", "one", "several", "counts"])
    )
    signal = X @ generator.standard_normal((n_features, 3))
    if target == "binary":
        y = np.where(signal[:, 0] > 0, "yes", "no")
    elif target == "multiclass":
        y = signal.argmax(axis=1)
    elif target == "multilabel":
        y = (signal > 0).astype(int)
    elif target == "one":
        y = signal[:, 0]
    elif target == "several":
        y = signal[:, :2]
    else:
        y = generator.poisson(np.exp(0.3 * signal[:, 0])).astype(float)
    if target in ("binary", "multiclass"):
        # Enough of each class for a stratified split.
        y = np.concatenate([y, np.repeat(np.unique(y), 5)])
        X = np.concatenate([X, generator.standard_normal((len(y) - n_samples, n_features))])
    form = draw(st.sampled_from(["dense", "csr", "csc"]))
    if form != "dense":
        X[generator.random(X.shape) < 0.5] = 0.0
        X = sparse.csr_array(X) if form == "csr" else sparse.csc_array(X)
    weight = generator.uniform(0.2, 3.0, len(y)) if draw(st.booleans()) else None
    if not HAVE_WEIGHTS:
        weight = None
    return target, X, y, weight


@st.composite
def hyperparameters(draw):
    """Draw a point of the space that both have in common."""
    chosen = {
        "hidden_layer_sizes": tuple(draw(st.lists(st.integers(1, 9), max_size=3))),
        "activation": draw(st.sampled_from(["identity", "logistic", "tanh", "relu"])),
        "solver": draw(st.sampled_from(["adam", "sgd", "lbfgs"])),
        "alpha": draw(st.sampled_from([0.0, 1e-4, 0.3])),
        "batch_size": draw(st.sampled_from(["auto", 1, 7, 16, 32])),
        "learning_rate": draw(st.sampled_from(["constant", "invscaling", "adaptive"])),
        "learning_rate_init": draw(st.sampled_from([1e-3, 1e-2])),
        "power_t": draw(st.sampled_from([0.25, 0.5])),
        "shuffle": draw(st.booleans()),
        "random_state": draw(st.integers(0, 1000)),
        "tol": draw(st.sampled_from([0.0, 1e-4, 1e-2, 1.0])),
        "momentum": draw(st.sampled_from([0.0, 0.5, 0.9])),
        "nesterovs_momentum": draw(st.booleans()),
        "early_stopping": draw(st.booleans()),
        "validation_fraction": draw(st.sampled_from([0.2, 0.4])),
        "beta_1": draw(st.sampled_from([0.5, 0.9])),
        "beta_2": draw(st.sampled_from([0.9, 0.999])),
        "n_iter_no_change": draw(st.sampled_from([1, 3, 10])),
        "max_iter": EPOCHS,
    }
    if chosen["solver"] == "lbfgs":
        chosen["early_stopping"] = False
    return chosen


def fit_both(target, X, y, weight, chosen, times):
    """Fit the pair, or return the pair of error messages."""
    classes = target in ("binary", "multiclass", "multilabel")
    Ours, Theirs = (DNNClassifier, MLPClassifier) if classes else (DNNRegressor, MLPRegressor)
    if target == "counts" and HAVE_LOSSES:  # with the squared loss otherwise
        chosen = chosen | {"loss": "poisson"}
    models = Ours(dtype="float64", **chosen), Theirs(**chosen)
    errors = []
    for model in models:
        try:
            with warnings.catch_warnings():
                # Overflow inside scikit-learn where training diverges.
                warnings.simplefilter("ignore", ConvergenceWarning)
                warnings.simplefilter("ignore", RuntimeWarning)
                # Both say that a batch cannot be larger than all.
                warnings.filterwarnings("ignore", "Got `batch_size`", UserWarning)
                # scikit-learn before 1.7 gives an option that SciPy 1.16 deprecates and
                # SciPy 1.18 does not know.
                warnings.filterwarnings("ignore", ".*`iprint` options", DeprecationWarning)
                warnings.filterwarnings("ignore", "Unknown solver options: iprint")
                for _ in range(times):
                    model.fit(X, y, **weights(weight))
        except ValueError as error:
            errors.append(str(error))
    return models, errors


@given(problem=problems(), chosen=hyperparameters(), warm_start=st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_same_training(problem, chosen, warm_start):
    target, X, y, weight = problem
    chosen = chosen | {"warm_start": warm_start}
    if target == "binary" and not STOP_EARLY_ON_STRINGS:
        y = (y == "yes").astype(int)
    (ours, theirs), errors = fit_both(target, X, y, weight, chosen, 2 if warm_start else 1)
    if errors:
        assert len(errors) == 2 and errors[0] == errors[1]
        return
    # L-BFGS amplifies rounding in its line searches; its loss is compared, not its path.
    loose = chosen["solver"] == "lbfgs"
    assert_allclose(ours.loss_, theirs.loss_, rtol=1e-6, atol=1e-9)
    if not loose:
        assert ours.n_iter_ == theirs.n_iter_
        assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
        for a, b in zip(
            [*ours.coefs_, *ours.intercepts_],
            [*theirs.coefs_, *theirs.intercepts_],
            strict=True,
        ):
            assert_allclose(a, b, rtol=1e-5, atol=1e-7)
        if chosen["early_stopping"]:
            assert_allclose(
                ours.validation_scores_, theirs.validation_scores_, rtol=1e-6, atol=1e-9
            )
        else:
            assert_allclose(ours.best_loss_, theirs.best_loss_, rtol=1e-6)
    assert ours.out_activation_ == theirs.out_activation_
    assert ours.n_outputs_ == theirs.n_outputs_
    assert ours.t_ == theirs.t_
