"""Streams train as samples in memory do: to the bit, from whatever they are read."""

import functools
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastdnn
from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.training import Stream, StreamError
from fastdnn.training.blockwise import BlockRunner

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((301, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + 2 * (X[:, 1] > 0.5)
SMALL = {"hidden_layer_sizes": (4,), "random_state": 0, "batch_size": 32, "max_iter": 3}


def same_network(one, other):
    return one._state.parameters.theta.tobytes() == other._state.parameters.theta.tobytes()


def chunks(size=70):
    for first in range(0, len(X), size):
        yield X[first : first + size], Y[first : first + size]


class Again:
    """Can be iterated again and again."""

    def __iter__(self):
        return chunks(110)


# -- as in memory -----------------------------------------------------------------------------

CASES = {
    "classifier": (DNNClassifier, {}),
    "regressor": (DNNRegressor, {}),
    "float64": (DNNClassifier, {"dtype": "float64"}),
    "sgd": (DNNClassifier, {"solver": "sgd", "learning_rate": "adaptive"}),
    "dropout": (DNNClassifier, {"dropout": 0.3, "input_noise": 0.1}),
    "schedule": (DNNRegressor, {"learning_rate": "cosine", "learning_rate_warmup": 0.2}),
    "averages": (DNNClassifier, {"ema_decay": 0.9}),
    "averages of epochs": (DNNClassifier, {"swa_start": 0.4}),
    "two classes": (DNNClassifier, {"batch_size": 301}),
    "another optimiser": (DNNRegressor, {"solver": "nadam", "weight_decay": 0.1}),
}


@pytest.mark.parametrize("name", CASES)
def test_one_block_has_the_bits_of_samples_in_memory(name):
    Estimator, options = CASES[name]
    y = Y > 1 if name == "two classes" else Y
    in_memory = Estimator(**SMALL | options).fit(X, y)
    model = Estimator(**SMALL | options).fit(Stream(X, y))
    assert model.loss_curve_ == in_memory.loss_curve_
    assert same_network(model, in_memory)
    assert model.t_ == in_memory.t_


@pytest.mark.parametrize("block_rows", [32, 100, 300, 301])
def test_blocks_in_order_have_the_bits_of_samples_in_memory(block_rows):
    options = SMALL | {"shuffle": False}
    in_memory = DNNClassifier(**options).fit(X, Y)
    model = DNNClassifier(**options).fit(Stream(X, Y, block_rows=block_rows))
    assert model.loss_curve_ == in_memory.loss_curve_
    assert same_network(model, in_memory)


def test_small_data_is_computed_in_float64_as_in_memory():
    options = SMALL | {"batch_size": "auto"}
    in_memory = DNNRegressor(**options).fit(X[:60], X[:60, 0])
    assert same_network(DNNRegressor(**options).fit(Stream(X[:60], X[:60, 0])), in_memory)


# -- sources ----------------------------------------------------------------------------------


def sources(folder):
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", Y)
    raw = np.memmap(folder / "X.bin", np.float32, "w+", offset=12, shape=(400, 5))
    raw[50:351] = X
    raw.flush()
    fortran = np.asfortranarray(X.astype(np.float64))
    np.save(folder / "F.npy", fortran)
    mapped = functools.partial(np.load, folder / "X.npy")
    return {
        "arrays": Stream(X, Y, block_rows=96),
        "other precision": Stream(X.astype(np.float64), Y, block_rows=96),
        "paths": Stream(folder / "X.npy", str(folder / "y.npy"), block_rows=96),
        "memory map": Stream(mapped(mmap_mode="r"), Y.tolist(), block_rows=96),
        "part of a raw map": Stream(raw[50:351], Y, block_rows=96),
        "copy on write": Stream(mapped(mmap_mode="c"), Y, block_rows=96),
        "columns first": Stream(np.load(folder / "F.npy", mmap_mode="r"), Y, block_rows=96),
        "generator function": Stream(chunks, block_rows=96),
        "iterable": Stream(Again(), block_rows=96),
        "list of chunks": Stream(list(chunks()), block_rows=96),
        "list of callables": Stream(
            [functools.partial(tuple, chunk) for chunk in chunks()], block_rows=96
        ),
        "transform": Stream(2 * X, Y, transform=lambda rows: rows / 2, block_rows=96),
        "columns of targets": Stream(X, Y[:, None], block_rows=96),
    }


def test_all_sources_give_the_same_rows(tmp_path):
    options = SMALL | {"shuffle": False, "max_iter": 1}
    in_memory = DNNClassifier(**options).fit(X, Y)
    for name, stream in sources(tmp_path).items():
        model = DNNClassifier(**options).fit(stream)
        assert same_network(model, in_memory), name
        assert_array_equal(model.classes_, [0, 1, 2, 3])


def test_labels_of_all_kinds(tmp_path):
    names = np.array(["a", "b", "c", "d"])
    options = SMALL | {"shuffle": False, "max_iter": 1}
    in_memory = DNNClassifier(**options).fit(X, Y)
    for labels in (names[Y], names[Y].astype(object), Y.astype(float), Y.astype(np.uint8)):
        model = DNNClassifier(**options).fit(Stream(X, labels, block_rows=64))
        assert same_network(model, in_memory)
        assert_array_equal(model.classes_, np.unique(labels))


def test_classes_that_no_row_has():
    model = DNNClassifier(**SMALL).fit(Stream(X, Y, classes=[7, 3, 2, 1, 0]))
    assert_array_equal(model.classes_, [0, 1, 2, 3, 7])
    assert model.predict_proba(X).shape == (301, 5)


def test_several_targets_and_quantiles():
    y = X[:, :2] + 1
    options = SMALL | {"shuffle": False}
    in_memory = DNNRegressor(**options).fit(X, y)
    assert same_network(DNNRegressor(**options).fit(Stream(X, y, block_rows=64)), in_memory)
    options |= {"loss": "quantile", "quantile": [0.1, 0.9]}
    in_memory = DNNRegressor(**options).fit(X, y[:, 0])
    model = DNNRegressor(**options).fit(Stream(X, y[:, 0], block_rows=64))
    assert same_network(model, in_memory)


# -- order ------------------------------------------------------------------------------------


def order_of_epochs(monkeypatch, stream, **options):
    """Return in which order rows are visited, each told by its first number."""
    visited = []

    def point_to(self, samples, order, n_rows, usual=BlockRunner._point_to):
        if self._thread_has_begun:
            visited.append(samples.X[order, 0].copy())
        usual(self, samples, order, n_rows)

    def enter(self, usual=BlockRunner.__enter__):
        self._thread_has_begun = True
        return usual(self)

    monkeypatch.setattr(BlockRunner, "_thread_has_begun", False, raising=False)
    monkeypatch.setattr(BlockRunner, "_point_to", point_to)
    monkeypatch.setattr(BlockRunner, "__enter__", enter)
    DNNRegressor(**SMALL | options).fit(stream)
    return visited


def test_each_epoch_visits_all_rows_in_another_order(monkeypatch):
    rows = np.arange(301.0, dtype=np.float32)
    numbered = [(rows[i : i + 20, None], rows[i : i + 20]) for i in range(0, 301, 20)]
    stream = Stream(numbered, block_rows=70)
    blocks = order_of_epochs(monkeypatch, stream, learning_rate_init=1e-9)
    assert [len(block) for block in blocks] == [64, 64, 64, 64, 45] * 3
    epochs = [np.concatenate(blocks[i : i + 5]) for i in (0, 5, 10)]
    for epoch in epochs:
        assert_array_equal(np.sort(epoch), rows)
    assert len({epoch.tobytes() for epoch in epochs}) == 3
    # Chunks of all over come together in a block, and are mixed there.
    starts = [{int(row) // 20 for row in block} for block in blocks]
    assert max(starts[0]) - min(starts[0]) > 4
    assert (np.diff(blocks[0]) != 1).any()


def test_the_same_bits_for_all_threads_and_times():
    stream = Stream(list(chunks(16)), block_rows=64)
    first = DNNClassifier(**SMALL, n_threads=1).fit(stream)
    for n_threads in (2, None):
        model = DNNClassifier(**SMALL, n_threads=n_threads).fit(stream)
        assert same_network(model, first)
    other = DNNClassifier(**SMALL | {"random_state": 1}).fit(stream)
    assert not same_network(other, first)


# -- going on ---------------------------------------------------------------------------------


@pytest.mark.needs_jit  # without it, the penalty of a first batch is summed up otherwise
@pytest.mark.parametrize("block_rows", [64, None])
def test_a_fit_in_parts_is_one_at_once(block_rows, tmp_path):
    def stream():
        return Stream(list(chunks(16)), block_rows=block_rows)

    options = SMALL | {"checkpoint": tmp_path / "model.safetensors"}
    whole = DNNClassifier(**options | {"max_iter": 6}).fit(stream())
    DNNClassifier(**options).fit(stream())
    model = fastdnn.load(tmp_path / "model.safetensors")
    model.set_params(warm_start="exact", max_iter=6).fit(stream())
    assert same_network(model, whole)
    assert model.loss_curve_ == whole.loss_curve_


def test_another_size_of_blocks_cannot_be_gone_on_with():
    model = DNNClassifier(**SMALL, warm_start="exact").fit(Stream(X, Y, block_rows=64))
    model.max_iter = 5
    with pytest.raises(ValueError, match="the same block_rows"):
        model.fit(Stream(X, Y, block_rows=96))
    with pytest.raises(ValueError, match=r"200 samples, but .*'exact' goes on .* 301"):
        model.fit(Stream(X[:200], Y[:200], block_rows=64))


def test_a_warm_start_goes_on_from_the_network():
    stream = Stream(X, Y, block_rows=64)
    model = DNNClassifier(**SMALL, warm_start=True).fit(stream)
    before = model.loss_
    assert model.fit(stream).loss_ < before
    with pytest.raises(ValueError, match="same classes"):
        model.fit(Stream(X, Y % 2))
    with pytest.raises(ValueError, match="X has 4 features, but DNNClassifier is expecting 5"):
        model.fit(Stream(X[:, :4], Y))


# -- the thread -------------------------------------------------------------------------------


def test_two_blocks_are_in_memory_and_the_thread_ends():
    before = threading.active_count()
    read = []

    def watched_chunks():
        for number, chunk in enumerate(chunks(50)):
            read.append((number, threading.get_ident()))
            yield chunk

    DNNClassifier(**SMALL).fit(Stream(watched_chunks, block_rows=64))
    threads = {ident for _, ident in read}
    assert threading.get_ident() in threads  # before training
    assert len(threads) == 2
    assert threading.active_count() == before


def test_without_a_thread_blocks_are_read_in_turn(monkeypatch):
    usual = DNNClassifier(**SMALL).fit(Stream(X, Y, block_rows=64))
    start = "fastdnn.training.block_reader.start_thread"
    monkeypatch.setattr(start, lambda *options: False)
    assert same_network(DNNClassifier(**SMALL).fit(Stream(X, Y, block_rows=64)), usual)
    # One that was started and never comes.
    monkeypatch.setattr(start, lambda *options: True)
    monkeypatch.setattr("fastdnn.training.block_reader._SECONDS_TO_COME", 0.01)
    assert same_network(DNNClassifier(**SMALL).fit(Stream(X, Y, block_rows=64)), usual)


def test_a_block_too_small_for_a_batch():
    with pytest.raises(StreamError, match="block_rows=31 is less than the 32 rows of a batch"):
        DNNClassifier(**SMALL).fit(Stream(X, Y, block_rows=31))
