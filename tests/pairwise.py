"""Which rows of a cross product are enough to see every two of its values together."""

from functools import cache
from heapq import heapify, heappop, heappush
from itertools import combinations, product

import pytest

_ParameterSet = type(pytest.param())


@cache
def pairwise(rows):
    """Return some of the rows, tuples of as many values each, with all pairs of all rows."""
    new = [frozenset(combinations(enumerate(row), min(2, len(row)))) for row in rows]
    left, chosen = frozenset().union(*new), set()
    # What each would add when it was last looked at: it adds no more than that later.
    queue = [(-len(pairs), n) for n, pairs in enumerate(new)]
    heapify(queue)
    while left:
        # The first of those that add most.
        known, n = heappop(queue)
        adds = len(new[n] & left)
        if adds == -known:
            left -= new[n]
            chosen.add(rows[n])
        else:
            heappush(queue, (-adds, n))
    return frozenset(chosen)


def is_drawn(item, given):
    """Whether a test with the parameters given is one of those that cover all pairs of values.

    It follows from the parametrizations alone, so it is the same in any selection of tests.
    """
    marks = tuple(item.iter_markers("parametrize"))
    key = tuple(map(id, marks))
    if key not in _KNOWN:
        factors = tuple(tuple(_rows(*mark.args)) for mark in marks)
        names = [name for rows in factors for name, _ in rows[0]]
        _KNOWN[key] = marks, names, _drawn(factors)
    _, names, drawn = _KNOWN[key]
    return _by_name((name, _identity(given[name])) for name in names) in drawn


#: By the identities of its parametrizations: these, the names, and what is drawn of a test.
_KNOWN: dict = {}


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
