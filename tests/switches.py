"""What tests set of what the package keeps to itself, each in one place.

All take a ``pytest.MonkeyPatch``, which sets everything back.
"""

import numpy as np

from fastdnn.data import conversion, plain_arrays
from fastdnn.planning import cuts
from fastdnn.prediction import predictor
from fastdnn.teams import cpus, crowding
from fastdnn.training import long_batches


def let_teams_have_four(patch):
    """Let teams have up to four workers, whatever the machine and what else runs on it."""
    patch.setattr(cpus, "usable_cpus", lambda: 4)
    patch.setattr(crowding, "_are_too_many", lambda n_workers: False)
    patch.setattr(crowding.Crowding, "begin", lambda self: None)


def share_out_rows(patch, *, n_numbers=0, piece_bytes=1024):
    """Let rows of more numbers be converted by several threads, in pieces of so many bytes."""
    patch.setattr(plain_arrays, "_NUMBERS_FOR_ONE_THREAD", n_numbers)
    patch.setattr(conversion, "_PIECE_BYTES", piece_bytes)


def let_batches_be_long(patch):
    """Let every batch count as long, and every step."""
    patch.setattr(long_batches, "_SECONDS_OF_LONG_BATCH", -1.0)
    patch.setattr(long_batches, "_SECONDS_OF_LONG_STEP", 0.0)
    patch.setattr(long_batches, "_SHARE_FOR_COPIES", np.inf)


def let_turns_be_blocks(patch, n_rows):
    """Let a prediction look for interrupts after every block of so many rows."""
    patch.setattr(predictor, "_FLOPS_OF_FIRST_TURN", 0.0)
    patch.setattr(predictor, "_SECONDS_PER_TURN", 0.0)
    patch.setattr(cuts, "_MIN_SHARD_ROWS", n_rows)
    patch.setattr(cuts, "_MAX_SHARD_ROWS", n_rows)
