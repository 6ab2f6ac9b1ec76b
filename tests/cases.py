"""Cases of a table that share one test."""

from contextlib import contextmanager


@contextmanager
def case(*names):
    """Let a failure say in which case it came."""
    try:
        yield
    except BaseException as error:  # pytest's failures are no Exceptions
        error.add_note(f"in the case {', '.join(map(repr, names))}")
        raise
