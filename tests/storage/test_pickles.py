"""Pickles, copies and files of skops: small, complete, checked, and marked with a version."""

import copy
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastdnn.storage.pickles
from fastdnn import DeepNeuralNetwork, DNNClassifier, DNNRegressor
from fastdnn.network.parameters import Parameters
from fastdnn.tables import TableEncoder, TabularDNNClassifier, TabularDNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OLD_PICKLES = Path(__file__).parents[1] / "stored" / "pickles_0_2_0.pickle"


@pytest.fixture(scope="module")
def samples():
    X = np.random.default_rng(0).standard_normal((300, 50)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


def through_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def through_skops(model, folder):
    skops_io = pytest.importorskip("skops.io")
    return skops_io.loads(skops_io.dumps(model), trusted=fastdnn.SKOPS_TRUSTED)


COPIES = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "oldest pickle": lambda model, _: pickle.loads(pickle.dumps(model, 2)),
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "copy": lambda model, _: copy.copy(model),
    "joblib": through_joblib,
    "skops": through_skops,
}


def assert_same_network(one, other):
    for a, b in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        assert a.dtype == b.dtype
        assert_array_equal(a, b)


def assert_same_state(one, other):
    assert_same_network(one, other)
    assert one._state == other._state


RECORD = {
    "adam": dict(),
    "float64": dict(dtype="float64"),
    "sgd": dict(solver="sgd", learning_rate="invscaling"),
    "adaptive": dict(
        solver="sgd", learning_rate="adaptive", nesterovs_momentum=False, tol=1.0
    ),
    "early stopping": dict(early_stopping=True),
    "lbfgs": dict(solver="lbfgs"),
}


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", RECORD)
def test_training_goes_on_as_if_nothing_had_been_stored(way, kind, samples, tmp_path):
    X, y = samples
    settings = RECORD[kind] | dict(batch_size=50, max_iter=4, n_iter_no_change=1)
    # A shallow copy shares the generator, so what one of both draws the other does not.
    random_state = 1 if way == "copy" else np.random.RandomState(1)
    model = DNNClassifier((8,), random_state=random_state, **settings).fit(X, y)
    twin = COPIES[way](model, tmp_path)
    assert_same_state(model, twin)
    if kind == "lbfgs":
        model.set_params(warm_start=True).fit(X, y)
        twin.set_params(warm_start=True).fit(X, y)
    else:
        model.set_params(early_stopping=False).partial_fit(X, y)
        twin.set_params(early_stopping=False).partial_fit(X, y)
    assert_same_state(model, twin)
    # After a `partial_fit`, too, and all attributes show the same network.
    again = COPIES[way](twin, tmp_path)
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.loss_ == model.loss_
    assert again.t_ == model.t_


@pytest.mark.parametrize("way", COPIES)
def test_a_state_of_higher_precision_stays_one(way, samples, tmp_path):
    model = DNNClassifier((8,), random_state=0, max_iter=2, batch_size=50).fit(*samples)
    model._state.optimizer = model._state.optimizer.astype(np.float64)
    model._state.optimizer.memory += 1e-12
    assert_same_state(COPIES[way](model, tmp_path), model)


@pytest.mark.parametrize("way", COPIES)
def test_a_warm_start_goes_on_as_if_nothing_had_been_stored(way, samples, tmp_path):
    X, y = samples
    model = DNNRegressor(
        hidden_layer_sizes=(8,), warm_start=True, random_state=0, max_iter=3, batch_size=50
    ).fit(X, y)
    twin = COPIES[way](model, tmp_path)
    assert_same_state(model.fit(X, y), twin.fit(X, y))


