"""Tables of pyarrow, and data frames whose columns are."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from fastdnn.tables import TableEncoder, TabularDNNClassifier
from tests.tables.tables import SMALL

pa = pytest.importorskip("pyarrow")

N_ROWS = 80
COLUMNS = {
    "int": ([1, 2, None, 4] * 20, pa.int64()),
    "small": ([1.5, None, 2.0, 0.0] * 20, pa.float32()),
    "decimal": ([decimal.Decimal("1.25"), None, decimal.Decimal(3), None] * 20, None),
    "good": ([True, None, False, False] * 20, pa.bool_()),
    "text": (["x", None, "y", "z"] * 20, pa.string()),
    "large": (["x", "u", "y", "z"] * 20, pa.large_string()),
    "when": ([datetime.datetime(2020, 1 + i % 12, 3, i % 24) for i in range(80)], None),
    "zoned": (
        [datetime.datetime(2020, 1 + i % 12, 5, i % 7) for i in range(80)],
        pa.timestamp("us", "Asia/Tokyo"),
    ),
    "day": ([None, datetime.date(2021, 2, 3)] * 40, None),
    "lasts": ([datetime.timedelta(hours=i % 5) for i in range(80)], None),
}


def arrow():
    arrays = {name: pa.array(values, kind) for name, (values, kind) in COLUMNS.items()}
    arrays["kind"] = pa.array(["a", "b", None, "a"] * 20).dictionary_encode()
    arrays["nothing"] = pa.nulls(N_ROWS)
    return pa.table(arrays)


def frame():
    """Return the same in pandas' own types."""
    table = arrow()
    return pd.DataFrame(
        {name: pd.Series(table[name].to_pylist(), dtype=object) for name in table.column_names}
    ).assign(zoned=table["zoned"].to_pandas())


@pytest.mark.parametrize(
    "convert",
    [lambda t: t, lambda t: t.to_pandas(types_mapper=pd.ArrowDtype), lambda t: t.to_pandas()],
    ids=["table", "arrow dtypes", "pandas"],
)
def test_arrow_is_encoded_as_pandas_is(convert):
    given, plain = convert(arrow()), frame()
    encoder = TableEncoder().fit(given)
    other = TableEncoder().fit(plain)
    assert list(encoder.get_feature_names_out()) == list(other.get_feature_names_out())
    Z = encoder.transform(given)
    assert np.isfinite(Z).all()
    np.testing.assert_array_equal(other.transform(plain), Z)
    np.testing.assert_array_equal(encoder.transform(plain), Z)


@pytest.mark.slow_without_jit
def test_estimators_take_arrow():
    y = np.array(["no", "yes"])[np.arange(N_ROWS) % 4 // 2]
    model = TabularDNNClassifier(**SMALL | {"max_epochs": 60}).fit(arrow(), y)
    assert model.score(arrow(), y) > 0.8
