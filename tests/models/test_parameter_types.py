"""Signatures have the types that are declared, and type checkers find a user's mistakes."""

import collections.abc
import inspect
import os
import re
import typing
from pathlib import Path

import numpy as np
import pytest
from mypy import api

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.models import hyperparameters
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor, declarations

DECLARED = {
    DNNClassifier: hyperparameters.hyperparameters_of,
    DNNRegressor: hyperparameters.hyperparameters_of,
    TabularDNNClassifier: declarations.hyperparameters_of,
    TabularDNNRegressor: declarations.hyperparameters_of,
}
#: Types that words of declarations stand for.
WORDS = {
    "None": type(None),
    "bool": bool,
    "int": int,
    "float": float,
    "inf": float,
    "str": str,
    "PathLike": os.PathLike,
    "RandomState": np.random.RandomState,
    "Activation": fastdnn.Activation,
    "Loss": fastdnn.Loss,
}


def parts_of(annotation):
    """Return the types and the values that a union consists of."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return set(inner)
    if origin is collections.abc.Callable:
        return {origin}
    return {annotation, origin}.union(*map(parts_of, inner))


@pytest.mark.parametrize("Estimator", DECLARED)
def test_types_are_those_of_the_declarations(Estimator):
    signature = inspect.signature(Estimator).parameters
    for name, row in DECLARED[Estimator](Estimator.__name__).items():
        parts = parts_of(signature[name].annotation)
        names = set(re.findall(r"'(\w+)'", row.values.kind))
        assert {part for part in parts if isinstance(part, str)} == names, name
        words = set(re.findall(r"\w+", re.sub(r"'\w+'", "", row.values.kind)))
        if typing.Any in parts:  # of what scikit-learn has no types for
            continue
        for word in words & set(WORDS):
            assert WORDS[word] in parts, (name, word)
        assert (type(None) in parts) == ("None" in words), name


SCRIPT = """
import numpy as np

import fastdnn
from fastdnn.tables import TableEncoder, TabularDNNClassifier, TabularDNNRegressor
from fastdnn.training import Stream

X, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
layers = fastdnn.DNNClassifier((8, 4), ["relu", "prelu"], alpha=1e-3, solver="adamw")
reveal_type(layers.fit(X, y, X_val=X, y_val=y).partial_fit(X, y))
reveal_type(layers.coefs_)
reveal_type(layers.loss_curve_)
reveal_type(layers.classes_)
reveal_type(layers.best_loss_)
reveal_type(layers.n_iter_)
reveal_type(layers.predict_proba(X))
reveal_type(layers.fit(Stream([(X, y)])))
regressor = fastdnn.DNNRegressor(hidden_layer_sizes=np.int64(3), quantile=[0.1, 0.9])
reveal_type(regressor.predict(X))
reveal_type(regressor.predict(X, return_std=True))
reveal_type(TabularDNNClassifier(n_members=2).fit(X, y))
reveal_type(TabularDNNRegressor(max_epochs="auto").predict(X))
reveal_type(TableEncoder(n_bins=4).fit(X))
"""
REVEALED = [
    "DNNClassifier",
    "list[ndarray]",
    "list[float]",
    "ndarray",
    "float | None",
    "int",
    "ndarray",
    "DNNClassifier",
    "ndarray",
    "tuple[ndarray, ndarray]",
    "TabularDNNClassifier",
    "ndarray",
    "TableEncoder",
]
#: Each line is a mistake, and what is said of it.
MISTAKES = {
    "fastdnn.DNNClassifier(alfa=0.1)": 'Unexpected keyword argument "alfa"',
    'fastdnn.DNNClassifier(alpha="no")': 'Argument "alpha"',
    'fastdnn.DNNRegressor(solver="adm")': 'Argument "solver"',
    'fastdnn.DNNClassifier(activation=["relu", "rele"])': "List item 1",
    "fastdnn.DNNClassifier().fit([[1.0]], [1], sample_wait=[1])": '"sample_wait"',
    "TabularDNNClassifier().fit([[1.0]], [1], sample_wait=[1])": '"sample_wait"',
    "fastdnn.DNNRegressor().fit([[1.0]])": 'No overload variant of "fit"',
    "fastdnn.DNNClassifier().coefs_.shape": 'has no attribute "shape"',
    "TabularDNNClassifier(n_membres=2)": 'Unexpected keyword argument "n_membres"',
    'TabularDNNClassifier(max_epochs="long")': 'Argument "max_epochs"',
    "TableEncoder(n_bins=0.5)": 'Argument "n_bins"',
}
IMPORTS = "import fastdnn\nfrom fastdnn.tables import TableEncoder, TabularDNNClassifier\n"


@pytest.fixture(scope="module")
def known_to_mypy(tmp_path_factory):
    """Return where mypy keeps what it knows of libraries, which takes most of its time."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture
def checked(tmp_path, monkeypatch, known_to_mypy):
    """Return a function that returns what mypy says of a script of a user's own."""

    def check(script):
        path = tmp_path / "script.py"
        path.write_text(script, encoding="utf-8")
        options = ["--strict", "--follow-imports=silent", "--config-file=", "--no-pretty"]
        said, errors, _ = api.run([*options, "--cache-dir", str(known_to_mypy), str(path)])
        assert not errors, errors
        return [line for line in said.splitlines() if "script.py:" in line]

    monkeypatch.setenv("MYPYPATH", str(Path(fastdnn.__file__).parent.parent))
    return check


@pytest.mark.slow_without_jit
def test_types_that_a_checker_finds(checked):
    said = checked(SCRIPT)
    assert not [line for line in said if ": error:" in line]
    types = [line.split('"')[1] for line in said if "Revealed type" in line]
    short = [re.sub(r"\b[\w.]+\.(\w+)", r"\1", text) for text in types]
    of_array = r"ndarray\[(tuple\[[\w, .]*\]|Any), (dtype\[Any\]|Any)\]"
    short = [re.sub(of_array, "ndarray", text) for text in short]
    # Earlier versions of mypy write unions so.
    assert [re.sub(r"Union\[(\w+), (\w+)\]", r"\1 | \2", text) for text in short] == REVEALED


@pytest.mark.slow_without_jit
def test_mistakes_that_a_checker_finds(checked):
    said = checked(IMPORTS + "\n".join(MISTAKES) + "\n")
    first = IMPORTS.count("\n") + 1
    found = {int(line.split(".py:")[1].split(":")[0]): line for line in said[::-1]}
    for number, (code, text) in enumerate(MISTAKES.items(), first):
        assert "error:" in found[number], code
        assert text in found[number], found[number]


def test_the_package_says_that_it_has_types():
    assert (Path(fastdnn.__file__).parent / "py.typed").exists()
