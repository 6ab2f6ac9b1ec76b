"""What a network consists of: it cannot be replaced, and what is stored is not believed."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastdnn import DeepNeuralNetwork
from fastdnn.network.parameters import Parameters
from fastdnn.prediction.predictor import Predictor
from tests.cases import case
from tests.wrong_arrays import (
    NO_NUMBERS,
    NO_POSITIVE_INTEGERS,
    NOT_FINITE,
    OTHER_SHAPES,
    OTHER_TYPES,
    SAME_NUMBERS,
)

X = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def network(sizes=(3, 4, 2), dtype="float64"):
    made = DeepNeuralNetwork(sizes, "tanh", "softmax", dtype=dtype)
    made.initialize_parameters(random_state=0)
    return made


def everything(of):
    """Return what a network consists of, to compare with."""
    return pickle.dumps(of.__getstate__())


# -- the constructor ------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 1, 2])
def test_sizes_that_are_no_positive_integers_are_refused(position):
    for size in NO_POSITIVE_INTEGERS:
        sizes = [3, 4, 2]
        sizes[position] = size
        message = r"layer_sizes=.* must hold two or more positive"
        with case(size), pytest.raises(ValueError, match=message):
            DeepNeuralNetwork(sizes)


@pytest.mark.parametrize(
    "sizes",
    [None, 3, 3.5, "342", b"342", (), [3], {3: 4}, np.array(3), np.ones((2, 2)), print],
)
def test_what_are_no_sizes_is_refused(sizes):
    with pytest.raises(ValueError, match="layer_sizes="):
        DeepNeuralNetwork(sizes)


def test_sizes_of_any_kind_of_integers():
    for sizes in ((3, 4, 2), np.array([3, 4, 2]), range(3, 1, -1), iter([np.int8(3), 2])):
        assert all(type(size) is int for size in DeepNeuralNetwork(sizes).layer_sizes)


def test_a_network_that_no_memory_can_hold_is_refused():
    with pytest.raises(ValueError, match=r"layer_sizes=.* make a network of \d+ parameters"):
        DeepNeuralNetwork([2**40, 2**40, 1])


@pytest.mark.parametrize("name", [None, 1, "rely", ["relu"], {}, np.array("relu"), True])
def test_unknown_names_are_refused(name):
    for arguments, parameter in [
        ({"activation": [name]}, "activation"),
        ({"output_activation": name}, "output_activation"),
        ({"loss": name}, "loss"),
        ({"dtype": name}, "dtype"),
    ]:
        with pytest.raises(ValueError, match=parameter):
            DeepNeuralNetwork([3, 4, 2], **arguments)


@pytest.mark.parametrize(
    "activation", [None, 1, [], ["relu"] * 2, {"relu": 1}, "rely", b"relu"]
)
def test_activations_that_do_not_fit_the_layers_are_refused(activation):
    with pytest.raises(ValueError, match="activation"):
        DeepNeuralNetwork([3, 4, 2], activation)


def test_an_activation_that_no_layer_has_must_exist_all_the_same():
    with pytest.raises(ValueError, match="activation 'rely' is unknown"):
        DeepNeuralNetwork([3, 2], "rely")


# -- what can be set, and what cannot -------------------------------------------------------

NO_PARAMETERS = [
    *("W0", "W3", "b0", "b9", "W01", "w1", "B1", "W_1", "b_2", "W\u0661", "W" + "1" * 5000)
]


@pytest.mark.parametrize("name", NO_PARAMETERS)
def test_what_looks_like_a_parameter_and_is_none_is_refused(name):
    made = network()
    before = everything(made)
    with pytest.raises(AttributeError, match="W1 to W2 and b1 to b2"):
        setattr(made, name, np.ones((4, 2)))
    with pytest.raises(AttributeError, match="W1 to W2 and b1 to b2"):
        getattr(made, name)
    assert everything(made) == before


@pytest.mark.parametrize(
    "name",
    [
        *("layer_sizes", "activations", "loss", "dtype", "n_layers", "W1", "b2"),
        *("_parameters", "_predictor", "_network"),
    ],
)
def test_what_a_network_consists_of_is_neither_replaced_nor_deleted(name):
    made = network()
    before = everything(made)
    if name not in ("W1", "b2"):
        with pytest.raises(AttributeError, match=f"'{name}' of a network cannot be replaced"):
            setattr(made, name, (3, 400, 2))
    with pytest.raises(AttributeError, match=f"'{name}' of a network cannot be .* deleted"):
        delattr(made, name)
    assert everything(made) == before


def test_entries_of_the_attribute_dictionary_do_not_count():
    made = network()
    AL = made.forward(X)[0]
    made.__dict__ |= {"layer_sizes": (300, 4, 2), "dtype": np.dtype("f4"), "loss": "hinge"}
    assert (made.layer_sizes, made.dtype, made.loss) == ((3, 4, 2), np.float64, "log_loss")
    assert_array_equal(made.forward(X)[0], AL)


def test_other_attributes_are_the_users():
    made = network()
    made.remark, made.Width = "mine", 5
    assert (made.remark, made.Width) == ("mine", 5)
    assert pickle.loads(pickle.dumps(made)).remark == "mine"
    del made.remark
    with pytest.raises(AttributeError, match="'remark'"):
        _ = made.remark


@pytest.mark.filterwarnings("ignore:Setting the :DeprecationWarning")
def test_what_is_done_to_a_view_stays_with_the_view():
    made = network()
    AL, caches = made.forward(X)
    for view in (made.W1, made.b1, *caches[0][0][1:], made.W2):
        view.flags.writeable = False
        view.shape = (view.size, 1)
        view.dtype = np.int64
    assert (made.W1.shape, made.b1.shape, made.W2.shape) == ((3, 4), (4,), (4, 2))
    again, caches = made.forward(X)
    assert_array_equal(again, AL)
    made.update_parameters(made.backward(AL, [0, 1, 1, 0], caches), 0.1)
    assert (made.forward(X)[0] != AL).any()


def test_a_view_shows_and_changes_the_parameter():
    made = network()
    view = made.W1
    view[0, 0] = 7.0
    assert made.W1[0, 0] == 7.0
    made.W1 = np.full((3, 4), 2.0)
    assert_array_equal(view, 2.0)
    made.gradient_descent(X, [0, 1, 1, 0], learning_rate=0.1, n_iterations=1)
    assert_array_equal(view, made.W1)


@pytest.mark.parametrize("name", ["W1", "b2"])
def test_a_parameter_is_set_to_finite_numbers_of_its_shape(name):
    made = network()
    before = everything(made)
    for wrong, make in (NO_NUMBERS | OTHER_SHAPES | NOT_FINITE).items():
        value = make(getattr(made, name).copy())
        with case(wrong):
            with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
                setattr(made, name, value)
            assert everything(made) == before


def test_a_parameter_is_set_to_numbers_of_any_kind():
    made = network()
    value = np.arange(12.0).reshape(3, 4)
    for kind, make in (SAME_NUMBERS | OTHER_TYPES).items():
        made.W1 = np.zeros((3, 4))
        made.W1 = make(value)
        with case(kind):
            assert_array_equal(made.W1, value)


def test_a_parameter_too_large_for_its_precision_is_refused():
    made = network(dtype="float32")
    with pytest.raises(ValueError, match=r"b2 must be finite in float32, got inf at 1"):
        made.b2 = [1.0, 1e39]


@pytest.mark.parametrize("scheme", [None, 1, "best", ["he"], np.array("he")])
def test_unknown_schemes_are_refused(scheme):
    made = network()
    before = everything(made)
    with pytest.raises(ValueError, match="scheme="):
        made.initialize_parameters(scheme)
    assert everything(made) == before


@pytest.mark.parametrize(
    "seed", [-1, 2**32, 1.5, "1", True, [1, 2], np.nan, np.random.default_rng(0)]
)
def test_what_is_no_seed_is_refused(seed):
    made = network()
    before = everything(made)
    with pytest.raises(ValueError, match="random_state="):
        made.initialize_parameters(random_state=seed)
    assert everything(made) == before


# -- storage --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))]
)
def test_a_copy_is_the_same_and_independent(copied, dtype):
    made = network(dtype=dtype)
    twin = copied(made)
    assert everything(twin) == everything(made)
    assert_array_equal(twin.predict_proba(X), made.predict_proba(X))
    made.W1 = np.zeros((3, 4))
    assert (twin.W1 != 0.0).any()
    for of in (made, twin):
        of.gradient_descent(X, [0, 1, 1, 0], learning_rate=0.1, n_iterations=2)
    assert (twin.W1 != made.W1).any()


def edited(**changes):
    return {key: value for key, value in (network().__getstate__() | changes).items()}


THETA = network().__getstate__()["theta"]
WRONG_STATES = {
    "no dictionary": None,
    "a tuple": (1, 2),
    "empty": {},
    "wider": edited(layer_sizes=(3, 400, 2)),
    "narrower": edited(layer_sizes=(3, 3, 2)),
    "more inputs": edited(layer_sizes=(4, 4, 2)),
    "other layers": edited(layer_sizes=(3, 2)),
    "sizes of another type": edited(layer_sizes="342"),
    "one activation": edited(activations=("tanh",)),
    "a name for activations": edited(activations="tanh"),
    "three activations": edited(activations=("tanh", "tanh", "softmax")),
    "unknown activation": edited(activations=("tanh", "softplus")),
    "unknown loss": edited(loss="hinge"),
    "a loss of other outputs": edited(activations=("tanh", "identity")),
    "other dtype": edited(dtype="float32"),
    "no dtype": edited(dtype=None),
    "parameters of one number": edited(theta=np.ones(1)),
    "parameters short of one": edited(theta=THETA[:-1]),
    "one parameter more": edited(theta=np.append(THETA, 1.0)),
    "parameters in a matrix": edited(theta=THETA.reshape(1, -1)),
    "parameters with a mask": edited(theta=np.ma.masked_array(THETA, THETA > 0)),
    "parameters in a list": edited(theta=THETA.tolist()),
    "parameters of objects": edited(theta=THETA.astype(object)),
    "parameters of float32": edited(theta=THETA.astype("f4")),
    "no parameters": edited(theta=None),
    "a parameter beside": edited(W1=np.ones((3, 4))),
    "a property beside": edited(n_layers=7),
    "no name": edited() | {3: 4},
} | {
    f"without {name}": {key: value for key, value in edited().items() if key != name}
    for name in ("layer_sizes", "activations", "loss", "dtype", "theta")
}


@pytest.mark.parametrize("is_new", [True, False])
def test_a_state_that_does_not_fit_together_is_refused(is_new):
    made = DeepNeuralNetwork.__new__(DeepNeuralNetwork) if is_new else network((3, 5, 1 + 1))
    before = dict(made.__dict__)
    for name, state in WRONG_STATES.items():
        with case(name):
            with pytest.raises(ValueError, match="The state of a DeepNeuralNetwork"):
                made.__setstate__(state)
            assert made.__dict__.keys() == before.keys()
            assert all(made.__dict__[name] is value for name, value in before.items())


def test_a_state_of_version_0_1_0_is_restored():
    made = network()
    parameters = Parameters((3, 4, 2), np.float64)
    parameters.theta[:] = THETA
    old = {
        "_canonical": True,
        "layer_sizes": (3, 4, 2),
        "activations": ("tanh", "softmax"),
        "loss": "log_loss",
        "dtype": np.dtype("float64"),
        "_parameters": parameters,
        "_predictor": Predictor(parameters, ("tanh", "softmax")),
    }
    restored = DeepNeuralNetwork.__new__(DeepNeuralNetwork)
    restored.__setstate__(pickle.loads(pickle.dumps(old)))
    assert everything(restored) == everything(made)
    assert_array_equal(restored.predict_proba(X), made.predict_proba(X))


def test_a_state_from_a_machine_of_the_other_byte_order_is_restored():
    restored = DeepNeuralNetwork.__new__(DeepNeuralNetwork)
    restored.__setstate__(edited(theta=THETA.astype(THETA.dtype.newbyteorder())))
    assert_array_equal(restored.W1, network().W1)
    assert restored.dtype.isnative


def test_parameters_that_are_read_from_a_mapped_file_can_be_trained(tmp_path):
    made = network()
    joblib.dump(made, tmp_path / "network.joblib")
    restored = joblib.load(tmp_path / "network.joblib", mmap_mode="r")
    restored.gradient_descent(X, [0, 1, 1, 0], learning_rate=0.1, n_iterations=1)
    again = DeepNeuralNetwork.__new__(DeepNeuralNetwork)
    THETA.tofile(tmp_path / "theta")
    again.__setstate__(edited(theta=np.memmap(tmp_path / "theta", np.float64, "r")))
    assert type(again.W1) is np.ndarray
    for loaded in (restored, again):
        loaded.W1 = made.W1
        assert_array_equal(loaded.W1, made.W1)


def test_a_network_without_a_state_says_so():
    made = DeepNeuralNetwork.__new__(DeepNeuralNetwork)
    for use in (lambda: made.forward(X), lambda: made.W1, lambda: made.layer_sizes):
        with pytest.raises(AttributeError, match="was made without its __init__"):
            use()
