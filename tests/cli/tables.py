"""A table in files, and commands that are run in this process."""

import numpy as np
import polars as pl

from fastdnn.cli.main import run

N_ROWS = 240


def table():
    """Return columns of all kinds, and targets of both."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "size": rng.normal(size=N_ROWS),
            "colour": rng.choice(["red", "dark, blue", 'so "green"', "two\nlines"], N_ROWS),
            "age": np.where(rng.random(N_ROWS) < 0.1, np.nan, rng.exponential(size=N_ROWS)),
            "zip": [f"{i:05d}" for i in rng.integers(0, 9, N_ROWS)],
            "flag": rng.random(N_ROWS) > 0.5,
            "day": np.datetime64("2024-01-01") + rng.integers(0, 400, N_ROWS),
        }
    )
    frame = frame.with_columns(pl.col("age").fill_nan(None), pl.col("day").cast(pl.Date))
    label = pl.when(pl.col("size") > 0.0).then(pl.lit("yes")).otherwise(pl.lit("no"))
    return frame.with_columns(label=label, amount=pl.col("size") * 3.0 + 7.0)


def write(frame, path):
    """Write a table as what the name of a file says."""
    write_as = frame.write_parquet if path.suffix == ".parquet" else frame.write_csv
    write_as(path)
    return str(path)


def failing(capsys, *arguments):
    """Run a command that fails with a message; return that."""
    assert run(list(arguments)) == 1
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith("fastdnn: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("fastdnn: ").strip()
