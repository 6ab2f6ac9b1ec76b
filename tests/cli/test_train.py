"""Models are trained, reported on and used from the command line."""

import csv
import io
import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import fastdnn
from fastdnn.cli.main import run
from tests.cli.tables import N_ROWS, failing, table, write

slow = pytest.mark.slow_without_jit
SHORT = ["--epochs", "4", "--members", "1", "--threads", "1", "--quiet"]


def trained(folder, target, *options, ending=".csv"):
    """Train on the table in a folder; return the paths of table and model."""
    data, model = write(table(), folder / f"table{ending}"), str(folder / "model.safetensors")
    others = ["--drop", "amount" if target == "label" else "label"]
    given = ["train", data, "--target", target, "--output", model, *others, *SHORT, *options]
    assert run(given) == 0
    return data, model


def predictions(capsys, *arguments):
    """Return the table that is printed."""
    capsys.readouterr()
    assert run(["predict", *arguments]) == 0
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    return header, np.array(rows)


@slow
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_classes(tmp_path, capsys, ending):
    data, path = trained(tmp_path, "label", "--categorical", "zip", ending=ending)
    said = capsys.readouterr().out
    assert "192 rows to train on, 48 to test, 6 columns; 'label' is a class." in said
    model = fastdnn.load(path)
    frame = table().drop("amount")
    header, rows = predictions(capsys, path, data, "--probabilities", "--rows", "37")
    assert header == ["prediction", "probability_no", "probability_yes"]
    assert rows[:, 0].tolist() == model.predict(frame.drop("label")).tolist()
    P = rows[:, 1:].astype(float)
    np.testing.assert_array_equal(P, model.predict_proba(frame.drop("label")))
    # Zip codes are categories, in parts as well.
    assert any(name.startswith("zip_0000") for name in model.encoder_.get_feature_names_out())
    accuracy = float(re.search(r"^accuracy +(\S+)", said, re.MULTILINE)[1])
    assert 0.5 < accuracy <= 1.0
    report = (tmp_path / "model.md").read_text(encoding="utf-8")
    assert f"| accuracy | {accuracy:.4g} |" in report
    assert "| yes |" in report
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")


@slow
def test_numbers(tmp_path, capsys):
    report = tmp_path / "said.md"
    data, path = trained(tmp_path, "amount", "--report", str(report), "--test", "0.5")
    said = capsys.readouterr().out
    assert "120 rows to train on, 120 to test, 6 columns; 'amount' is a number." in said
    header, rows = predictions(capsys, path, data)
    assert header == ["prediction"]
    frame = table().drop("amount", "label")
    frame = frame.with_columns(pl.col("zip").cast(pl.Int64))  # as they look in CSV
    expected = fastdnn.load(path).predict(frame)
    np.testing.assert_array_equal(rows[:, 0].astype(float), expected)
    assert "| R2 |" in report.read_text(encoding="utf-8")
    assert (tmp_path / "said.png").exists()


@slow
def test_what_a_target_is(tmp_path, capsys):
    frame = table().with_columns(few=pl.Series(np.arange(N_ROWS) % 3))
    data, path = write(frame, tmp_path / "table.csv"), str(tmp_path / "model")
    given = ["train", data, "--output", path, *SHORT, "--test", "0", "--epochs", "1"]
    for target, options, kind in (
        ("few", [], "a class"),
        ("few", ["--task", "regression"], "a number"),
        ("flag", [], "a class"),
        ("size", [], "a number"),
    ):
        assert run([*given, "--target", target, *options]) == 0
        said = capsys.readouterr().out
        assert f"{target!r} is {kind}." in said
        assert "accuracy" not in said
    assert not (tmp_path / "model.md").exists()


@slow
def test_rows_without_a_target_are_left_out(tmp_path, capsys):
    frame = table().with_columns(
        pl.when(pl.arange(N_ROWS) < 40).then(None).otherwise(pl.col("label")).alias("label")
    )
    data = write(frame, tmp_path / "table.csv")
    given = ["train", data, "--target", "label", "--output", str(tmp_path / "m"), *SHORT]
    assert run(given) == 0
    assert "40 rows without 'label' are left out." in capsys.readouterr().out


