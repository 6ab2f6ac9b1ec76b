"""Streams of Parquet and Arrow files, by pyarrow."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.training import Stream, StreamError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
feather = pytest.importorskip("pyarrow.feather")
dataset = pytest.importorskip("pyarrow.dataset")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((301, 3))
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
SMALL = {
    **{"hidden_layer_sizes": (4,), "random_state": 0, "batch_size": 32, "max_iter": 2},
    "shuffle": False,
}


def table(rows=slice(None), **columns):
    given = {name: X[rows, j] for j, name in enumerate("abc")} | {"label": Y[rows]}
    return pa.table(given | columns)


def fitted(stream, model=None):
    return (model or DNNClassifier(**SMALL)).fit(stream)


@pytest.fixture(scope="module")
def in_memory():
    return DNNClassifier(**SMALL).fit(X, Y)


@pytest.fixture
def files(tmp_path):
    for number, rows in enumerate((slice(0, 200), slice(200, 301))):
        parquet.write_table(table(rows), tmp_path / f"{number}.parquet", row_group_size=60)
    feather.write_feather(table(), tmp_path / "all.feather", chunksize=60)
    return tmp_path


def test_all_kinds_of_files_give_the_same_rows(files, in_memory):
    paths = [files / "0.parquet", str(files / "1.parquet")]
    for source in (
        paths,
        dataset.dataset([str(path) for path in paths]),
        files / "all.feather",
        dataset.dataset(files / "all.feather", format="ipc"),
    ):
        model = fitted(Stream(source, target="label", block_rows=96))
        assert model.loss_curve_ == in_memory.loss_curve_
        assert_array_equal(model.coefs_[0], in_memory.coefs_[0])
        assert_array_equal(model.feature_names_in_, ["a", "b", "c"])
        assert_array_equal(model.classes_, [0, 1, 2])
    assert_array_equal(model.predict(table().drop_columns("label").to_pandas()).shape, 301)


@pytest.mark.parametrize("name", ["_MAKES_ROWS", "_GROUP_BYTES"])
def test_large_row_groups_and_old_versions_give_the_same_rows(
    name, files, in_memory, monkeypatch
):
    monkeypatch.setattr(f"fastdnn.data.arrow_files.{name}", 10**9 if name[1] == "M" else 0)
    paths = [files / "0.parquet", files / "1.parquet"]
    model = fitted(Stream(paths, target="label", block_rows=96))
    assert_array_equal(model.coefs_[0], in_memory.coefs_[0])


def test_a_folder_is_its_parquet_files(files, in_memory):
    (files / "all.feather").unlink()
    model = fitted(Stream(files, target="label", block_rows=96))
    assert model.loss_curve_ == in_memory.loss_curve_


def test_row_groups_are_read_in_another_order_each_epoch(files):
    paths = [files / "0.parquet", files / "1.parquet"]
    model = DNNClassifier(**SMALL | {"shuffle": True})
    first = fitted(Stream(paths, target="label", block_rows=96), model).coefs_[0]
    assert_array_equal(
        first, fitted(Stream(paths, target="label", block_rows=96), model).coefs_[0]
    )
    assert (first != fitted(Stream(paths, target="label"), model).coefs_[0]).any()


def test_columns_of_several_types(tmp_path):
    wide = table(
        n=np.arange(301), flag=X[:, 0] > 1, single=X[:, 1].astype(np.float32), t=-X[:, 2]
    )
    parquet.write_table(wide, tmp_path / "a.parquet")
    stream = Stream(
        tmp_path / "a.parquet",
        target=["t", "c"],
        columns=["flag", "n", "single"],
        block_rows=96,
        transform=lambda rows: rows / [1, 300, 1],
    )
    model = fitted(stream, DNNRegressor(**SMALL))
    rows = np.column_stack([X[:, 0] > 1, np.arange(301) / 300, X[:, 1].astype(np.float32)])
    in_memory = DNNRegressor(**SMALL).fit(rows, np.column_stack([-X[:, 2], X[:, 2]]))
    assert model.loss_curve_ == in_memory.loss_curve_
    assert not hasattr(model, "feature_names_in_")


def test_an_empty_row_group_is_passed_over(tmp_path, in_memory):
    with parquet.ParquetWriter(tmp_path / "a.parquet", table().schema) as writer:
        writer.write_table(table(slice(0, 0)))
        writer.write_table(table())
    model = fitted(Stream(tmp_path / "a.parquet", target="label", block_rows=96))
    assert model.loss_curve_ == in_memory.loss_curve_


# -- refused ----------------------------------------------------------------------------------

LABELS = {"label": Y}
WRONG = {
    "no such target": ({}, {"target": "class"}, "has no column 'class'"),
    "no such column": ({}, {"target": "label", "columns": ["a", "z"]}, "has no column 'z'"),
    "text": ({"d": ["x"] * 301}, {"target": "label"}, "Column 'd' of .* is string"),
    "missing labels": ({"label": [None, *Y[1:]]}, {"target": "label"}, "missing in 1 rows"),
    "numbers": ({}, {"target": "a"}, "is no class"),
    "missing numbers": (
        {"a": [*X[:-1, 0], None]},
        {"target": "label"},
        "X has nan in column 0",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_cannot_be_trained_on(name, tmp_path):
    columns, options, message = WRONG[name]
    parquet.write_table(table(**columns), tmp_path / "a.parquet", row_group_size=100)
    with pytest.raises(StreamError, match=message):
        fitted(Stream(tmp_path / "a.parquet", block_rows=96, **options))


def test_files_that_differ(tmp_path):
    parquet.write_table(table(), tmp_path / "a.parquet")
    parquet.write_table(table(label=Y.astype(float)), tmp_path / "b.parquet")
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    with pytest.raises(StreamError, match=r"'label' of .*b.parquet is double, but .* int64"):
        fitted(Stream(paths, target="label"))
    parquet.write_table(table().drop_columns("c"), tmp_path / "b.parquet")
    with pytest.raises(StreamError, match=r"b.parquet has no column 'c'"):
        fitted(Stream(paths, target="label"))


def test_what_is_no_such_file(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"nothing of the kind" * 10)
    (tmp_path / "a.arrow").write_bytes(b"nothing of the kind" * 10)
    for name, kind in (("a.parquet", "Parquet"), ("a.arrow", "Arrow")):
        with pytest.raises(StreamError, match=f"cannot be read as a {kind} file"):
            fitted(Stream(tmp_path / name, target="label"))
    with pytest.raises(StreamError, match="There is no file"):
        fitted(Stream(tmp_path / "b.parquet", target="label"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(StreamError, match="has no files"):
        fitted(Stream(tmp_path / "empty", target="label"))
    (tmp_path / "a.csv").write_text("a,label\n1,2\n")
    with pytest.raises(StreamError, match="A dataset of csv"):
        fitted(Stream(dataset.dataset(tmp_path / "a.csv", format="csv"), target="label"))


def test_a_dataset_with_a_filter(files):
    rows = dataset.dataset(files / "0.parquet").filter(dataset.field("a") > 0)
    with pytest.raises(StreamError, match="A filtered dataset"):
        fitted(Stream(rows, target="label"))


def test_columns_of_the_same_name(tmp_path):
    same = pa.Table.from_arrays([pa.array(X[:, 0])] * 2, names=["a", "a"])
    parquet.write_table(same, tmp_path / "a.parquet")
    with pytest.raises(StreamError, match="columns of the same name"):
        fitted(Stream(tmp_path / "a.parquet", target="a"))


def test_other_columns_in_a_later_fit(tmp_path):
    parquet.write_table(table(), tmp_path / "a.parquet")
    path, model = tmp_path / "a.parquet", DNNClassifier(**SMALL, warm_start=True)
    fitted(Stream(path, target="label"), model)
    fitted(Stream(path, target="label"), model)
    with pytest.raises(ValueError, match="are not those of the first fit"):
        fitted(Stream(path, target="label", columns=["b", "a", "c"]), model)


@pytest.mark.parametrize("how", ["replaced", "damaged"])
def test_a_file_that_changes_keeps_the_network_so_far(how, files, monkeypatch):
    path = files / "0.parquet"
    n_read = iter(range(100))
    if how == "damaged":  # and nothing shows it from outside
        monkeypatch.setattr("fastdnn.data.file_rows.FileStamp.problem", lambda self: None)

    def transform(rows):
        if next(n_read) == 9:
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 8] if how == "damaged" else content[1:])
        return rows

    model = DNNClassifier(**SMALL | {"max_iter": 20, "tol": 0})
    stream = Stream(path, target="label", block_rows=96, transform=transform)
    message = "bytes, and has .* now" if how == "replaced" else "row group .* cannot be read"
    with pytest.raises(StreamError, match=message):
        fitted(stream, model)
    assert model.predict(X).shape == (301,)


def test_without_pyarrow(monkeypatch, files):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'fastdnn\[arrow\]'"):
        fitted(Stream(files / "0.parquet", target="label"))
