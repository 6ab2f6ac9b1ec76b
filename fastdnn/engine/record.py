"""What a run of the engine is given: one record.

All that a run needs travels as one record: numbers, and the addresses of the arrays. A
compiled function that is handed arrays takes seven numbers for each and one that is handed
them all takes a hundred, at every call; a record is one pointer.
"""

import ctypes
from typing import NamedTuple

import numba
import numpy as np
from numba.core import types

from fastdnn.compiler.jit import JIT_ENABLED, emitted

#: Arrays that a record points to, each with its size in elements.
ARRAYS = (
    # The parameters of the network and the memory to train it in, see `Network`.
    "layers",
    "blocks",
    "theta",
    "state",
    "work",
    "partial",
    "team",
    # The samples, see `Data`.
    "X",
    "values",
    "indices",
    "indptr",
    "Y",
    "weight",
    "order",
    "losses",
)

#: What one run of the engine is told, and what it reports.
SETTINGS = np.dtype(
    (
        np.record,
        [
            # The optimiser.
            ("optimizer", np.int64),
            ("learning_rate", np.float64),
            ("momentum", np.float64),
            ("beta_1", np.float64),
            ("beta_2", np.float64),
            ("epsilon", np.float64),
            ("alpha", np.float64),  # L2: alpha / 2 * sum(W**2) / sum of weights
            ("t", np.int64),  # steps taken so far; counted on by the engine
            # The loss.
            ("canonical", np.int64),  # which table `loss` is a code of
            ("loss", np.int64),
            ("loss_scale", np.float64),  # factor of the reported loss only
            ("loss_cap", np.float64),  # highest log-loss of one output to report
            (
                "weight_squares",
                np.float64,
            ),  # kept: sum of W**2, for the L2 term; below 0: none
            # The samples of this run, as positions in the order.
            ("first", np.int64),
            ("last", np.int64),
            ("epoch_rows", np.int64),  # so many positions are one epoch
            ("batch_size", np.int64),
            ("gather", np.int64),  # whether rows are picked by `order`
            ("sparse", np.int64),  # whether X is in CSR form
            ("weighted", np.int64),  # whether samples have weights
            ("total_weight", np.float64),  # divides all gradients; 0: the batch's own
            ("check_finite", np.int64),  # whether `predict` looks for NaN and infinity
            # Addresses of a number of `fastdnn.machine.stops`, or 0 for none.
            ("stop", np.int64),  # where the network is read only
            ("stop_in_step", np.int64),  # where it is stepped; 0: steps are completed
            ("is_step_left", np.int64),  # set where a step was left in the middle
            # How the work is cut.
            ("n_workers", np.int64),
            ("shard_rows", np.int64),  # at most
            ("shard_gap", np.int64),  # rows left free between those of two shards
            ("unit_rows", np.int64),  # shards of a batch are whole multiples of it
            ("shards_together", np.int64),  # neighbours that are one task
            ("gradient_by_shard", np.int64),  # whether shards make weight gradients
            ("switched_off", np.int64),  # optimisations: fastdnn.products.switches
            # Sizes.
            ("n_features", np.int64),
            ("n_targets", np.int64),
            ("n_layers", np.int64),
            ("n_blocks", np.int64),
            ("n_partial", np.int64),
            ("n_weights", np.int64),  # theta holds the weights, then the biases
            # Positions in the workspace.
            ("x_start", np.int64),
            ("y_start", np.int64),
            ("w_start", np.int64),
            ("gradient_start", np.int64),  # of the first shard, for theta[0]
            ("gradient_size", np.int64),  # from one shard's gradient to the next's
            ("scratch_start", np.int64),
            ("scratch_size", np.int64),
            ("product_start", np.int64),  # scratch of the first worker's matrix products
            ("product_size", np.int64),
            ("transposed_size", np.int64),  # from one worker's copies to the next's, or 0
            ("masks_start", np.int64),  # of fastdnn.engine.delta_masks
            ("masks_size", np.int64),  # 0: deltas have no masks for all blocks
            # Where workers exchange weights, see fastdnn.engine.exchange; otherwise 0.
            ("mail_size", np.int64),  # from one mailbox to the next
            ("gradient_mail_start", np.int64),  # of the first shard
            ("weight_mail_start", np.int64),  # of the first worker
            ("replica_start", np.int64),  # of worker 1's copies of theta and state
            ("replica_state", np.int64),  # from the one to the other
            ("replica_size", np.int64),  # from one worker's copies to the next's
            # Addresses.
            *[(name, np.int64) for name in ARRAYS],
            *[(f"{name}_size", np.int64) for name in ARRAYS],
        ],
    )
)


class Data(NamedTuple):
    """The samples of a run, and where it reports losses. All arrays are C-contiguous.

    X is a matrix, or has no rows and lies in the three arrays of a CSR matrix.
    """

    X: np.ndarray  # (n_samples, n_features)
    values: np.ndarray  # (n_stored,)
    indices: np.ndarray  # int32 (n_stored,)
    indptr: np.ndarray  # int64 (n_samples + 1,)
    Y: np.ndarray  # (n_samples, n_targets)
    weight: np.ndarray  # (n_samples,), or empty for unweighted samples
    order: np.ndarray  # int64: the row of each position; empty if rows go in order
    losses: np.ndarray  # float64: added to, for every epoch of the run, the sum of batch
    # loss * batch rows, or with `total_weight` the sum of all losses divided by it


class Network(NamedTuple):
    """The parameters of a network and the memory to train it in."""

    layers: np.ndarray  # int64 (n_layers, 9)
    blocks: np.ndarray  # int64 (n_blocks + 1, 6)
    theta: np.ndarray  # (n_parameters,)
    state: np.ndarray  # (n_slots * n_parameters,)
    work: np.ndarray  # scratch
    partial: np.ndarray  # float64 (max(n_shards, n_blocks + 1), 8)
    team: np.ndarray  # int64 counters of fastdnn.engine.barrier


def _emitted_settings_at(typingctx, address):  # needs jit
    record_type = numba.from_dtype(SETTINGS)

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(record_type))

    return record_type(types.intp), codegen


# Entry points are given the address: numba takes microseconds to recognise a record that
# comes from Python, and next to nothing for a number.
if JIT_ENABLED:  # needs jit
    settings_at = emitted(_emitted_settings_at)
else:

    def settings_at(address):
        """View the settings that lie at an address."""
        memory = (ctypes.c_char * SETTINGS.itemsize).from_address(int(address))
        # NumPy's type stubs do not know that a ctypes array is a buffer.
        return np.frombuffer(memory, SETTINGS)[0]  # type: ignore[call-overload]