def test_the_parameters_are_stored_once(samples, tmp_path):
    model = DNNClassifier(hidden_layer_sizes=(200,), max_iter=2, solver="lbfgs").fit(*samples)
    size = sum(p.nbytes for p in model.coefs_ + model.intercepts_)
    assert len(pickle.dumps(model)) < size + 5_000
    joblib.dump(model, tmp_path / "model.joblib")
    assert (tmp_path / "model.joblib").stat().st_size < size + 5_000
    twin = joblib.load(tmp_path / "model.joblib")
    assert_array_equal(twin.predict_proba(samples[0]), model.predict_proba(samples[0]))
    assert twin.coefs_[0].base is twin.intercepts_[0].base


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_shares_no_memory_and_its_attributes_are_its_network(way, samples, tmp_path):
    X, y = samples
    model = DNNClassifier((5,), random_state=0, max_iter=2).fit(X, y)
    twin = COPIES[way](model, tmp_path)
    before = model.predict_proba(X)
    for array in twin.coefs_ + twin.intercepts_:
        array[...] = 0.0  # in place: `coefs_` is what predicts
    assert_array_equal(twin.predict_proba(X), np.full((len(X), 2), 0.5))
    assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize("way", COPIES)
def test_mailboxesd_matrices_are_stored(way, samples, tmp_path):
    X, _ = samples
    model = DNNClassifier((5,), random_state=0, max_iter=2).fit(*samples)
    model.coefs_[0] = np.zeros_like(model.coefs_[0])
    model.intercepts_[-1] = np.array([2.5], dtype=np.float32)
    twin = COPIES[way](model, tmp_path)
    assert_array_equal(twin.intercepts_[-1], [2.5])
    assert_array_equal(twin.coefs_[0], 0.0)
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    # Storing has not changed what was stored.
    assert model.coefs_[0].base is None


@pytest.mark.parametrize("way", COPIES)
def test_matrices_of_other_sizes_are_stored(way, samples, tmp_path):
    model = DNNClassifier((5,), random_state=0, max_iter=2).fit(*samples)
    pruned = model.coefs_[0][:, :3], model.coefs_[1][:3], model.intercepts_[0][:3]
    model.coefs_[:], model.intercepts_[0] = pruned[:2], pruned[2]
    twin = COPIES[way](model, tmp_path)
    assert [W.shape for W in twin.coefs_] == [(50, 3), (3, 1)]
    assert_same_network(twin, model)


def test_another_version_warns_and_names_both(samples, monkeypatch):
    stored = pickle.dumps(DNNClassifier(max_iter=2).fit(*samples))
    monkeypatch.setattr(fastdnn.storage.pickles, "VERSION", "9.8.7")
    with pytest.warns(UserWarning, match=r"saved by fastdnn 0\.\d+\.\d+ .* fastdnn 9\.8\.7"):
        pickle.loads(stored)


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_an_unfitted_estimator_survives_storage(Estimator, way, tmp_path):
    twin = COPIES[way](Estimator(alpha=0.5), tmp_path)
    assert vars(twin) == vars(Estimator(alpha=0.5))


@pytest.mark.parametrize("way", COPIES)
def test_a_network_survives_storage(way, tmp_path):
    network = DeepNeuralNetwork([3, 4, 2], activation=["tanh"], dtype="float32")
    network.initialize_parameters(random_state=0)
    network.note = "mine"
    twin = COPIES[way](network, tmp_path)
    X = np.eye(3)
    assert_array_equal(twin.predict_proba(X), network.predict_proba(X))
    assert twin.layer_sizes == network.layer_sizes
    assert twin.activations == network.activations
    assert (twin.dtype, twin.loss, twin.note) == (network.dtype, network.loss, "mine")
    twin.W1 = np.zeros((3, 4))
    twin.b1 = np.zeros(4)
    np.testing.assert_allclose(twin.forward(X)[0], twin.predict_proba(X), rtol=1e-6)
    assert not np.array_equal(twin.predict_proba(X), network.predict_proba(X))


