"""How many rows a tile has, in Python and in compiled code."""

import numba
import pytest

from fastdnn.machine.processor import tile_rows, tile_rows_here


@pytest.mark.needs_jit
def test_plans_and_kernels_agree_on_the_rows_of_a_tile():
    @numba.njit
    def rows():
        return tile_rows_here()

    assert rows() == tile_rows()
    assert tile_rows() in (4, 8)
