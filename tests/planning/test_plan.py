"""How shards become tasks."""

import math

import numpy as np
import pytest

from fastdnn.machine.processor import vector_lanes
from fastdnn.network.parameters import Parameters
from fastdnn.planning.cuts import cut_blocks, shard_rows_of, shards_together
from fastdnn.products.nonzeros import MOST_VECTORS, ROWS_TOGETHER
from tests.networks import network_of


@pytest.mark.parametrize("n_workers", [1, 2, 3, 4, 6, 8])
def test_taking_shards_together_makes_no_worker_do_more(n_workers):
    for n_shards in range(n_workers, 64):
        together = shards_together(64, n_shards, n_workers)
        n_tasks = math.ceil(n_shards / together)
        most = min(n_shards, math.ceil(n_tasks / n_workers) * together)
        assert most == math.ceil(n_shards / n_workers)


def test_shards_go_together_up_to_256_rows():
    assert [shards_together(rows, 8, 1) for rows in (32, 64, 100, 256, 300)] == [
        8,
        4,
        2,
        1,
        1,
    ]
    assert [shards_together(64, 8, n_workers) for n_workers in (1, 2, 4, 8)] == [4, 4, 2, 1]


@pytest.mark.parametrize(
    ("batch_size", "rows"),
    [(15, 15), (16, 8), (64, 32), (128, 64), (256, 64), (512, 64), (1024, 128)],
)
def test_rows_of_a_shard(batch_size, rows):
    parameters = Parameters([784, 128, 10], np.dtype(np.float32))
    assert shard_rows_of(parameters, batch_size) == rows


def test_steps_too_small_to_share_are_one_shard():
    parameters = Parameters([64, 32, 10], np.dtype(np.float32))
    assert [shard_rows_of(parameters, rows) for rows in (32, 104, 112)] == [32, 104, 56]


def test_blocks_have_the_rows_for_which_skipping_zeros_is_fast():
    dtype = np.dtype(np.float32)
    parameters = Parameters([784, 512, 256, 10], dtype)

    def heights(activation, layer):
        network = network_of(parameters, [activation, activation, "softmax"])
        blocks = cut_blocks(parameters, network, batch_size=256, by_shard=False)
        assert sum(rows for _, _, rows in blocks) == 784 + 512 + 256
        return {rows for l, first, rows in blocks if l == layer and first == 0}.pop()

    whole_panel = MOST_VECTORS * vector_lanes(dtype)
    assert heights("relu", 0) % whole_panel == 0
    assert 0 <= heights("relu", 0) - heights("tanh", 0) < whole_panel
    assert heights("tanh", 1) < heights("relu", 1) == ROWS_TOGETHER
    assert heights("relu", 2) == heights("tanh", 2)  # too few rows to leave several blocks


def test_blocks_of_a_small_layer_stay_enough_to_share():
    parameters = Parameters([200, 200, 200], np.dtype(np.float32))
    for activation in ("relu", "tanh"):
        network = network_of(parameters, [activation] * 2)
        blocks = cut_blocks(parameters, network, batch_size=64, by_shard=False)
        assert sum(l == 1 for l, _, _ in blocks) == 200 // 32 + 1
