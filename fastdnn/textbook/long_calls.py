"""How long steps are divided when Python calls them, so that an interrupt comes in between.

A part takes about a tenth of a second. Most steps are one part, which costs next to nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any

# Multiplications of a part of a product.
_PRODUCTS_OF_PART = 2**31
# What else is done with each number that goes in or comes out takes as long as so many.
_PRODUCTS_PER_NUMBER = 64
# With fewer rows, libraries mostly rearrange the weights. Gradients add up one part a time.
_FEWEST_ROWS = 64
# Numbers of a part of an elementwise function.
_NUMBERS_OF_PART = 2**23


def by_rows(n_arrays: int) -> Callable[..., Iterable[tuple]]:
    """Return what divides a layer's work by its samples.

    Parameters
    ----------
    n_arrays : int
        So many of the first arguments are arrays of one row for each sample. The next one is
        the layer's weights. The last one is the number of samples before the part.
    """

    def parts(*args: Any) -> Iterable[tuple]:
        n_samples, (n_in, n_out) = len(args[0]), args[n_arrays].shape
        work = n_in * n_out + _PRODUCTS_PER_NUMBER * (n_in + n_out)
        n_rows = max(_FEWEST_ROWS, _PRODUCTS_OF_PART // work)
        if n_samples <= n_rows:
            return (args,)
        return (
            (*(array[i : i + n_rows] for array in args[:n_arrays]), *args[n_arrays:-1], i)
            for i in range(0, n_samples, n_rows)
        )

    return parts


def by_rows_alone(n_arrays: int) -> Callable[..., Iterable[tuple]]:
    """Return what divides the work of a function of each row.

    Parameters
    ----------
    n_arrays : int
        So many of the first arguments are arrays of one row for each sample.
    """

    def parts(*args: Any) -> Iterable[tuple]:
        n_samples, n_units = args[0].shape
        n_rows = max(_FEWEST_ROWS, _PRODUCTS_OF_PART // (_PRODUCTS_PER_NUMBER * n_units))
        if n_samples <= n_rows:
            return (args,)
        return (
            (*(array[i : i + n_rows] for array in args[:n_arrays]), *args[n_arrays:])
            for i in range(0, n_samples, n_rows)
        )

    return parts


def by_numbers(*arrays: Any) -> Iterable[tuple]:
    """Divide an elementwise function of arrays of one shape that are laid out row by row."""
    size = arrays[0].size
    if size <= _NUMBERS_OF_PART:
        return (arrays,)
    flat = [array.reshape(-1) for array in arrays]
    return (
        tuple(array[i : i + _NUMBERS_OF_PART] for array in flat)
        for i in range(0, size, _NUMBERS_OF_PART)
    )
