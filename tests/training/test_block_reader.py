"""The thread that reads ahead: when it wants a processor for itself."""

import itertools
import threading
import time

import numpy as np
import pytest

from fastdnn import DNNClassifier
from fastdnn.data.blocks import StreamedSamples
from fastdnn.data.sources import ChunkSource
from fastdnn.training import Stream, block_reader, blockwise
from fastdnn.training.block_reader import BlockReader

N_CHUNKS, ROWS = 6, 10


def reader_of(read):
    """Return a reader of blocks of a chunk each, whose ``read(number)`` is called for each."""

    def chunk(number):
        read(number)
        return np.full((ROWS, 2), number, np.float32), np.zeros(ROWS)

    source = ChunkSource([lambda number=number: chunk(number) for number in range(N_CHUNKS)])
    source.rows_of_units = [ROWS] * N_CHUNKS
    samples = StreamedSamples(
        np.zeros((1, 2), np.float32),
        np.zeros((1, 1), np.float32),
        source=source,
        encode=lambda y, dtype: y.reshape(-1, 1).astype(dtype),
        block_rows=ROWS,
        n_all=ROWS * N_CHUNKS,
    )
    return BlockReader(samples, lambda epoch: range(N_CHUNKS), 0, 1)


def wait_until(condition):
    until = time.monotonic() + 10.0
    while not condition() and time.monotonic() < until:
        time.sleep(0.001)
    assert condition()


def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def run(read):
    """Return whether the reader is at work while it reads the third block, and after it."""
    reading, go_on = threading.Event(), threading.Event()

    def third(number):
        if number == 2:
            reading.set()
            go_on.wait(timeout=10)
        else:
            read()

    reader = reader_of(third)
    reader.start()
    try:
        first = reader.next()
        wait_until(lambda: len(reader._ready) == 1)  # the second one; no third is free
        waits = reader.is_at_work()
        reader.give_back(first)
        assert reading.wait(timeout=10)
        reads = reader.is_at_work()
        go_on.set()
        return waits, reads
    finally:
        go_on.set()
        reader.close()
        assert not reader.is_at_work()


@pytest.fixture(autouse=True)
def little_is_much(monkeypatch):
    """Other programs may leave a thread that computes little of a processor."""
    monkeypatch.setattr(block_reader, "_MUCH", 0.05)


def test_a_reader_that_computes_is_at_work_while_it_has_a_block_to_fill():
    assert run(lambda: compute(0.05)) == (False, True)


def test_a_reader_that_waits_for_a_disk_is_not():
    assert run(lambda: time.sleep(0.1)) == (False, False)


@pytest.mark.needs_jit
@pytest.mark.usefixtures("four_cpus")
@pytest.mark.parametrize("n_cpus", [2, 3])
def test_a_team_gives_way_where_there_is_no_processor_for_the_reader(n_cpus, monkeypatch):
    monkeypatch.setattr(blockwise, "usable_cpus", lambda: n_cpus)
    asked, answers = [], itertools.cycle([True, False, False])

    class Reader(BlockReader):
        def is_at_work(self):
            asked.append(next(answers))
            return asked[-1]

    monkeypatch.setattr(blockwise, "BlockReader", Reader)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4096, 40)).astype(np.float32)
    y = X[:, 0] > 0
    options = {"batch_size": 256, "max_iter": 2, "random_state": 0, "shuffle": False, "tol": 0}
    stream = Stream(X, y, block_rows=1024)
    with pytest.warns(match="Maximum iterations"):
        model = DNNClassifier(n_threads=2, **options).fit(stream)
    with pytest.warns(match="Maximum iterations"):
        expected = DNNClassifier(n_threads=1, **options).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], expected.coefs_[0])
    assert bool(asked) == (n_cpus == 2)