def test_skops_is_told_all_types_and_no_others(samples):
    skops_io = pytest.importorskip("skops.io")
    X, y = samples
    network = DNNClassifier((4,), random_state=np.random.RandomState(0), max_iter=1).fit(X, y)
    models = [
        make_pipeline(StandardScaler(), network),
        DNNRegressor(),
        DeepNeuralNetwork([2, 1]),
        TableEncoder(),
        TabularDNNClassifier(),
        TabularDNNRegressor(),
    ]
    found = set()
    for model in models:
        data = skops_io.dumps(model)
        found |= set(skops_io.get_untrusted_types(data=data))
        twin = skops_io.loads(data, trusted=fastdnn.SKOPS_TRUSTED)
        assert type(twin) is type(model)
    assert found == set(fastdnn.SKOPS_TRUSTED)
    models[0].fit(X, y)
    data = skops_io.dumps(models[0])
    twin = skops_io.loads(data, trusted=fastdnn.SKOPS_TRUSTED)
    assert_array_equal(twin.predict_proba(X), models[0].predict_proba(X))


# -- pickles of earlier versions -------------------------------------------------------------


def by_hand(model, X):
    """Return the outputs of a network with ReLU, in float64 and in plain NumPy."""
    A = X
    *hidden, last = zip(model.coefs_, model.intercepts_, strict=True)
    for W, b in hidden:
        A = np.maximum(A @ W.astype(float) + b, 0.0)
    return A @ last[0].astype(float) + last[1]


@pytest.fixture
def old():
    return pickle.loads(OLD_PICKLES.read_bytes())


def wave():
    i = np.arange(60)
    return np.column_stack([np.sin(i), np.cos(2.0 * i), np.sin(3.0 * i + 1)])


def test_pickles_of_0_2_0_load_with_a_warning(old, monkeypatch):
    monkeypatch.setattr(fastdnn.storage.pickles, "VERSION", "9.8.7")
    assert len(old) == 5
    for name in set(old) - {"network"}:  # networks did not say who had written them
        with pytest.warns(UserWarning, match=r"saved by fastdnn 0\.2\.0 .* fastdnn 9\.8\.7"):
            pickle.loads(old[name])


@pytest.mark.filterwarnings("ignore:This .* was saved by fastdnn")
def test_pickles_of_0_2_0_predict_and_go_on(old):
    X = wave()
    classifier = pickle.loads(old["classifier partial_fit float64"])
    Z = by_hand(classifier, X)
    expected = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.predict_proba(X), expected, rtol=1e-9)
    assert list(classifier.classes_) == ["blue", "green", "red"]
    assert classifier._state.optimizer.memory.dtype == np.float64
    assert classifier._state.optimizer.t == 6
    classifier.partial_fit(X, classifier.predict(X))
    assert classifier._state.optimizer.t == 9

    binary = pickle.loads(old["classifier fit float32"])
    expected = 1.0 / (1.0 + np.exp(-by_hand(binary, X)))
    np.testing.assert_allclose(binary.predict_proba(X)[:, 1:], expected, rtol=1e-5)
    binary.partial_fit(X, np.arange(60) % 2)
    assert binary._state.optimizer.t == 3  # that version did not store it after `fit`

    regressor = pickle.loads(old["regressor warm sgd"])
    expected = by_hand(regressor, X)[:, 0]
    np.testing.assert_allclose(regressor.predict(X), expected, rtol=1e-4, atol=1e-6)
    assert regressor.fit(X, X[:, 0]).n_iter_ == 3
    assert pickle.loads(old["unfitted"]).alpha == 0.5


@pytest.mark.parametrize("is_fitted", [True, False])
def test_a_parameter_that_a_version_did_not_have_gets_its_default(is_fitted, samples):
    model = DNNClassifier((5,), max_iter=1, n_iter_no_change=7)
    state = (model.fit(*samples) if is_fitted else model).__getstate__()
    del state["n_iter_no_change"]
    twin = DNNClassifier.__new__(DNNClassifier)
    twin.__setstate__(state)
    assert twin.get_params() == model.get_params() | {"n_iter_no_change": 10}


