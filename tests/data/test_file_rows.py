"""Rows of arrays in files: read where they are wanted, and into what is there already."""

import os

import numpy as np
import pytest

from fastdnn.data import blocks
from fastdnn.data.blocks import Epoch, StreamedSamples, convert_rows
from fastdnn.data.file_rows import FileRows, RowsToRead, StreamError
from fastdnn.data.sources import ArraySource


def rows_in_file(folder, X):
    path = folder / "X.npy"
    np.save(path, X)
    return FileRows.of(np.load(path, mmap_mode="r")), path


def test_parts_of_parts_are_read_when_they_are_wanted(tmp_path):
    X = np.random.default_rng(0).standard_normal((50, 3), np.float32)
    rows, _ = rows_in_file(tmp_path, X)
    part = rows.part(10, 40)[5:][:20]
    assert (len(part), part.shape, part.ndim, part.dtype) == (20, (20, 3), 2, X.dtype)
    np.testing.assert_array_equal(np.asarray(part), X[15:35])
    out = np.zeros((25, 3), np.float32)
    part.read_into(out[2:22])
    np.testing.assert_array_equal(out[2:22], X[15:35])
    assert not out[:2].any() and not out[22:].any()


@pytest.mark.parametrize("stored", ["<f4", ">f4", "f8", "i2", "?"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_any_dtype_become_those_of_a_block(stored, dtype, tmp_path):
    X = np.random.default_rng(0).integers(0, 2, (400, 700)).astype(stored)
    rows, _ = rows_in_file(tmp_path, X)
    out = np.empty(X.shape, dtype)
    convert_rows(rows.part(0, 400), out, "the file")
    np.testing.assert_array_equal(out, X.astype(dtype))


@pytest.mark.parametrize("stored", ["float32", "float64"])
def test_what_is_not_finite_is_found_in_its_column(stored, tmp_path):
    X = np.zeros((400, 700), stored)
    X[399, 5] = np.inf
    rows, _ = rows_in_file(tmp_path, X)
    with pytest.raises(StreamError, match=r"the file: X has inf in column 5, but must hold"):
        convert_rows(rows.part(0, 400), np.empty(X.shape, np.float32), "the file")


def test_a_file_that_has_become_shorter_is_said_to_be(tmp_path):
    rows, path = rows_in_file(tmp_path, np.zeros((50, 3), np.float32))
    os.truncate(path, 128 + 12 * 20)
    part = rows.part(10, 30)
    assert isinstance(part, RowsToRead)
    with pytest.raises(StreamError, match=r"X\.npy ends within row 20: it is shorter"):
        part.read_into(np.empty((20, 3), np.float32))
    with pytest.raises(StreamError, match="ends within row 20"):
        np.asarray(part)


def test_numbers_that_were_found_finite_are_read_without_another_look(tmp_path, monkeypatch):
    X = np.random.default_rng(0).standard_normal((64, 3), np.float32)
    np.save(tmp_path / "X.npy", X)
    source = ArraySource(np.load(tmp_path / "X.npy", mmap_mode="r"), np.zeros(64))
    source.survey(lambda X, y, where: None)
    samples = StreamedSamples(
        X[:1],
        np.zeros((1, 1), np.float32),
        source=source,
        encode=lambda y, dtype: y.reshape(-1, 1).astype(dtype),
        block_rows=40,
        n_all=64,
    )
    looked = []
    monkeypatch.setattr(blocks, "require_finite", lambda rows: looked.append(len(rows)))
    for is_known in (False, True):
        epoch, block = Epoch(samples, [0], 1, is_known), samples.new_block()
        for first, last in ((0, 40), (40, 64)):
            epoch.fill(block, lambda: True, is_last=last == 64)
            np.testing.assert_array_equal(block.X[: block.n_rows], X[first:last])
        assert sum(looked) == 64