@slow
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_parts_whose_columns_are_empty(tmp_path, ending):
    frame = table()
    for name, period in (("day", 7), ("colour", 5), ("flag", 11), ("size", 3)):
        is_missing = pl.arange(N_ROWS) % period == 0
        frame = frame.with_columns(pl.when(~is_missing).then(pl.col(name)).alias(name))
    data, model = write(frame, tmp_path / f"table{ending}"), str(tmp_path / "model")
    given = ["train", data, "--target", "amount", "--output", model, *SHORT]
    assert run([*given, "--categorical", "zip"]) == 0
    found = []
    for rows in ("1", "1000"):
        output = tmp_path / f"{rows}.csv"
        assert run(["predict", model, data, "--rows", rows, "--output", str(output)]) == 0
        found.append(output.read_text())
    assert found[0] == found[1]


@slow
@pytest.mark.parametrize("name", ["$\\frac{", "a$b$c_{", "x_1 (%)"])
def test_names_that_look_like_formulas(tmp_path, name):
    frame = table().with_columns((pl.lit("$") + pl.col("label") + "$\\x").alias(name))
    data, model = write(frame, tmp_path / "table.csv"), tmp_path / "model"
    given = ["train", data, "--output", str(model), *SHORT, "--epochs", "1", "--target"]
    assert run([*given, name]) == 0
    assert model.with_suffix(".png").exists()
    frame = table().rename({"amount": name})
    write(frame, tmp_path / "table.csv")
    assert run([*given, name]) == 0


def test_other_separators_and_targets_that_are_nan(tmp_path, capsys):
    frame = table().with_columns(
        pl.when(pl.arange(N_ROWS) < 9).then(np.nan).otherwise(pl.col("amount")).alias("amount")
    )
    path, model = tmp_path / "table.csv", str(tmp_path / "model")
    frame.write_csv(path, separator=";")
    given = [
        "train",
        str(path),
        "--target",
        "amount",
        "--output",
        model,
        *SHORT,
        "--epochs",
        "1",
    ]
    assert run([*given, "--separator", ";"]) == 0
    assert "9 rows without 'amount' are left out." in capsys.readouterr().out
    _, rows = predictions(capsys, model, str(path), "--separator", ";", "--rows", "100")
    assert len(rows) == N_ROWS
    assert "Give --separator if its columns are" in failing(capsys, *given)
    assert "one character" in failing(capsys, *given, "--separator", "ab")
    write(frame, tmp_path / "table.parquet")
    given[1] = str(tmp_path / "table.parquet")
    assert run(given) == 0
    assert "9 rows without 'amount' are left out." in capsys.readouterr().out


@slow
def test_a_file_of_predictions_is_there_as_a_whole_or_not(tmp_path, capsys):
    data, path = trained(tmp_path, "label")
    output = tmp_path / "predictions.csv"
    assert run(["predict", path, data, "--output", str(output)]) == 0
    assert len(output.read_text().splitlines()) == N_ROWS + 1
    output.unlink()
    frame = table().with_columns(pl.col("size").cast(pl.String))
    frame[200, "size"] = "large"
    wrong = write(frame, tmp_path / "wrong.csv")
    capsys.readouterr()
    said = failing(capsys, "predict", path, wrong, "--output", str(output), "--rows", "60")
    assert "wrong.csv, rows 181 to 240: Column 'size'" in said
    assert not output.exists()
    assert not list(tmp_path.glob("*.part"))


