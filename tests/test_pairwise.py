"""The covering of cross products that decides which tests run."""

from itertools import combinations, product
from types import SimpleNamespace

import pytest

from tests.pairwise import is_drawn, pairwise


@pytest.mark.parametrize("sizes", [(3,), (4, 5), (2, 2, 2), (4, 13, 4, 2), (2, 2, 3, 3, 7)])
def test_every_pair_of_a_cross_product_is_in_a_row_that_is_drawn(sizes):
    rows = tuple(product(*(range(100 * n, 100 * n + size) for n, size in enumerate(sizes))))
    drawn = pairwise(rows)
    assert drawn <= set(rows)
    for m, n in combinations(range(len(sizes)), 2):
        assert len({(row[m], row[n]) for row in drawn}) == sizes[m] * sizes[n]
    # No fewer could do; half as many again are enough.
    largest = sorted(sizes)[-2:]
    fewest = largest[0] * largest[-1] if len(sizes) > 1 else sizes[0]
    assert fewest <= len(drawn) <= 1.5 * fewest


def test_pairs_that_no_row_has_are_not_asked_for():
    rows = (("a", 1), ("a", 2), ("b", 1))
    assert pairwise(rows) == set(rows)
    one_factor = (("x", "y", 1), ("x", "y", 2), ("x", "z", 1))
    assert pairwise(one_factor) == set(one_factor)


def items_of(*parametrizations):
    """Yield what pytest makes of a test with these parametrizations."""
    marks = [pytest.mark.parametrize(names, rows).mark for names, rows in parametrizations]
    for chosen in product(*(rows for _, rows in parametrizations)):
        params = {}
        for names, row in zip((names for names, _ in parametrizations), chosen, strict=True):
            values = getattr(row, "values", row if len(names) > 1 else [row])
            params |= dict(zip(names, values, strict=True))
        yield SimpleNamespace(
            callspec=SimpleNamespace(params=params), iter_markers=lambda name: iter(marks)
        )


def test_rows_are_drawn_by_the_values_of_each_name():
    lists = [[n] for n in range(4)]  # which have no hash
    columns = [(m, each) for m in range(3) for each in lists]
    rows = [(n, names) for n in range(2) for names in ("x", "y")]
    items = list(items_of((["a", "b"], columns), (["c", "d"], rows)))
    assert len(items) == 48
    drawn = [item.callspec.params for item in items if is_drawn(item, item.callspec.params)]
    assert 12 <= len(drawn) <= 16
    for one, other in combinations("abcd", 2):
        pairs = {(str(row[one]), str(row[other])) for row in drawn}
        assert pairs == {
            (str(item.callspec.params[one]), str(item.callspec.params[other]))
            for item in items
        }


def test_rows_that_are_exhaustive_cover_nothing():
    rows = [1, pytest.param(2, marks=pytest.mark.exhaustive), 3]
    items = list(items_of((["a"], rows), (["b"], ["x", "y"])))
    drawn = [
        tuple(item.callspec.params.values())
        for item in items
        if is_drawn(item, item.callspec.params)
    ]
    assert (1, "x") in drawn
    assert (3, "y") in drawn
    assert len(drawn) == 4
