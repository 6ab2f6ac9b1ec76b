"""From float64, as tables come, to the float32 of the network, with the check for NaN.

scikit-learn's validation converts all of X, then reads the copy once more for NaN and
infinity, on one thread. For large matrices that is up to a third of a prediction, and in
short fits what several steps take. Here a piece is converted and checked while it is in
cache: by the worker that then predicts it, or by all workers for a fit, which keeps the copy.
Half of its time is the system's, which clears fresh memory for the copy; where a virtual
machine has given free memory back to its host, most of it. Workers share that as well.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastdnn.teams.cpus import threads_offered
from fastdnn.teams.separation import Separation
from fastdnn.teams.threads import run_side_by_side

# Bytes of a converted piece: it stays in the second-level cache.
_PIECE_BYTES = 512 * 1024
# So many neighbouring pieces go to one worker: two that write to the same page of fresh
# memory, of up to 2 MiB, would both clear it.
_PIECES_TOGETHER = 16


class NotFiniteError(ValueError):
    """A number is NaN, or in float32 infinite."""


def is_to_convert(X: Any, dtype: np.typing.DTypeLike) -> bool:
    """Return whether `X` is what this module converts, for a network of `dtype`."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype == np.float64
        and dtype == np.float32
        and X.flags.c_contiguous
    )


def rows_of_piece(X: np.ndarray, multiple: int = 1) -> int:
    """Return how many rows a piece has, a multiple of `multiple`."""
    row_bytes = max(1, X.shape[1]) * np.dtype(np.float32).itemsize
    return multiple * max(1, _PIECE_BYTES // (row_bytes * multiple))


def convert_piece(X: np.ndarray, out: np.ndarray) -> None:
    """Write the rows `X` into `out`.

    Raises
    ------
    NotFiniteError
        If one of the converted numbers is not finite.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        np.copyto(out, X, casting="same_kind")
    require_finite(out)


def require_finite(X: np.ndarray) -> None:
    """Raise NotFiniteError where a number is not finite."""
    if not np.isfinite(X).all():
        raise NotFiniteError


def convert_all(
    X: np.ndarray, dtype: np.typing.DTypeLike, n_threads: int | None
) -> np.ndarray:
    """Return a matrix in `dtype`, itself if it has that already; shared out to threads.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        C-contiguous, of floating-point numbers.
    dtype : dtype
        Of the result.
    n_threads : int or None
        Threads that the user allows; None for as many as there are.

    Returns
    -------
    ndarray of shape (n_samples, n_features)

    Raises
    ------
    NotFiniteError
        If one of the converted numbers is not finite.
    """
    converted = X if X.dtype == dtype else np.empty(X.shape, dtype)
    piece_rows = rows_of_piece(X)
    rows_together = _PIECES_TOGETHER * piece_rows
    n_workers = min(threads_offered(n_threads, pays=True), -(-len(X) // rows_together))

    def work(first: int, last: int) -> None:
        for start in range(first, last, piece_rows):
            rows = slice(start, min(start + piece_rows, last))
            if converted is X:
                require_finite(X[rows])
            else:
                convert_piece(X[rows], converted[rows])

    for_pieces(len(X), rows_together, n_workers, lambda worker: work)
    return converted


def for_pieces(
    n_rows: int, piece_rows: int, n_workers: int, make_work: Callable[[int], Any]
) -> None:
    """Call the work of some worker for every piece, with its first and last row.

    Parameters
    ----------
    n_rows, piece_rows : int
        All rows, and those of a piece.
    n_workers : int
        How many threads take pieces.
    make_work : callable
        ``make_work(worker)`` returns that worker's ``work(first, last)``.
    """
    pieces: Iterator[int] = iter(range(0, n_rows, piece_rows))  # one for all workers
    separation = Separation(n_workers)
    works: dict[int, Any] = {}

    def take_piece(worker: int) -> bool:
        first = next(pieces, None)
        if first is None:
            return False
        if worker not in works:
            works[worker] = make_work(worker)
        # Each time: who has waited for the interpreter may wake up somewhere else.
        separation.keep_apart(worker)
        works[worker](first, min(first + piece_rows, n_rows))
        return True

    run_side_by_side(n_workers, take_piece)
