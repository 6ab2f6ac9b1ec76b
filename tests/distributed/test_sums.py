"""Sums of parts do not depend on who adds them up."""

import numpy as np

from fastdnn.distributed.rounds import Part
from fastdnn.distributed.sums import FAN_IN, added_up, sum_of_means, sum_of_sums


def parts_of(values):
    return [Part((np.float32([v]),), v, w, 1) for w, v in enumerate(values, 1)]


def test_means_are_weighted():
    total = sum_of_means(parts_of([2.0, 5.0]))
    assert total.vectors[0].tolist() == [12.0]  # 1 * 2 + 2 * 5
    assert (total.loss, total.weight, total.n_rows) == (7.0, 3.0, 2)
    assert total.vectors[0].dtype == np.float64


def test_sums_are_not():
    assert sum_of_sums(parts_of([2.0, 5.0])).vectors[0].tolist() == [7.0]


def test_groups_are_added_up_as_their_parts_are():
    n = 3 * FAN_IN + 1
    groups = []

    def call(add, group):
        groups.append((add, len(group)))
        return add(group)

    total = added_up(parts_of(range(n)), sum_of_means, call)
    assert total.vectors[0].tolist() == [sum(w * (w - 1) for w in range(1, n + 1))]
    assert groups == [(sum_of_means, FAN_IN)] * 3 + [(sum_of_means, 1), (sum_of_sums, 4)]
