"""What users do next with predictions, probabilities, scores and losses works."""

import json
import pickle
import sqlite3
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import TunedThresholdClassifierCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor

pd = pytest.importorskip("pandas")

RECORD = dict(hidden_layer_sizes=(8,), random_state=0, max_iter=5, learning_rate_init=0.01)
KINDS = ["binary", "multiclass", "multilabel", "one target", "three targets", "counts"]
CLASSIFIERS = KINDS[:3]


def problem(kind):
    if kind == "multilabel":
        X, y = make_multilabel_classification(90, 6, random_state=0)
        return StandardScaler().fit_transform(X), y
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    if kind == "binary":
        return X[50:], np.where(y[50:] == 1, "no", "yes")
    if kind == "multiclass":
        return X, y
    return X, {"one target": X[:, 0], "three targets": X[:, :3], "counts": y.astype(float)}[
        kind
    ]


def fitted(kind, dtype="float32", **settings):
    X, y = problem(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if kind in CLASSIFIERS:
            model = DNNClassifier(dtype=dtype, **RECORD | settings)
        else:
            loss = "poisson" if kind == "counts" else "squared_error"
            model = DNNRegressor(loss=loss, dtype=dtype, **RECORD | settings)
        return model.fit(X, y), X, y


def methods(kind):
    if kind not in CLASSIFIERS:
        return ["predict"]
    return ["predict_proba", "predict_log_proba", "decision_function"]


# Of equal numbers all of them; frames and lists are no float32 arrays.
FORMS = {
    "float64": lambda X: X,
    "fortran": np.asfortranarray,
    "big endian": lambda X: X.astype(">f8"),
    "float16": lambda X: X.astype(np.float16),
    "int": lambda X: X.round().astype(int),
    "list": lambda X: X.tolist(),
    "frame": pd.DataFrame,
    "frame of float32": lambda X: pd.DataFrame(X.astype(np.float32)),
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "float32": lambda X: X.astype(np.float32),
    "csr of float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "csc of float32": lambda X: sparse.csc_matrix(X.astype(np.float32)),
    "swapped float32": lambda X: X.astype(">f4"),
}
SINGLE = ["float32", "csr of float32", "csc of float32", "swapped float32"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_results_are_float32_only_if_both_the_network_and_x_are(kind, dtype):
    model, X, _ = fitted(kind, dtype)
    for form, convert in FORMS.items():
        is_single = dtype == "float32" and form in SINGLE
        for method in methods(kind):
            result = getattr(model, method)(convert(X))
            assert result.dtype == (np.float32 if is_single else np.float64), (form, method)
            if form not in ("int", "float16"):
                expected = getattr(model, method)(X)
                rtol = 1e-5 if "float32" in (dtype, *form.split()) else 1e-12
                np.testing.assert_allclose(result, expected, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_probabilities_logarithms_and_logits_fit_each_other(kind, dtype):
    model, X, y = fitted(kind, dtype)
    for rows in (X, X.astype(np.float32)):
        logits, p = model.decision_function(rows), model.predict_proba(rows)
        logs, labels = model.predict_log_proba(rows), model.predict(rows)
        z = logits.astype(np.float64)
        eps = np.finfo(p.dtype).eps
        if kind == "binary":
            assert logits.shape == (len(X),)
            expected = np.stack([1.0 / (1.0 + np.exp(z)), 1.0 / (1.0 + np.exp(-z))], axis=1)
            np.testing.assert_array_equal(labels, model.classes_[(z > 0).astype(int)])
            np.testing.assert_array_equal(labels, model.classes_[(p[:, 1] > 0.5).astype(int)])
        elif kind == "multiclass":
            assert logits.shape == (len(X), 3)
            expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
            np.testing.assert_array_equal(labels, z.argmax(axis=1))
        else:
            assert logits.shape == y.shape
            expected = 1.0 / (1.0 + np.exp(-z))
            np.testing.assert_array_equal(labels, z > 0)
        np.testing.assert_allclose(p, expected, rtol=32 * eps)
        np.testing.assert_allclose(logs, np.log(expected), rtol=64 * eps, atol=4 * eps)
        if kind != "multilabel":
            np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=0, atol=4 * eps)
            np.testing.assert_array_equal(labels, model.classes_[p.argmax(axis=1)])


# Of counts only the newest scikit-learn has the loss; they have a test of their formula.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "counts"])
def test_results_in_float64_are_scikit_learns(kind):
    model, X, y = fitted(kind, "float64")
    theirs = (MLPClassifier if kind in CLASSIFIERS else MLPRegressor)(**RECORD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, y)
    for method in {"predict", "score", *methods(kind)} - {"decision_function"}:
        arguments = (X, y) if method == "score" else (X,)
        ours, expected = (getattr(one, method)(*arguments) for one in (model, theirs))
        if np.asarray(expected).dtype.kind == "f":
            np.testing.assert_allclose(ours, expected, rtol=1e-8)
        else:
            np.testing.assert_array_equal(ours, expected)
        assert np.asarray(ours).dtype == np.asarray(expected).dtype


# -- extreme logits ---------------------------------------------------------------------------


def confident(kind, largest=500.0):
    """Return a network with logits of up to that size."""
    model, X, y = fitted(kind, max_iter=30)
    factor = largest / np.abs(model.decision_function(X)).max()
    model.coefs_[-1][:] *= factor
    model.intercepts_[-1][:] *= factor
    return model, X, y


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_logarithms_of_probabilities_are_finite(kind, dtype):
    model, X, _ = confident(kind)
    z, logs = (
        model.decision_function(X.astype(dtype)),
        model.predict_log_proba(X.astype(dtype)),
    )
    assert np.isfinite(logs).all()
    assert logs.min() < -105.0  # e^-105 is no number of float32
    if kind == "binary":
        expected = -np.logaddexp(0.0, np.stack([z, -z], axis=1).astype(np.float64))
        np.testing.assert_allclose(logs, expected, rtol=1e-6, atol=4 * np.finfo(dtype).eps)


def test_the_smaller_of_two_probabilities_is_not_what_is_left_of_1():
    model, X, _ = confident("binary")
    z, p = model.decision_function(X), model.predict_proba(X)
    assert (np.abs(z) > 17.0).any()
    np.testing.assert_allclose(p[:, 0], np.exp(-np.logaddexp(0.0, z)), rtol=1e-12)
    assert (p > 0.0).all()


def test_probabilities_rank_as_logits_do():
    model, X, y = confident("binary", 32.0)
    z, p = model.decision_function(X), model.predict_proba(X)
    np.testing.assert_array_equal(np.argsort(z), np.argsort(p[:, 1]))
    np.testing.assert_array_equal(np.argsort(-z), np.argsort(p[:, 0]))
    for wrong in (y, np.roll(y, 1)):
        of_logits = roc_auc_score(wrong == "yes", z)
        assert roc_auc_score(wrong == "yes", p[:, 1]) == of_logits
        assert roc_auc_score(wrong == "no", p[:, 0]) == of_logits
        assert np.isfinite(log_loss(wrong, p))


# -- what comes next --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_json_takes_results(kind):
    model, X, _ = fitted(kind)
    for method in ("predict", *methods(kind)):
        result = getattr(model, method)(X[:3])
        assert json.loads(json.dumps(result.tolist())) == result.tolist()
        if result.dtype.kind == "f":
            assert json.loads(json.dumps(result.ravel()[0])) == result.ravel()[0]


@pytest.mark.pairwise
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_json_takes_losses_and_scores(kind, solver, early_stopping):
    settings = {"early_stopping": early_stopping, "solver": solver}
    model, X, y = fitted(kind, **settings, validation_fraction=0.3)
    copies = [model, pickle.loads(pickle.dumps(model))]
    if kind != "counts":
        # What scikit-learn's network says of itself are NumPy's numbers.
        copies.append(type(model).from_sklearn(model.to_sklearn()))
    for one in copies:
        numbers = {"score": one.score(X, y), "loss_": one.loss_, "n_iter_": one.n_iter_}
        single = one.score(X.astype(np.float32), y, sample_weight=np.ones(len(y)))
        numbers["single score"] = single
        if solver != "lbfgs":
            names = ["loss_curve_", "best_loss_", "validation_scores_"]
            names += ["best_validation_score_", "t_"]
            numbers |= {name: getattr(one, name) for name in names}
        assert json.loads(json.dumps(numbers)) == numbers
        for name in ("score", "single score", "loss_"):
            assert type(numbers[name]) is float, name


def test_the_score_of_a_regression_is_computed_in_float64():
    model, X, y = fitted("one target")
    single, double = X.astype(np.float32), X.astype(np.float32).astype(np.float64)
    y = (1e4 + y).astype(np.float32)  # the mean of which float32 rounds
    model.intercepts_[-1][:] += 1e4
    np.testing.assert_allclose(model.score(single, y), model.score(double, y), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_stores_numbers(kind):
    model, X, _ = fitted(kind)
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table results (value)")
        for method in methods(kind):
            value = getattr(model, method)(X[:1]).ravel()[0]
            connection.execute("insert into results values (?)", (value,))
            stored = "select typeof(value), value from results order by rowid desc"
            assert connection.execute(stored).fetchone() == ("real", value)
    connection.close()


def test_a_frame_takes_results():
    model, X, _ = fitted("binary")
    frame = pd.DataFrame(X)
    frame["p"] = 0.0
    mask = frame[0] > 0
    frame.loc[mask, "p"] = model.predict_proba(X)[mask, 1]  # a warning were an error
    assert frame["p"].dtype == np.float64
    np.testing.assert_array_equal(frame["p"][mask], model.predict_proba(X)[mask, 1])
    regression, X, _ = fitted("one target")
    frame.loc[frame.index[:5], "p"] = regression.predict(X[:5])
    assert frame["p"].dtype == np.float64


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_rows_of_probabilities_are_distributions(kind):
    for model, X, _ in (fitted(kind), confident(kind)):
        generator = np.random.default_rng(0)
        for p in model.predict_proba(X):
            assert generator.choice(model.classes_, p=p) in model.classes_
            assert generator.multinomial(10, p).sum() == 10


@pytest.mark.parametrize("method", ["isotonic", "sigmoid", "temperature"])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_calibration(kind, method):
    _, X, y = fitted(kind)
    constraints = CalibratedClassifierCV._parameter_constraints["method"][0]
    if method not in constraints.options:
        pytest.skip(f"method={method!r} came with scikit-learn 1.8")
    network = DNNClassifier(**RECORD | {"max_iter": 30})
    model = CalibratedClassifierCV(network, method=method, cv=2).fit(X, y)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert model.score(X, y) > 0.7


@pytest.mark.slow_without_jit
def test_thresholds_and_scorers_use_logits():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    network = DNNClassifier(**RECORD | {"max_iter": 20})
    for response in ("predict_proba", "decision_function"):
        tuned = TunedThresholdClassifierCV(network, response_method=response, cv=2)
        assert tuned.fit(X, y).score(X, y) > 0.9
    assert cross_val_score(network, X, y, scoring="roc_auc", cv=2).min() > 0.95
    X, y = problem("multiclass")
    assert cross_val_score(network, X, y, scoring="roc_auc_ovr", cv=2).min() > 0.7
    assert cross_val_score(network, X, y, scoring="neg_log_loss", cv=2).min() > -1.5


@pytest.mark.parametrize("response", ["decision_function", "predict_proba"])
def test_a_boundary_is_drawn(response):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from sklearn.inspection import DecisionBoundaryDisplay

    pyplot.switch_backend("agg")
    X, y = problem("binary")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = DNNClassifier(**RECORD).fit(X[:, :2], y)
    shown = DecisionBoundaryDisplay.from_estimator(
        model, X[:, :2], response_method=response, grid_resolution=5
    )
    assert shown.response.shape == (5, 5)
    pyplot.close("all")
