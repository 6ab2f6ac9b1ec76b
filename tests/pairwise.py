"""Which rows of a cross product are enough to see every two of its values together."""

from functools import cache
from itertools import combinations, product

import pytest

_ParameterSet = type(pytest.param())


@cache
def pairwise(rows):
    """Return some of the rows, tuples of as many values each, with all pairs of all rows."""
    new = {row: frozenset(combinations(enumerate(row), min(2, len(row)))) for row in rows}
    left, chosen = frozenset().union(*new.values()), set()
    while left:
        # The first of those that add most.
        best = max(new, key=lambda row: len(new[row] & left))
        left -= new.pop(best)
        chosen.add(best)
    return frozenset(chosen)


def is_drawn(item):
    """Whether a test with parameters is one of those that cover the pairs of their values.

    It follows from the parametrizations alone, so it is the same in any selection of tests.
    """
    marks = item.iter_markers("parametrize")
    factors = tuple(tuple(_rows(*mark.args)) for mark in marks)
    names = [name for rows in factors for name, _ in rows[0]]
    given = item.callspec.params
    return _by_name((name, _identity(given[name])) for name in names) in _drawn(factors)


@cache
def _drawn(factors):
    return pairwise(tuple(_by_name(sum(rows, ())) for rows in product(*factors)))


def _by_name(row):
    return tuple(sorted(row, key=lambda value: value[0]))


def _rows(names, rows):
    """Return each row of a parametrization as names with values."""
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    for row in rows:
        if isinstance(row, _ParameterSet):
            if any(mark.name == "exhaustive" for mark in row.marks):
                continue
            row = row.values
        elif len(names) == 1:
            row = [row]
        yield tuple(zip(names, map(_identity, row), strict=True))


def _identity(value):
    """Return what tells a value from others: one that has no hash is itself only."""
    try:
        hash(value)
    except TypeError:
        return id(value)
    return type(value), value
