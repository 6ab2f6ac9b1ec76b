"""How shards become tasks."""

import math

import pytest

from fastdnn._plan import _shards_together


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
