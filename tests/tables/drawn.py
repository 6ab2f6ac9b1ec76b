"""Columns and tables that hypothesis draws."""

import datetime
import fractions

from hypothesis import strategies as st

N_ROWS = 40


def column_of(values):
    """Draw a column: as many values as rows, some of them missing."""
    present = st.lists(values, min_size=N_ROWS, max_size=N_ROWS)
    few = st.lists(values, min_size=1, max_size=4).flatmap(
        lambda some: st.lists(st.sampled_from(some), min_size=N_ROWS, max_size=N_ROWS)
    )
    missing = st.one_of(
        st.just([False] * N_ROWS),
        st.lists(st.booleans(), min_size=N_ROWS, max_size=N_ROWS),
    )
    return st.tuples(st.one_of(present, few), missing).map(
        lambda pair: [None if gone else v for v, gone in zip(*pair, strict=True)]
    )


FLOATS = st.floats(-1e300, 1e300)
DATES = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
STRINGS = st.text(max_size=8)
#: Columns that frames of all libraries can have.
PLAIN = {
    "float": FLOATS,
    "int": st.integers(-(2**62), 2**62),
    "bool": st.booleans(),
    "str": STRINGS,
    "date": DATES,
    "day": DATES.map(datetime.datetime.date),
    "duration": st.timedeltas(datetime.timedelta(-9000), datetime.timedelta(9000)),
}
#: Columns of Python objects, which pandas can have as well.
OBJECTS = PLAIN | {
    "zoned": DATES.map(lambda t: t.replace(tzinfo=datetime.UTC)),
    "decimal": st.decimals(-(10**9), 10**9, allow_nan=False, places=3),
    "fraction": st.integers(-99, 99).map(lambda i: fractions.Fraction(i, 7)),
    "time": st.times(),
    "mixed": st.one_of(STRINGS, st.integers(-3, 3), st.booleans(), FLOATS),
    "bytes": st.binary(max_size=4),
}


def tables(kinds):
    """Draw the columns of a table."""
    columns = st.sampled_from(sorted(kinds)).flatmap(lambda kind: column_of(kinds[kind]))
    return st.lists(columns, min_size=1, max_size=4).map(
        lambda drawn: {f"c{j}": values for j, values in enumerate(drawn)}
    )
