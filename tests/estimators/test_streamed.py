"""Streams that cannot be trained on are refused; of those that break later, much is kept."""

import os
import threading
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.search import DNNSearchCV
from fastdnn.training import Stream, StreamError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((301, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
SMALL = {"hidden_layer_sizes": (4,), "random_state": 0, "batch_size": 32, "max_iter": 4}


def chunks(size=70):
    return [(X[i : i + size], Y[i : i + size]) for i in range(0, len(X), size)]


def changed(number, X=None, y=None):
    """Return chunks of which one has another X or y."""
    made = chunks()
    made[number] = made[number][0] if X is None else X, made[number][1] if y is None else y
    return made


def with_nan():
    wrong = X[140:210].copy()
    wrong[7, 2] = np.nan
    return wrong


# -- refused before training ------------------------------------------------------------------

WRONG_STREAMS = {
    "no target": (lambda: Stream(X), "y has its targets"),
    "an iterator": (lambda: Stream(iter(chunks())), "which can be iterated once"),
    "a generator": (lambda: Stream(c for c in chunks()), "Give the function that makes it"),
    "nothing": (lambda: Stream([]), "an empty list"),
    "a number": (lambda: Stream(3), "source is a int"),
    "a second y": (lambda: Stream(chunks(), Y), "Leave y out"),
    "columns of chunks": (lambda: Stream(chunks(), columns=["a"]), "names columns"),
    "a column": (lambda: Stream("a.parquet", target="y", columns="a"), "must be a list"),
    "files without a target": (lambda: Stream("a.parquet"), "Give target"),
    "no rows a block": (lambda: Stream(X, Y, block_rows=0), "block_rows=0 must be"),
    "no transformation": (lambda: Stream(X, Y, transform=3), "transform=3 must be callable"),
}


@pytest.mark.parametrize("name", WRONG_STREAMS)
def test_streams_that_cannot_be_made(name):
    make, message = WRONG_STREAMS[name]
    with pytest.raises(ValueError, match=message):
        make()


WRONG_ROWS = {
    "another number of columns": (
        changed(2, X[140:210, :4]),
        "chunk 2: X has 4 columns",
    ),
    "text": (changed(1, X[70:140].astype(str)), "chunk 1: X is of dtype <U32"),
    "one dimension": (changed(1, X[70:140, 0]), "chunk 1: X has 1 dimensions"),
    "sparse": (changed(1, sparse.csr_matrix(X[70:140])), "chunk 1: X is sparse"),
    "an empty chunk": (changed(3, X[:0], Y[:0]), "chunk 3 is empty"),
    "other lengths": (changed(1, X[70:139]), "chunk 1: X has 69 rows, but y has 70"),
    "NaN": (changed(2, with_nan()), "chunk 2: X has nan in column 2"),
    "NaN in y": (changed(1, y=np.where(Y[70:140], np.nan, 1.0)), "chunk 1: y is nan"),
    "labels of another kind": (changed(1, y=Y[70:140].astype(str)), "y is of dtype <U21"),
    "numbers for labels": (changed(1, y=X[70:140, 0]), "is no class"),
    "several labels": (changed(1, y=np.eye(3)[Y[70:140]]), "has one class a sample"),
    "no pair": ([(X, Y, Y)], "chunk 0 is a tuple of 3"),
    "no tuple": ([X], "chunk 0 is ndarray"),
    "no arrays": ([(3, 4)], "chunk 0: X has no rows"),
    "no iterable": (lambda: 3, "must return an iterable"),
    "no chunks": (list, "has no rows"),
}


@pytest.mark.parametrize("name", WRONG_ROWS)
def test_rows_that_cannot_be_trained_on(name):
    source, message = WRONG_ROWS[name]
    model = DNNClassifier(**SMALL)
    with pytest.raises(StreamError, match=message):
        model.fit(Stream(source))
    assert not hasattr(model, "coefs_")
    if callable(source):
        return
    with pytest.raises(StreamError, match=message):
        model.fit(Stream(lambda: source))


def test_arrays_that_cannot_be_trained_on():
    model = DNNClassifier(**SMALL)
    with pytest.raises(StreamError, match="X has 301 rows, but y has 300"):
        model.fit(Stream(X, Y[:300]))
    with pytest.raises(StreamError, match="X has 1 dimensions"):
        model.fit(Stream(X[:, 0], Y))
    with pytest.raises(StreamError, match=r"class 2, which is not among classes=\[0, 1\]"):
        model.fit(Stream(X, Y, classes=[0, 1]))
    with pytest.raises(StreamError, match=r"There is no file .*nowhere|cannot be read"):
        model.fit(Stream("nowhere.npy", Y))


def test_targets_that_no_regressor_can_have():
    model = DNNRegressor(**SMALL)
    with pytest.raises(StreamError, match="y is of dtype <U"):
        model.fit(Stream(X, Y.astype(str)))
    with pytest.raises(StreamError, match="chunk 1: y has 2 targets a sample, but the first"):
        model.fit(Stream(changed(1, y=X[70:140, :2])))
    with pytest.raises(StreamError, match="chunk 2: transform returned 3 rows of 70"):
        model.fit(Stream(changed(2), transform=lambda X: X[:3] if X[0, 0] == at_140 else X))
    with pytest.raises(ValueError, match="loss='gamma'"):
        model.set_params(loss="gamma").fit(Stream(X, np.where(Y > 0, 1.0, -1.0)))


at_140 = X[140, 0]

REFUSED = {
    "lbfgs": ({"solver": "lbfgs"}, "solver='lbfgs' needs all samples"),
    "members": ({"n_members": 3}, "n_members=3 networks"),
    "weights of classes": ({"class_weight": "balanced"}, "class_weight='balanced'"),
    "early stopping": ({"early_stopping": True}, "give X_val and y_val"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_parameters_that_streams_do_not_have(name):
    options, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        DNNClassifier(**options).fit(Stream(X, Y))


def test_where_a_stream_is_not_taken():
    stream, model = Stream(X, Y), DNNClassifier(**SMALL)
    with pytest.raises(ValueError, match="sample_weight was given beside a Stream"):
        model.fit(stream, sample_weight=np.ones(301))
    with pytest.raises(ValueError, match="y was given beside a Stream"):
        model.fit(stream, Y)
    model.fit(stream)
    for call in (model.predict, lambda X: model.partial_fit(X, Y)):
        with pytest.raises(ValueError, match="X is a Stream, which fit takes"):
            call(stream)
    with pytest.raises((ValueError, TypeError)):
        DNNSearchCV(model, {"alpha": [1, 2]}).fit(stream, Y)


# -- broken during training -------------------------------------------------------------------


def breaking(when, what):
    """Return a callable whose chunks go wrong in an epoch, counted from 1."""
    epochs = iter(range(100))  # they are read before training as well, and then the first rows

    def make():
        epoch = next(epochs) - 1
        for number, chunk in enumerate(chunks()):
            if (epoch, number) == when:
                yield from what(chunk)
                return
            yield chunk

    return make


def fail(chunk):
    raise OSError("the disk is gone")
    yield


BROKEN = {
    "ends early": (lambda chunk: [], "has 210 rows, but had 301 when"),
    "goes on": (lambda chunk: [*chunks(), chunk], "has more rows, but had 301"),
    "other columns": (lambda chunk: [(chunk[0][:, :4], chunk[1])], "X has 4 columns"),
    "NaN": (lambda chunk: [(np.where(chunk[0] > 1, np.nan, chunk[0]), chunk[1])], "X has nan"),
    "another class": (lambda chunk: [(chunk[0], chunk[1] + 9)], "y has the class"),
    "an error": (fail, "OSError: the disk is gone"),
    "text": (lambda chunk: [(chunk[0].astype(str), chunk[1])], "X is of dtype"),
    "other lengths": (lambda chunk: [(chunk[0], chunk[1][1:])], "X has 70 rows, but y has 69"),
}


@pytest.mark.parametrize("has_thread", [True, False])
@pytest.mark.parametrize("name", BROKEN)
def test_the_network_so_far_is_kept(name, has_thread, monkeypatch):
    what, message = BROKEN[name]
    if not has_thread:
        start = "fastdnn.training.block_reader.start_thread"
        monkeypatch.setattr(start, lambda *options: False)
    model, n_threads = DNNClassifier(**SMALL, tol=0.0), threading.active_count()
    with pytest.raises(StreamError, match=message) as caught:
        model.fit(Stream(breaking((3, 3), what), block_rows=64))
    assert "of epoch 3 could not be read" in str(caught.value)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    assert threading.active_count() == n_threads
    before = DNNClassifier(**SMALL | {"max_iter": 2}).fit(Stream(chunks, block_rows=64))
    assert model.loss_curve_ == before.loss_curve_
    assert (model.coefs_[0] != before.coefs_[0]).any()  # of the steps in the third epoch
    assert model.predict(X).shape == (301,)


def test_what_is_kept_of_the_first_epoch():
    model = DNNClassifier(**SMALL)
    with pytest.raises(StreamError, match="Block 4 of epoch 1"):
        model.fit(Stream(breaking((1, 3), fail), block_rows=64))
    assert (model.n_iter_, model.loss_curve_) == (0, [])
    assert np.isfinite(model.loss_)
    assert model.score(X, Y) >= 0.0


def test_where_nothing_was_trained_the_estimator_stays_as_it_was():
    model = DNNClassifier(**SMALL)
    with pytest.raises(StreamError, match="Block 1 of epoch 1"):
        model.fit(Stream(breaking((1, 0), fail), block_rows=64))
    assert not hasattr(model, "coefs_")


def test_a_checkpoint_has_the_network_so_far(tmp_path):
    import fastdnn

    path = tmp_path / "model.safetensors"
    model = DNNClassifier(**SMALL, checkpoint=path)
    with pytest.raises(StreamError):
        model.fit(Stream(breaking((3, 3), fail), block_rows=64))
    kept = fastdnn.load(path)
    np.testing.assert_array_equal(kept.coefs_[0], model.coefs_[0])
    kept.set_params(warm_start="exact").fit(Stream(chunks, block_rows=64))
    assert kept.n_iter_ == 4


@pytest.mark.parametrize("how", ["truncated", "changed", "gone"])
def test_files_that_change(how, tmp_path):
    for name, array in (("X", X), ("y", Y)):
        np.save(tmp_path / f"{name}.npy", array)
    path, model = tmp_path / "X.npy", DNNClassifier(**SMALL)
    n_read = iter(range(100))

    def transform(rows):
        if next(n_read) == 2:  # after the first rows, and those of an epoch
            if how == "truncated":
                os.truncate(path, path.stat().st_size - 1000)
            elif how == "changed":
                os.utime(path, ns=(1, 1))
            else:
                path.unlink()
        return rows

    stream = Stream(path, tmp_path / "y.npy", block_rows=64, transform=transform)
    message = {"truncated": "had 6148 bytes, and has 5148 now", "changed": "was changed"}
    with pytest.raises(StreamError, match=message.get(how, "can no longer be read")):
        model.fit(stream)
    assert model.predict(X).shape == (301,)


def test_a_file_that_is_shorter_than_its_map(tmp_path, monkeypatch):
    """Where the length changes after the look at it."""
    monkeypatch.setattr("fastdnn.data.file_rows.FileStamp.problem", lambda self: None)
    np.save(tmp_path / "X.npy", X)
    mapped = Stream(np.load(tmp_path / "X.npy", mmap_mode="r"), Y, block_rows=64)
    model = DNNClassifier(**SMALL, warm_start="exact").fit(mapped)
    os.truncate(tmp_path / "X.npy", 128 + 20 * 10 + 4)
    model.max_iter = 9
    with pytest.raises(StreamError, match=r"ends within row 10: it is shorter than it was"):
        model.fit(mapped)


# -- what watches training --------------------------------------------------------------------


def test_validation_samples_are_taken():
    options = SMALL | {"early_stopping": True, "shuffle": False}
    given = {"X_val": X[:90], "y_val": Y[:90]}
    in_memory = DNNClassifier(**options).fit(X, Y, **given)
    model = DNNClassifier(**options).fit(Stream(X, Y, block_rows=64), **given)
    assert model.validation_scores_ == in_memory.validation_scores_
    assert model.best_validation_score_ == in_memory.best_validation_score_
    options |= {"early_stopping": "auto", "scoring": "balanced_accuracy"}
    assert DNNClassifier(**options).fit(Stream(X, Y)).validation_scores_ is None
    model = DNNClassifier(**options).fit(Stream(X, Y), **given)
    assert len(model.validation_scores_) == 4


def test_time_that_is_up():
    model = DNNClassifier(**SMALL, max_time=1e-9, warm_start="exact")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="max_time"):
            model.fit(Stream(X, Y, block_rows=64))
    assert (model.n_iter_, model._resumable.rows_done) == (0, 0)
    assert np.isfinite(model.loss_)
    model.set_params(max_time=None).fit(Stream(X, Y, block_rows=64))
    assert model.n_iter_ == 4


def test_ctrl_c_keeps_the_epochs_so_far(monkeypatch):
    from fastdnn.training.blockwise import BlockRunner

    runs = iter(range(100))

    def run_rows(self, *rows, usual=BlockRunner.run_rows):
        if next(runs) == 2:
            raise KeyboardInterrupt
        return usual(self, *rows)

    monkeypatch.setattr(BlockRunner, "run_rows", run_rows)
    n_threads, model = threading.active_count(), DNNClassifier(**SMALL)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(Stream(X, Y, block_rows=64))
    assert model.n_iter_ == 2
    assert threading.active_count() == n_threads


def test_a_line_for_each_epoch(capsys):
    DNNClassifier(**SMALL, verbose=True).fit(Stream(X, Y, block_rows=64))
    assert capsys.readouterr().out.count("Iteration") == 4


def test_what_overflows_float32_is_computed_in_float64():
    y = X[:, 0] * 1e13
    in_memory = DNNRegressor(**SMALL, shuffle=False).fit(X, y)
    model = DNNRegressor(**SMALL, shuffle=False).fit(Stream(X, y, block_rows=64))
    assert model.loss_curve_ == in_memory.loss_curve_


@pytest.mark.needs_jit  # where NumPy warns of what overflows
def test_divergence_is_said():
    with pytest.raises(ValueError, match="learning_rate_init=1e\\+30 is too high"):
        DNNRegressor(**SMALL, solver="sgd", learning_rate_init=1e30).fit(
            Stream(X, X[:, 0], block_rows=64)
        )
