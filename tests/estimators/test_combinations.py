"""Any parameters together: a fit ends finite, or says why not. hypothesis draws them."""

import pickle
import re
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.models.declarations import ROWS

pytestmark = [pytest.mark.slow_without_jit, pytest.mark.usefixtures("four_cpus")]

ACTIVATIONS = (
    *("identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu"),
    *("mish", "softplus", "hardswish", "prelu"),
)
SOLVERS = (
    *("lbfgs", "sgd", "adam", "adamw", "amsgrad", "nadam", "radam", "adamax", "adagrad"),
    *("adadelta", "rmsprop", "lion"),
)


def one_minus(fraction):
    return 1.0 - fraction


def half_mean_error(estimator, X, y):
    return -float(np.mean(np.abs(np.asarray(estimator.predict(X) != y, dtype=float))))


#: What a parameter may be drawn as, beside its default; those of the layers are drawn with
#: them. What each combination is checked for takes no parameter of its own.
VALUES = {
    "label_smoothing": [0.1, 0.5],
    "focal_gamma": [0.0, 0.5, 4.0],
    "class_weight": ["balanced"],
    "huber_delta": [0.01, 5.0],
    "quantile": [0.1, [0.5], [0.1, 0.5, 0.9]],
    "tweedie_power": [1.01, 1.9],
    "normalization": ["layer"],
    "input_noise": [0.01, 1.0],
    "solver": SOLVERS,
    "alpha": [0.0, 0.5],
    "l1": [0.01],
    "weight_decay": [0.0, 0.1],
    "batch_size": [1, 7, 16],
    "learning_rate": [
        *("invscaling", "adaptive", "cosine", "one_cycle", "exponential", "steps", "plateau"),
        one_minus,
    ],
    "learning_rate_init": [1e-5, 0.05],
    "learning_rate_warmup": [0.3],
    "learning_rate_factor": [1.0, 0.5],
    "learning_rate_steps": [(0.5,), [0.1, 0.2, 0.9]],
    "learning_rate_patience": [1],
    "power_t": [0.25],
    "max_iter": [1, 2],
    "max_time": [1e-9, 1000.0],
    "shuffle": [False],
    "tol": [0.0, 1.0],
    "warm_start": [True, "exact"],
    "momentum": [0.0],
    "nesterovs_momentum": [False],
    "early_stopping": [True, "auto"],
    "validation_fraction": [0.3, KFold(3)],
    "scoring": ["loss", half_mean_error, ["loss", half_mean_error]],
    "n_iter_no_change": [1],
    "beta_1": [0.0, 0.5],
    "beta_2": [0.9],
    "epsilon": [1e-4],
    "rho": [0.5],
    "clip_norm": [0.1, 1e6],
    "clip_value": [0.01],
    "max_norm": [0.5],
    "ema_decay": [0.5],
    "swa_start": [0.3],
    "n_members": [2],
    "bagging": ["folds"],
    "dtype": ["float64", "auto"],
}
LOSSES = {
    DNNClassifier: ["log_loss", "focal", "hinge"],
    DNNRegressor: [
        *("squared_error", "absolute_error", "huber", "log_cosh", "quantile", "poisson"),
        *("gamma", "tweedie", "gaussian_nll"),
    ],
}
#: Drawn with the layers or the loss, without a value of a default, or what says nothing of a
#: fit; a checkpoint has tests of its own.
OTHERS = {
    *("hidden_layer_sizes", "activation", "dropout", "loss", "random_state", "verbose"),
    *("max_fun", "n_threads", "checkpoint", "checkpoint_seconds", "checkpoint_epochs"),
}
NEED_STEPS = {row.name for row in ROWS if row.needs_steps}
OF = {
    Estimator: {row.name for row in ROWS if Estimator.__name__ in row.estimators}
    for Estimator in (DNNClassifier, DNNRegressor)
}


def test_every_parameter_is_drawn():
    assert set(VALUES) | OTHERS == {row.name for row in ROWS}


