"""Random rows of files that are read in parts."""

import numpy as np
import polars as pl
import pytest

from fastdnn.cli import sampled
from fastdnn.cli.failures import Failure
from fastdnn.cli.files import source_of, whole_table
from fastdnn.cli.sampled import sample_of
from tests.cli.tables import N_ROWS, failing, table, write

BOTH = pytest.mark.parametrize("ending", [".csv", ".parquet"])


@BOTH
def test_of_few_rows_all_are_taken(tmp_path, ending):
    source = source_of(write(table(), tmp_path / f"table{ending}"))
    sample = sample_of(source, N_ROWS, 0, ["zip"])
    assert sample.n_rows == N_ROWS
    assert sample.frame.equals(whole_table(source, ["zip"]))


@BOTH
@pytest.mark.parametrize("rows_at_once", [7, 100, 1000])
def test_rows_of_the_file_in_their_order(tmp_path, ending, rows_at_once, monkeypatch):
    frame = table().with_row_index("row")
    source = source_of(write(frame, tmp_path / f"table{ending}"))
    expected = sample_of(source, 50, 3)
    monkeypatch.setattr(sampled, "_ROWS_AT_ONCE", rows_at_once)
    drawn, n_rows = sample_of(source, 50, 3)
    assert (drawn.height, n_rows) == (50, N_ROWS)
    assert drawn.equals(expected.frame)
    rows = drawn["row"].to_numpy()
    assert (np.diff(rows.astype(int)) > 0).all()
    assert drawn.equals(whole_table(source)[rows.tolist()])
    assert not drawn.equals(sample_of(source, 50, 4).frame)


def test_each_row_is_taken_as_often_as_any_other(tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "_ROWS_AT_ONCE", 9)
    path = write(pl.DataFrame({"row": range(30), "x": range(30)}), tmp_path / "table.csv")
    counts = np.zeros(30)
    for seed in range(400):
        counts[sample_of(source_of(path), 6, seed).frame["row"].to_numpy()] += 1
    # Five standard deviations of a count of 400 that has one of five.
    assert np.abs(counts - 80).max() < 5 * np.sqrt(400 * 0.2 * 0.8)


def test_columns_have_the_types_that_all_drawn_rows_agree_with(tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "_ROWS_AT_ONCE", 2)
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n1,2\n3,4\n0.5,x\n7,8")
    frame = sample_of(source_of(str(path)), 4, 0).frame
    assert frame.dtypes == [pl.Float64, pl.String]
    assert frame["a"].to_list() == [1.0, 3.0, 0.5, 7.0]


@BOTH
def test_a_file_without_rows(tmp_path, ending):
    path = write(table()[:0], tmp_path / f"table{ending}")
    with pytest.raises(Failure, match="the table has no rows"):
        sample_of(source_of(path), 5, 0)


@pytest.mark.slow_without_jit
def test_training_on_some_rows(tmp_path, capsys):
    from fastdnn.cli.main import run

    path = write(table(), tmp_path / "table.csv")
    given = ["train", path, "--target", "amount", "--output", str(tmp_path / "model")]
    given += ["--epochs", "2", "--members", "1", "--threads", "1", "--quiet"]
    assert run([*given, "--rows", "100"]) == 0
    said = capsys.readouterr().out
    assert "100 of 240 rows are taken." in said
    assert "80 rows to train on, 20 to test" in said


def test_rows_that_are_no_count(tmp_path, capsys):
    path = tmp_path / "none.csv"
    assert "no such file" in failing(
        capsys, "train", str(path), "--target", "a", "--output", "b", "--rows", "5"
    )
