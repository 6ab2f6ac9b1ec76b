"""Shards are shared out among workers, and move as little as can be."""

import pytest

from fastdnn.distributed.places import placed


def test_each_has_his_share():
    assert placed([None] * 6, {"a": 1, "b": 2}) == ["a", "a", "b", "b", "b", "b"]


def test_shards_stay_where_they_are():
    assert placed(["b", "a", "b", "a"], {"a": 1, "b": 1}) == ["b", "a", "b", "a"]


def test_one_that_joins_gets_some():
    places = placed(["a", "a", "b", "b"], {"a": 1, "b": 1, "c": 1})
    assert sorted(set(places)) == ["a", "b", "c"]
    moved = [i for i, (old, new) in enumerate(zip("aabb", places, strict=True)) if old != new]
    assert len(moved) == 1


def test_those_of_one_that_is_gone_go_to_others():
    places = placed(["a", "gone", "b", "gone"], {"a": 1, "b": 1})
    assert places == ["a", "a", "b", "b"]


@pytest.mark.parametrize("n_shards", [1, 2, 3, 7])
@pytest.mark.parametrize("threads", [[1], [1, 1, 1], [3, 1], [2, 5, 1]])
def test_all_are_placed(n_shards, threads):
    workers = {f"w{i}": n for i, n in enumerate(threads)}
    places = placed([None] * n_shards, workers)
    assert len(places) == n_shards
    for name, n in workers.items():
        share = n_shards * n / sum(threads)
        assert abs(places.count(name) - share) < 1
