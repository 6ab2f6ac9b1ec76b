"""Views into flat buffers: where they look, and that they share memory."""

import numba
import numpy as np
import pytest

from fastdnn.compiler.jit import BOUNDS_CHECKED, JIT_ENABLED
from fastdnn.machine import views

DTYPES = [np.float32, np.float64, np.int64]


@numba.njit
def copy_vector(buffer, start, length):
    return views.vector(buffer, start, length).copy()


@numba.njit
def copy_vector_at(like, address, start, length):
    return views.vector_at(like, address, start, length).copy()


@numba.njit
def copy_matrix_at(like, address, start, n_rows, n_columns):
    return views.matrix_at(like, address, start, n_rows, n_columns).copy()


@numba.njit
def require_within(start, count, size):
    views.require_within(start, count, size)


@numba.njit
def write_vector(buffer, start, values):
    view = views.vector(buffer, start, values.size)
    for i in range(values.size):
        view[i] = values[i]


@numba.njit
def write_matrix_at(address, start, values):
    view = views.matrix_at(0.0, address, start, values.shape[0], values.shape[1])
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            view[i, j] = values[i, j]


@numba.njit
def size_of_slices(address, start, n_rows, n_columns):
    view = views.matrix_at(0.0, address, start, n_rows, n_columns)
    return view.size, view[1:].size, view[0].sum()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("start", "length"), [(0, 12), (0, 1), (5, 3), (11, 1), (4, 0)])
def test_vector_views_a_stretch(start, length, dtype):
    buffer = np.arange(12, dtype=dtype)
    view = copy_vector(buffer, start, length)
    assert view.dtype == dtype
    np.testing.assert_array_equal(view, buffer[start : start + length])


@pytest.mark.parametrize("dtype", [*DTYPES, np.int32])
@pytest.mark.parametrize(("start", "length"), [(0, 12), (5, 3), (11, 1), (4, 0)])
def test_vector_at_an_address(start, length, dtype):
    buffer = np.arange(12, dtype=dtype)
    view = copy_vector_at(dtype(0), buffer.ctypes.data, start, length)
    assert view.dtype == dtype
    np.testing.assert_array_equal(view, buffer[start : start + length])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("start", "shape"), [(0, (3, 4)), (5, (1, 7)), (2, (5, 2))])
def test_matrix_at_an_address(start, shape, dtype):
    buffer = np.arange(12, dtype=dtype)
    view = copy_matrix_at(dtype(0), buffer.ctypes.data, start, *shape)
    assert view.dtype == dtype
    expected = buffer[start : start + shape[0] * shape[1]].reshape(shape)
    np.testing.assert_array_equal(view, expected)


def test_buffer_may_have_any_dimension():
    buffer = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(copy_vector(buffer, 10, 4), np.arange(10.0, 14.0))


def test_vector_writes_into_the_buffer_and_nowhere_else():
    buffer = np.zeros(6)
    write_vector(buffer, 2, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(buffer, [0, 0, 1, 2, 3, 0])


def test_matrix_writes_into_the_memory_and_nowhere_else():
    buffer = np.zeros(6)
    write_matrix_at(buffer.ctypes.data, 1, np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(buffer, [0, 1, 2, 3, 4, 0])


def test_view_can_be_sliced_like_any_array():
    buffer = np.arange(12.0)
    expected = (9, 6, 2.0 + 3.0 + 4.0)
    assert size_of_slices(buffer.ctypes.data, 2, 3, 3) == expected


def test_empty_vector_may_start_anywhere():
    assert copy_vector(np.zeros(0), 0, 0).size == 0
    assert copy_vector(np.zeros(3), 3, 0).size == 0


@pytest.mark.skipif(
    JIT_ENABLED and not BOUNDS_CHECKED, reason="views are checked without JIT only"
)
@pytest.mark.parametrize(("start", "length"), [(-1, 2), (3, -1), (4, 3), (7, 1)])
def test_view_outside_its_buffer_is_refused_when_checked(start, length):
    buffer = np.zeros(6)
    with pytest.raises(IndexError, match="outside its buffer"):
        copy_vector(buffer, start, length)
    with pytest.raises(IndexError, match="outside its buffer"):
        require_within(start, length, buffer.size)


def test_nothing_lies_within_any_buffer():
    require_within(99, 0, 6)
    require_within(0, 6, 6)