@st.composite
def models(draw):
    """Draw an estimator whose parameters are valid one by one."""
    Estimator = draw(st.sampled_from([DNNClassifier, DNNRegressor]))
    hidden = draw(st.sampled_from([(), (3,), (5, 4), (20, 3, 2)]))
    names = draw(st.sets(st.sampled_from(sorted(set(VALUES) & OF[Estimator])), max_size=8))
    chosen = {name: draw(st.sampled_from(VALUES[name])) for name in sorted(names)}
    if chosen.get("solver") == "lbfgs":  # what it refuses has tests of its own
        chosen = {name: value for name, value in chosen.items() if name not in NEED_STEPS}
        if chosen.get("warm_start") == "exact":
            del chosen["warm_start"]
    if "bagging" in chosen:
        chosen["n_members"] = 3
        if not isinstance(chosen.get("validation_fraction", 0.1), float):
            del chosen["validation_fraction"]
    if "n_members" in chosen:  # what several networks refuse has tests of its own
        chosen.pop("warm_start", None)
    if chosen.get("solver") != "lbfgs" and draw(st.booleans()):
        rates = st.sampled_from([0.0, 0.2, 0.9])
        n_rates = len(hidden) + 1
        lists = st.lists(rates, min_size=n_rates, max_size=n_rates)
        chosen["dropout"] = draw(rates | lists)
    one = st.sampled_from(ACTIVATIONS)
    chosen["activation"] = draw(
        one | st.lists(one, min_size=len(hidden), max_size=len(hidden))
    )
    chosen["loss"] = draw(st.sampled_from(LOSSES[Estimator]))
    if chosen["loss"] != "log_loss":
        chosen.pop("label_smoothing", None)
    options = {"hidden_layer_sizes": hidden, "max_iter": 4} | chosen
    return Estimator(random_state=draw(st.integers(0, 99)), **options)


class Problem(NamedTuple):
    """What a model is trained on, and how; short to read in a report."""

    seed: int
    n_samples: int
    n_features: int
    target: str
    form: str
    is_weighted: bool
    method: str

    def samples(self):
        """Return X, y and weights."""
        generator = np.random.default_rng(self.seed)
        X = generator.standard_normal((self.n_samples, self.n_features))
        signal = X @ generator.standard_normal((self.n_features, 3))
        signal += 0.1 * generator.standard_normal(signal.shape)
        y = {
            "binary": np.where(signal[:, 0] > 0, "yes", "no"),
            "classes": signal.argmax(axis=1),
            "labels": (signal > 0).astype(int),
            "soft": np.exp(signal) / np.exp(signal).sum(axis=1, keepdims=True),
            "one": signal[:, 0],
            "two": signal[:, :2],
            "positive": np.exp(signal[:, 0]),
        }[self.target]
        if self.target in ("binary", "classes"):  # some of each, on which splits can rely
            y[:15] = np.resize(np.unique(y), 15)
        if self.form == "float32":
            X = X.astype(np.float32)
        elif self.form == "integers":
            X = (3 * X).astype(np.int64)
        elif self.form == "fortran":
            X = np.asfortranarray(X)
        elif self.form in ("csr", "csc"):
            X[generator.random(X.shape) < 0.5] = 0.0
            X = sparse.csr_array(X) if self.form == "csr" else sparse.csc_array(X)
        weight = None
        if self.is_weighted:
            weight = generator.uniform(0.0, 2.0, self.n_samples)
            weight[20:23] = 0.0
        return X, y, weight


@st.composite
def problems(draw, model):
    """Draw what a model may be trained on."""
    if isinstance(model, DNNRegressor):
        is_positive = model.loss in ("poisson", "gamma", "tweedie")
        targets = ["positive"] if is_positive else ["one", "two"]
    else:
        targets = ["binary", "classes", "labels"] + ["soft"] * (model.class_weight is None)
    has_steps = model.solver != "lbfgs" and model.n_members == 1
    methods = METHODS if has_steps else METHODS[:3]
    if model.early_stopping:
        methods = [method for method in methods if method not in ("partial_fit", "steps")]
    return Problem(
        draw(st.integers(0, 2**16)),
        draw(st.sampled_from([30, 70])),
        draw(st.integers(1, 5)),
        draw(st.sampled_from(targets)),
        draw(st.sampled_from(FORMS)),
        draw(st.booleans()),
        draw(st.sampled_from(methods)),
    )


FORMS = ["float64", "float32", "integers", "fortran", "csr", "csc"]
METHODS = ["fit", "fit with a validation set", "fit twice", "partial_fit", "steps"]


def train(model, X, y, weight, method):
    """Train as a user would; return the model."""
    given = {} if weight is None else {"sample_weight": weight}
    if method in ("partial_fit", "steps"):
        if isinstance(model, DNNClassifier):
            given["classes"] = np.arange(3) if y.ndim == 2 else np.unique(y)
        if method == "steps":
            given["n_steps"] = 2
        return model.partial_fit(X, y, **given).partial_fit(X, y, **given)
    if method == "fit with a validation set":
        given |= {"X_val": X[:20], "y_val": y[:20]}
        if weight is not None:
            given["sample_weight_val"] = weight[:20]
    model.fit(X, y, **given)
    return model.fit(X, y, **given) if method == "fit twice" else model


