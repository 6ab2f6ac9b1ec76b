"""How shards become tasks."""

import math

import numpy as np
import pytest

from fastdnn._parameters import Parameters
from fastdnn._plan import _shard_rows, _shards_together


@pytest.mark.parametrize("n_workers", [1, 2, 3, 4, 6, 8])
def test_taking_shards_together_makes_no_worker_do_more(n_workers):
    for n_shards in range(n_workers, 64):
        together = _shards_together(64, n_shards, n_workers)
        n_tasks = math.ceil(n_shards / together)
        most = min(n_shards, math.ceil(n_tasks / n_workers) * together)
        assert most == math.ceil(n_shards / n_workers)


def test_shards_go_together_up_to_256_rows():
    assert [_shards_together(rows, 8, 1) for rows in (32, 64, 100, 256, 300)] == [
        8,
        4,
        2,
        1,
        1,
    ]
    assert [_shards_together(64, 8, n_workers) for n_workers in (1, 2, 4, 8)] == [4, 4, 2, 1]


@pytest.mark.parametrize(
    ("batch_size", "rows"),
    [(15, 15), (16, 8), (64, 32), (128, 64), (256, 64), (512, 64), (1024, 128)],
)
def test_rows_of_a_shard(batch_size, rows):
    parameters = Parameters([784, 128, 10], np.dtype(np.float32))
    assert _shard_rows(parameters, batch_size) == rows


def test_steps_too_small_to_share_are_one_shard():
    parameters = Parameters([64, 32, 10], np.dtype(np.float32))
    assert [_shard_rows(parameters, rows) for rows in (32, 104, 112)] == [32, 104, 56]