def test_models_of_arrays_and_several_outputs(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    labels = (np.column_stack([X[:, 0], X.sum(axis=1)]) > 0).astype(int)
    options = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "max_iter": 5, "random_state": 0}
    path = tmp_path / "model.safetensors"
    data = write(pl.DataFrame(X, schema=["a", "b"], orient="row"), tmp_path / "X.csv")
    model = fastdnn.DNNClassifier(**options).fit(X, labels)
    model.save(path)
    header, rows = predictions(capsys, str(path), data, "--probabilities")
    assert header == ["prediction_0", "prediction_1", "probability_0", "probability_1"]
    assert (rows[:, :2].astype(int) == model.predict(X)).all()
    np.testing.assert_array_equal(rows[:, 2:].astype(float), model.predict_proba(X))
    fastdnn.DNNClassifier(loss="hinge", **options).fit(X, labels[:, 0]).save(path)
    said = failing(capsys, "predict", str(path), data, "--probabilities")
    assert "has no probabilities" in said
    other = write(pl.DataFrame(X[:, :1], schema=["a"], orient="row"), tmp_path / "other.csv")
    assert "has 1 columns, but the model was fitted on 2" in failing(
        capsys, "predict", str(path), other
    )


@slow
def test_the_page_is_true(tmp_path, monkeypatch, capsys):
    page = Path(__file__).parents[2] / "scripts" / "docs" / "command_line.md"
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, str(page), "exec"), {})
    [commands] = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    for command in commands.splitlines():
        assert run(shlex.split(command)[1:] + (SHORT if " train " in command else [])) == 0
    assert len((tmp_path / "predicted.csv").read_text().splitlines()) == 601
    assert "TabularDNNRegressor" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        *("houses.csv", "prices.safetensors", "prices.md", "prices.png", "predicted.csv"),
    }


# -- what is wrong --------------------------------------------------------------------------


def test_wrong_arguments(tmp_path, capsys):
    data = write(table().with_columns(one=pl.lit(1)), tmp_path / "table.csv")
    train = ["train", data, "--output", str(tmp_path / "model"), "--target"]
    assert "there is no column 'lable'. It has 'size'" in failing(capsys, *train, "lable")
    assert "there is no column 'x'" in failing(capsys, *train, "label", "--drop", "x")
    assert "that is the target" in failing(capsys, *train, "label", "--drop", "label")
    assert "one value in all rows" in failing(capsys, *train, "one")
    wrong = failing(capsys, *train, "label", "--task", "regression")
    assert "--task regression needs numbers" in wrong
    others = [name for name in table().columns if name != "label"]
    assert "no column to predict" in failing(capsys, *train, "label", "--drop", *others, "one")
    nowhere = str(tmp_path / "none" / "model")
    given = ["train", data, "--target", "label", "--output", nowhere]
    assert "there is no folder" in failing(capsys, *given)
    given = ["train", data, "--target", "label", "--output", str(tmp_path / "model.md")]
    assert "would overwrite the model" in failing(capsys, *given)


@slow
def test_wrong_models_and_tables(tmp_path, capsys):
    data, path = trained(tmp_path, "label")
    capsys.readouterr()
    assert "there is no such file" in failing(capsys, "predict", "none", data)
    assert "there is no such file" in failing(capsys, "predict", path, "none.csv")
    assert "Cannot load" in failing(capsys, "predict", data, data)
    other = write(table().drop("size", "age"), tmp_path / "other.csv")
    said = failing(capsys, "predict", path, other)
    assert "there is no column 'size', 'age', which the model was fitted on" in said
    assert "--rows 0" in failing(capsys, "predict", path, data, "--rows", "0")


@pytest.mark.parametrize(
    "arguments",
    [[], ["trane"], ["train"], ["predict", "model"], ["bench", "--seconds", "long"]],
    ids=" ".join,
)
def test_arguments_that_are_none(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        run(arguments)
    assert end.value.code == 2
    assert "usage: fastdnn" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["1", "-0.1", "x"])
def test_shares_that_are_none(share, capsys):
    with pytest.raises(SystemExit) as end:
        run(["train", "t.csv", "--target", "y", "--output", "m", "--test", share])
    assert end.value.code == 2
