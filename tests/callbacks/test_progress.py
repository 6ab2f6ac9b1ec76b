"""Bars of tqdm: as callbacks, and those of verbose=1."""

import contextlib
import io
import multiprocessing
import os
import re
import subprocess
import sys

import pytest
from sklearn.model_selection import GridSearchCV

from fastdnn.callbacks import ProgressBar, bar
from tests.callbacks.kinds import (
    LABELS,
    TARGETS,
    Recording,
    X,
    classifier,
    needs_callbacks,
    regressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SOLVERS = [{}, {"solver": "lbfgs"}]


@pytest.fixture
def drawn(monkeypatch):
    """Return the text of each bar when it was closed, and draw every epoch."""
    texts = []
    tqdm = bar.tqdm_class()

    class Keeping(tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options | {"file": io.StringIO(), "mininterval": 0})

        def close(self):
            if not self.disable:
                texts.append(str(self))
            super().close()

    monkeypatch.setattr(bar, "tqdm_class", lambda: Keeping)
    return texts


def shown_in(text):
    """Return title, epochs done and at most, and what stands behind the bar."""
    found = re.match(r"(\w+): +(\d+)%.*?\| (\d+)/(\d+) \[(.*)\]", text)
    assert found, text
    title, percent, done, total, rest = found.groups()
    assert int(percent) == round(100 * int(done) / int(total))
    return title, int(done), int(total), rest


@pytest.mark.parametrize("options", SOLVERS, ids=str)
def test_verbose_1_shows_epochs_and_numbers_and_prints_no_line(options, drawn, capsys):
    model = classifier(**options, verbose=1)
    model.fit(X, LABELS, X_val=X[:20], y_val=LABELS[:20])
    [text] = drawn
    title, done, total, rest = shown_in(text)
    assert (title, done, total) == ("DNNClassifier", 4, 4)
    table = model.history_
    assert f"loss={table['loss'][-1]:.4g}" in rest
    assert f"val_loss={table['validation_loss'][-1]:.4g}" in rest
    assert f"val_score={table['validation_score'][-1]:.4g}" in rest
    assert re.search(r"\d+:\d+<\d+:\d+, +[\d.]+(epoch/s|s/epoch)", rest)
    assert not capsys.readouterr().out


def test_verbose_1_changes_no_bit(drawn):
    plain, shown = regressor().fit(X, TARGETS), regressor(verbose=1).fit(X, TARGETS)
    assert shown._state == plain._state
    assert len(drawn) == 1


def test_a_bar_of_a_fit_that_ends_early(drawn):
    regressor(verbose=1, tol=1e9, n_iter_no_change=1, max_iter=50).fit(X, TARGETS)
    _, done, total, _ = shown_in(drawn[0])
    assert (done, total) == (3, 50)


@pytest.mark.parametrize("verbose", [True, 2])
def test_lines_stay_scikit_learns(verbose, drawn, capsys):
    regressor(verbose=verbose, max_iter=2).fit(X, TARGETS)
    assert not drawn
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["Iteration 1", "Iteration 2"]


def test_without_tqdm_verbose_1_prints_lines(monkeypatch, capsys):
    monkeypatch.setattr(bar, "tqdm_class", lambda: None)
    monkeypatch.setattr("fastdnn.estimators.watched.tqdm_class", lambda: None)
    regressor(verbose=1, max_iter=2).fit(X, TARGETS)
    assert capsys.readouterr().out.startswith("Iteration 1, loss = ")


def test_partial_fit_prints_a_line(drawn, capsys):
    regressor(verbose=1).partial_fit(X, TARGETS)
    assert not drawn
    assert capsys.readouterr().out.startswith("Iteration 1, loss = ")


def test_in_a_worker_there_is_no_bar(drawn, monkeypatch, capsys):
    monkeypatch.setattr(multiprocessing.current_process(), "name", "LokyProcess-1")
    regressor(verbose=1).fit(X, TARGETS)
    assert not drawn
    assert not capsys.readouterr().out


def test_the_real_bar_is_written_to_standard_error(capsys):
    regressor(verbose=1).fit(X, TARGETS)
    out, err = capsys.readouterr()
    assert not out
    assert "DNNRegressor: 100%" in err
    assert " 4/4 " in err
    assert "loss=" in err


IN_A_TERMINAL = """
import warnings
import numpy as np
from fastdnn import DNNRegressor
warnings.simplefilter("ignore")
X = np.linspace(0.0, 1.0, 30).reshape(10, 3)
DNNRegressor(hidden_layer_sizes=(2,), max_iter=3, verbose=1).fit(X, X[:, 0])
"""


def test_in_a_terminal_one_line_is_drawn_again_and_again():
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))  # a new one has no columns
    command = [sys.executable, "-c", IN_A_TERMINAL]
    with subprocess.Popen(command, stderr=terminal, stdout=subprocess.PIPE) as process:
        os.close(terminal)
        drawn = b""
        with contextlib.suppress(OSError):  # which is how the end of a terminal reads
            while part := os.read(master, 4096):
                drawn += part
        assert process.stdout.read() == b""
    os.close(master)
    assert process.returncode == 0
    frames = [frame for frame in drawn.decode().split("\r") if "DNNRegressor:" in frame]
    assert " 0/3 " in frames[0]
    assert "0%|" in frames[0]
    assert "100%|" in frames[-1]
    assert " 3/3 " in frames[-1]
    assert "loss=" in frames[-1]


@needs_callbacks
def test_the_callback_shows_the_same(drawn):
    model = regressor().set_callbacks(ProgressBar()).fit(X, TARGETS)
    [text] = drawn
    assert shown_in(text)[:3] == ("DNNRegressor", 4, 4)
    assert f"loss={model.loss_:.4g}" in text


@needs_callbacks
def test_the_bar_is_closed_where_a_fit_raises(drawn):
    model = regressor().set_callbacks(ProgressBar(), Recording(raise_at="end_epoch"))
    with pytest.raises(RuntimeError):
        model.fit(X, TARGETS)
    assert len(drawn) == 1
    with pytest.raises(RuntimeError):
        model.set_params(verbose=1).fit(X, TARGETS)
    assert len(drawn) == 3


@needs_callbacks
def test_options_are_tqdms(capsys):
    stream = io.StringIO()
    regressor().set_callbacks(ProgressBar(file=stream, desc="mine")).fit(X, TARGETS)
    assert "mine: 100%" in stream.getvalue()
    assert not capsys.readouterr().err


@needs_callbacks
def test_each_fit_of_a_search_has_a_bar(drawn):
    model = classifier(max_iter=2).set_callbacks(ProgressBar())
    GridSearchCV(model, {"alpha": [1.0, 2.0]}, cv=2).fit(X, LABELS)
    assert [shown_in(text)[1:3] for text in drawn] == [(2, 2)] * 5


def test_without_tqdm_the_callback_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    bar.tqdm_class.cache_clear()
    try:
        with pytest.raises(ImportError, match="pip install tqdm"):
            ProgressBar()
    finally:
        bar.tqdm_class.cache_clear()