@contextmanager
def quiet():
    """Ignore what a short fit warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Got `batch_size`", UserWarning)
        yield


def parameters_of(model):
    networks = model.estimators_ if model.n_members > 1 else [model]
    return [part for one in networks for part in (*one.coefs_, *one.intercepts_)]


def check_file(model, X, predicted):
    """A model file predicts the same, or a parameter is named that it cannot hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.fastdnn"
        try:
            model.save(path)
        except ValueError as error:
            names = [name for name, value in model.get_params().items() if not is_plain(value)]
            names += ["members"] * (model.n_members > 1)
            assert any(name in str(error) for name in names), error
            return
        assert_array_equal(fastdnn.load(path).predict(X), predicted)


def is_plain(value):
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, str | int | float)


def check_parts(model, problem, expected):
    """Training in two parts, stored in between, gives the same bits as in one go."""
    X, y, weight = problem.samples()
    n_epochs = model.max_iter
    if n_epochs < 2:
        return
    parts = clone(model).set_params(max_iter=n_epochs // 2, warm_start="exact")
    train(parts, X, y, weight, problem.method)
    parts = pickle.loads(pickle.dumps(parts)).set_params(max_iter=n_epochs)
    train(parts, X, y, weight, problem.method)
    for one, other in zip(parameters_of(parts), parameters_of(expected), strict=True):
        assert_array_equal(one, other)
    assert parts.loss_curve_ == expected.loss_curve_
    assert parts.n_iter_ == expected.n_iter_


def check(model, problem):
    """Train; require what every combination promises."""
    X, y, weight = problem.samples()
    as_given = clone(model)
    before = dict(vars(model))
    try:
        train(model, X, y, weight, problem.method)
    except (ValueError, ZeroDivisionError) as error:  # as scikit-learn's, for no weight at all
        said = str(error)
        names = {*model.get_params(), "X", "y", "sample_weight", "partial_fit", "classes"}
        assert names & set(re.findall(r"\w+", said)), said
        if problem.method in METHODS[:2]:  # of others the first call changed it
            assert vars(model).keys() == before.keys()
        return
    assert all(np.isfinite(part).all() for part in parameters_of(model))
    assert np.isfinite(model.loss_)
    for network in model.estimators_ if model.n_members > 1 else [model]:
        assert np.isfinite(network.history_["loss"]).all()
    predicted = model.predict(X)
    assert len(predicted) == len(y)
    if isinstance(model, DNNRegressor):
        assert np.isfinite(predicted).all()
    if hasattr(model, "predict_proba"):
        P = model.predict_proba(X)
        assert ((P >= 0.0) & (P <= 1.0)).all()
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict(X), predicted)
    for name, value in as_given.get_params().items():
        if name not in ("scoring", "validation_fraction"):  # objects, which are new ones
            assert repr(value) == repr(loaded.get_params()[name])
    shared = clone(as_given).set_params(n_threads=3)
    train(shared, X, y, weight, problem.method)
    for one, other in zip(parameters_of(model), parameters_of(shared), strict=True):
        assert_array_equal(one, other)
    assert_array_equal(shared.predict(X), predicted)
    check_file(model, X, predicted)
    # What follows from max_iter is not the same in a shorter training.
    is_same = model.learning_rate in NO_HORIZON and not model.learning_rate_warmup
    takes_steps = model.solver != "lbfgs" and model.max_time is None and model.n_members == 1
    if is_same and takes_steps and model.swa_start is None and problem.method in METHODS[:2]:
        check_parts(as_given, problem, model)


@st.composite
def combinations(draw):
    """Draw an estimator, and what it is trained on."""
    model = draw(models())
    problem = draw(problems(model))
    # How far training has come when time is up depends on the machine, but for a first fit.
    if model.max_time == 1e-9 and problem.method != "fit":
        model.set_params(max_time=None)
    return model.set_params(n_threads=1), problem


#: Schedules that do not depend on how long training will be.
NO_HORIZON = ["constant", "invscaling", "adaptive", "plateau"]
OPTIONS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=60, **OPTIONS)
@given(combinations())
def test_a_fit_ends_finite_or_says_why(combination):
    with quiet():
        check(*combination)


@pytest.mark.exhaustive
@settings(max_examples=3000, **OPTIONS)
@given(combinations())
def test_many_fits_end_finite_or_say_why(combination):
    with quiet():
        check(*combination)