@pytest.mark.filterwarnings("ignore:This .* was saved by fastdnn")
def test_a_network_of_0_2_0_predicts(old):
    network = pickle.loads(old["network"])
    network.W1 *= 2.0
    X = wave()
    np.testing.assert_allclose(network.predict_proba(X), network.forward(X)[0], rtol=1e-12)


# -- damaged states --------------------------------------------------------------------------


def damages():
    """Return pairs of a word of the message and what does that damage to a state."""

    def at(part, name, value):
        def damage(state):
            state[part] = dict(state[part]) | {name: value}

        return damage

    def set_to(name, value):
        return lambda state: state.update({name: value})

    theta = np.zeros(0, np.float32)
    return [
        ("theta", at("_parameters", "theta", theta)),
        ("theta", at("_parameters", "theta", np.zeros(1, np.float32))),
        ("theta", at("_parameters", "theta", [0.0])),
        ("theta", at("_parameters", "theta", np.zeros(261, np.float16))),
        ("theta", at("_parameters", "theta", np.zeros((1, 261), np.float32))),
        ("layer_sizes", at("_parameters", "layer_sizes", (50, -5, 1))),
        ("layer_sizes", at("_parameters", "layer_sizes", (50, 5.0, 1))),
        ("layer_sizes", at("_parameters", "layer_sizes", ())),
        ("layer_sizes", at("_parameters", "layer_sizes", 7)),
        ("theta", at("_parameters", "layer_sizes", (50, 2**62, 1))),
        ("theta", at("_parameters", "layer_sizes", (2**62,) * 50)),
        ("theta", set_to("_parameters", Parameters((50, 5, 1), np.int64))),
        ("_parameters", at("_parameters", "more", 1)),
        ("_parameters", set_to("_parameters", None)),
        ("_history", set_to("_history", None)),
        ("loss_curve", at("_history", "loss_curve", None)),
        ("loss_curve", at("_history", "loss_curve", ["a"])),
        ("t=", at("_history", "t", 0.5)),
        ("n_iter=", at("_history", "n_iter", -1)),
        ("best_theta", at("_history", "best_theta", np.zeros(3, np.float32))),
        ("best_loss", at("_history", "best_loss", None)),
        ("_optimizer_state", set_to("_optimizer_state", 3)),
        ("optimizer=", at("_optimizer_state", "optimizer", "eve")),
        ("memory", at("_optimizer_state", "optimizer", "nesterov")),
        ("memory", at("_optimizer_state", "memory", np.zeros(521, np.float32))),
        ("memory", at("_optimizer_state", "memory", None)),
        ("learning_rate", at("_optimizer_state", "learning_rate", np.nan)),
        ("learning_rate", at("_optimizer_state", "learning_rate", "fast")),
        ("t=", at("_optimizer_state", "t", -1)),
        ("t=", at("_optimizer_state", "t", True)),
        ("n_features_in_", set_to("n_features_in_", 60)),
        ("n_features_in_", set_to("n_features_in_", None)),
        ("n_outputs_", set_to("n_outputs_", 2)),
        ("n_layers_", set_to("n_layers_", 2**62)),
        ("n_layers_", set_to("n_layers_", "3")),
        ("classes_", set_to("classes_", np.arange(3))),
        ("classes_", set_to("classes_", None)),
        ("out_activation_", set_to("out_activation_", "softmax")),
        ("coefs_", set_to("coefs_", [None, np.zeros((6, 1))])),
        ("coefs_", set_to("coefs_", [None])),
        ("coefs_", set_to("coefs_", 3)),
        ("intercepts_", set_to("intercepts_", [None, np.zeros(2)])),
    ]


@pytest.fixture(scope="module")
def small_model(samples):
    return DNNClassifier((5,), random_state=0, max_iter=1).fit(*samples)


@pytest.mark.parametrize(("word", "damage"), damages())
def test_a_damaged_state_is_refused(word, damage, small_model):
    state = small_model.__getstate__()
    damage(state)
    with pytest.raises(ValueError, match=word):
        DNNClassifier.__new__(DNNClassifier).__setstate__(state)
