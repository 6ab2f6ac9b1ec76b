"""Tables are read whole and in parts, and both are the same."""

import polars as pl
import pytest

from fastdnn.cli.failures import Failure
from fastdnn.cli.files import columns_of, parts_of, source_of, whole_table
from tests.cli.tables import N_ROWS, table, write


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("n_rows", [1, 7, N_ROWS, 10_000])
def test_parts_are_the_whole(tmp_path, ending, n_rows):
    frame = table()
    source = source_of(write(frame, tmp_path / f"table{ending}"))
    assert columns_of(source) == frame.columns
    whole = whole_table(source, ["zip"])
    assert whole.equals(frame)
    parts = list(parts_of(source, n_rows, ["zip"]))
    assert [part.height for part in parts[:-1]] == [n_rows] * (len(parts) - 1)
    assert sum(part.height for part in parts) == N_ROWS
    if n_rows > 1:  # of a part without numbers there is no type
        assert pl.concat(parts).equals(frame)


def test_numbers_that_are_texts(tmp_path):
    frame = pl.DataFrame({"code": [7, 8], "x": [1.0, 2.0]})
    for ending in (".csv", ".parquet"):
        source = source_of(write(frame, tmp_path / f"table{ending}"))
        assert whole_table(source)["code"].to_list() == [7, 8]
        assert whole_table(source, ["code"])["code"].to_list() == ["7", "8"]
        [part] = parts_of(source, 5, ["code"])
        assert part["code"].to_list() == ["7", "8"]


def test_missing_values_and_tabs(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("a\tb\n1\tNA\n\tx\n\nNaN\t\n", encoding="utf-8")
    source = source_of(str(path))
    for frame in (whole_table(source), *parts_of(source, 10)):
        assert frame["a"].to_list()[:2] == [1, None]
        assert frame["b"].to_list()[:2] == [None, "x"]


def test_a_byte_order_mark_and_windows_lines(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b'\xef\xbb\xbfa,b\r\n1,"x\r\ny"\r\n2,z\r\n')
    source = source_of(str(path))
    assert columns_of(source) == ["a", "b"]
    parts = list(parts_of(source, 1))
    assert [part.rows() for part in parts] == [[(1, "x\r\ny")], [(2, "z")]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.txt", b"a\n1\n", r"must end in one of .csv, .tsv, .parquet, .pq"),
        ("table.csv", b"a,b\n", "has no rows"),
        ("table.csv", b"", "no readable CSV"),
        ("table.csv", b"a,b\n1,2,3\n", "no readable CSV"),
        ("table.parquet", b"a,b\n1,2\n", "no readable Parquet"),
    ],
)
def test_wrong_files(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Failure, match=message):
        whole_table(source_of(str(path)))
    with pytest.raises(Failure, match="no such file"):
        source_of(str(tmp_path / "other.csv"))


def test_without_polars(tmp_path, monkeypatch):
    source = source_of(write(table(), tmp_path / "table.csv"))
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(Failure, match=r"pip install 'fastdnn\[cli\]'"):
        whole_table(source)
