"""What `warmup` compiles, and that later processes then compile nothing."""

import shutil
from pathlib import Path

import pytest

import fastdnn
from fastdnn import _warmup
from fastdnn.compiler import cache as cache_module
from fastdnn.compiler.addressed import Addressed
from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.ops.activations import ACTIVATIONS
from fastdnn.ops.losses import LOSSES
from fastdnn.ops.optimizers import OPTIMIZERS
from tests.processes import run_python

USE_EVERYTHING = """
import numpy as np
from fastdnn import DNNClassifier, DNNRegressor, DeepNeuralNetwork

X = np.random.default_rng(0).standard_normal((300, 4))
for y in (X[:, 0] > 0, np.arange(300) % 3):
    for rows in (300, 50):
        for solver in ("adam", "sgd", "lbfgs"):
            model = DNNClassifier(hidden_layer_sizes=(5,), solver=solver, max_iter=2)
            model.fit(X[:rows], y[:rows]).predict_proba(X)
model = DNNRegressor(activation="logistic", early_stopping=True, max_iter=2)
model.fit(X, X[:, 0]).predict(X)
network = DeepNeuralNetwork([4, 3, 1], dtype="float32")
AL, caches = network.forward(X)
network.backward(AL, X[:, :1] > 0, caches)
network.gradient_descent(X, X[:, :1] > 0, learning_rate=0.1, n_iterations=2)
"""


@pytest.mark.needs_jit
def test_after_a_warmup_nothing_is_compiled(warmed_up, tmp_path):
    folder, names = warmed_up
    assert Path(folder) == cache_module.cache_directory()
    copied = tmp_path.joinpath(*Path(folder).parts[-2:])
    copied.mkdir(parents=True)
    for name in names:  # of other tests there may be more
        shutil.copy2(Path(folder) / name, copied)
    done = run_python(USE_EVERYTHING, tmp_path, "-W", "ignore")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in copied.iterdir()) == sorted(names)


FIRST_FIT = """
from fastdnn import DNNClassifier
DNNClassifier(max_iter=2).fit(X, Y)
"""
FIRST_STEPS = """
from fastdnn import DeepNeuralNetwork
network = DeepNeuralNetwork([4, 3, 1], dtype="float32")
AL, caches = network.forward(X)
network.backward(AL, Y, caches)
"""
NAMES_IN_USE = """
from fastdnn.compiler.cache import _in_use
print(*sorted(name.rsplit(".", 2)[0] for name in _in_use), sep="\\n")
"""
#: All that a user's first lines compile; what is added here is waited for by everybody.
NEEDED = {
    FIRST_FIT: [
        "activations.relu.backward",
        "loop.train",
        "losses.sigmoid_log_loss",
        "optimizers.adam.constants",
        "optimizers.adam.update",
        "products.dense",
        "products.nonzeros",
        "shuffle.shuffle_epochs",
    ],
    FIRST_STEPS: [
        "activations.relu.backward",
        "activations.relu.forward",
        "activations.sigmoid.forward",
        "layer_kernels._backward_from",
        "layer_kernels._forward_from",
        "layer_kernels.backward_of_linear",
        "layer_kernels.forward_of_linear",
    ],
}


@pytest.mark.needs_jit
@pytest.mark.usefixtures("warmed_up")
@pytest.mark.parametrize("code", NEEDED, ids=["fit", "steps"])
def test_first_lines_compile_what_they_need_and_nothing_else(code):
    samples = "import numpy as np\nX = np.eye(4)[np.arange(512) % 4]\nY = X[:, 0]\n"
    done = run_python(samples + code + NAMES_IN_USE, None, "-W", "ignore")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == NEEDED[code]


@pytest.mark.needs_jit
def test_a_warmup_of_everything_is_one_of_every_row_of_the_tables(monkeypatch):
    of_rows = {
        kernel.name
        for row in (*ACTIVATIONS.values(), *LOSSES.values(), *OPTIMIZERS.values())
        for kernel in (*row, *getattr(row, "canonical", {}).values())
        if isinstance(kernel, Addressed)
    }
    usual, all_there_are = (
        {kernel.name for kernel in _warmup._kernels(everything)}
        for everything in (False, True)
    )
    assert of_rows < all_there_are
    assert usual < all_there_are
    assert "losses.huber" in all_there_are - usual
    asked = []
    monkeypatch.setattr(_warmup, "_kernels", lambda everything: asked.append(everything) or ())
    for options in ({}, {"everything": True}):
        fastdnn.warmup("float64", **options)
    assert set(asked) == {False, True} and asked == sorted(asked)


def test_what_is_no_bool_is_refused():
    with pytest.raises(TypeError, match="everything='all' must be True or False"):
        fastdnn.warmup(everything="all")


@pytest.mark.needs_jit
def test_warmup_in_double_precision_returns_the_folder_that_is_in_use():
    folder = fastdnn.warmup("float64")
    assert folder == cache_module.cache_directory()
    assert any(path.name.startswith("loop.train") for path in folder.iterdir())


@pytest.mark.skipif(JIT_ENABLED, reason="with JIT there is something to compile")
def test_without_jit_there_is_nothing_to_do():
    assert fastdnn.warmup() is None


def test_unknown_dtype():
    with pytest.raises(ValueError, match="dtype='float16' must be 'float32' or 'float64'"):
        fastdnn.warmup("float16")


@pytest.mark.needs_jit
def test_without_a_folder_warmup_is_refused(monkeypatch):
    monkeypatch.setattr(cache_module, "cache_directory", lambda: None)
    with pytest.raises(RuntimeError, match="FASTDNN_CACHE_DIR"):
        fastdnn.warmup()


@pytest.mark.needs_jit
def test_a_warmup_that_leaves_something_out_says_so(monkeypatch):
    missing = {"engine.train.0": "disk full", "engine.predict.0": None}
    monkeypatch.setattr(cache_module, "missing_entries", lambda: missing)
    with pytest.raises(RuntimeError, match=r"without 2 of the .* \(disk full\).*new process"):
        fastdnn.warmup()
