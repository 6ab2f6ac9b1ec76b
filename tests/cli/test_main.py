"""The other commands, errors and exit statuses."""

import os
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastdnn
from fastdnn.cli import bench, info, main, warm_up
from fastdnn.cli.main import run
from fastdnn.tables import TabularDNNRegressor
from tests.cli.tables import failing

ROOT = Path(fastdnn.__file__).parent.parent
X = np.random.default_rng(0).normal(size=(40, 3))


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "fastdnn", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        **options,
    )


def test_a_command_of_its_own():
    ended = python("--version")
    assert (ended.returncode, ended.stdout) == (0, f"fastdnn {fastdnn.__version__}\n")
    ended = python("info", "none")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "fastdnn: none: there is no such file.\n"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"fastdnn": "fastdnn.cli.main:run"}


@pytest.mark.skipif(os.name != "posix", reason="there are other pipes")
def test_whoever_reads_may_have_enough(tmp_path):
    path = tmp_path / "model.safetensors"
    network = fastdnn.DeepNeuralNetwork([2, 3, 1])
    network.initialize_parameters(random_state=0)
    network.save(path)
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "fastdnn", "info", str(path)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_what_there_is_to_say_of_models(tmp_path, capsys):
    path = tmp_path / "model.safetensors"
    options = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "max_iter": 3, "random_state": 0}
    model = fastdnn.DNNClassifier(**options).fit(X, np.resize(["no", "yes"], 40))
    model.save(path)
    assert run(["info", str(path)]) == 0
    said = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    said = {name: text.strip() for name, text in said.items()}
    assert said["model"] == "DNNClassifier"
    assert said["parameters"] == (
        "hidden_layer_sizes=(3,), max_iter=3, random_state=0, solver='lbfgs'"
    )
    assert said["classes"] == "no, yes"
    assert said["columns"] == "3"
    assert said["layers"] == "3 -> 3 -> 1"
    assert said["output"] == "logistic"
    assert said["epochs"] == "3"
    facts = info.facts_of(fastdnn.DNNRegressor())
    assert facts == {"model": "DNNRegressor", "parameters": "the defaults", "fitted": "no"}
    network = fastdnn.DeepNeuralNetwork([2, 3, 1])
    assert info.facts_of(network)["layers"] == "2 -> 3 -> 1"


@pytest.mark.slow_without_jit
def test_what_there_is_to_say_of_models_of_tables():
    import pandas as pd

    frame = pd.DataFrame(X, columns=list("abc")).assign(one=1.0)
    options = {"n_members": 1, "max_epochs": 1, "hidden_layer_sizes": (3,)}
    facts = info.facts_of(TabularDNNRegressor(**options, random_state=0).fit(frame, X[:, 0]))
    assert facts["columns"] == "4: a, b, c, one"
    assert facts["left out"] == "one (constant)"
    assert facts["epochs"] == "1"
    many = {f"column {i}": 0 for i in range(30)}
    assert info._listed(list(many)).endswith("column 19 and 10 more")


@pytest.mark.slow_without_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_bench(monkeypatch, capsys):
    monkeypatch.setattr(bench, "_CASES", (bench.Case("small", 60, 3, (2,), 1),))
    assert run(["bench", "--seconds", "0", "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:-1]] == [
        *("training", "small", "predicting", "60 rows", "1 row"),
    ]
    assert all(line.endswith("x") for line in (lines[2], *lines[4:6]))
    assert bench._shown(5e-6) == "5 us"
    assert bench._shown(0.0125) == "12.5 ms"
    assert bench._shown(2.0) == "2.00 s"


@pytest.mark.parametrize(
    ("given", "told"), [([], ("float32", False)), (["--everything"], ("float32", True))]
)
def test_a_warm_up(monkeypatch, capsys, tmp_path, given, told):
    asked = []
    monkeypatch.setattr("fastdnn._warmup.warmup", lambda *a: asked.append(a) or tmp_path)
    assert run(["warmup", *given]) == 0
    assert asked == [told]
    assert capsys.readouterr().out == f"Compiled code is in {tmp_path}.\n"
    monkeypatch.setattr("fastdnn._warmup.warmup", lambda *a: None)
    assert run(["warmup"]) == 0
    assert "NUMBA_DISABLE_JIT" in capsys.readouterr().out

    def fail(*a):
        raise RuntimeError("found no folder")

    monkeypatch.setattr("fastdnn._warmup.warmup", fail)
    assert failing(capsys, "warmup") == "found no folder"


def test_errors_interrupts_and_warnings(monkeypatch, capsys):
    def interrupted(given):
        raise KeyboardInterrupt

    def mistaken(given):
        raise ValueError("of a user")

    def warning(given):
        warnings.warn("not so good", UserWarning, stacklevel=1)

    monkeypatch.setattr(warm_up, "run", interrupted)
    assert main.run(["warmup"]) == 130
    assert capsys.readouterr().err == "fastdnn: interrupted\n"
    monkeypatch.setattr(warm_up, "run", mistaken)
    assert failing(capsys, "warmup") == "of a user"
    with pytest.raises(ValueError, match="of a user"):
        main.run(["--debug", "warmup"])
    monkeypatch.setattr(warm_up, "run", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main.run(["warmup"]) == 0
    assert capsys.readouterr().err == "fastdnn: warning: not so good\n"
