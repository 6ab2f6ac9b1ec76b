"""What a run of the engine is given: one record of numbers and addresses of arrays.

Why one: ``scripts/docs/engine/memory.md``.
"""

import ctypes
from typing import NamedTuple

import numba
import numpy as np
from numba.core import types

from fastdnn.compiler.jit import JIT_ENABLED, emitted

#: Arrays that a record points to, each with its size in elements.
ARRAYS = (
    # The network and the memory to train it in, see `Memory`.
    "operations",
    "blocks",
    "theta",
    "state",
    "numbers",
    "loss_parameters",
    "average",
    "columns",
    "step_factors",
    "unscaled",
    "scales",
    "entries",
    "edges",
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

_INT, _FLOAT = np.int64, np.float64

# What is optimised: written by the training loop before a run.
_OBJECTIVE = [
    ("alpha", _FLOAT),  # L2: alpha / 2 * sum(W**2) / sum of weights
    ("l1", _FLOAT),  # l1 * sum(abs(W)) / sum of weights
    ("loss_scale", _FLOAT),  # factor of the reported loss only
    ("loss_cap", _FLOAT),  # highest log-loss of one output to report
    ("total_weight", _FLOAT),  # divides all gradients; 0: the batch's own
]

# What a step does besides, see fastdnn.engine.step_options; 0 for nothing.
_STEP_OPTIONS = [
    ("clip_value", _FLOAT),  # largest magnitude of a number of the gradient, or infinity
    ("clip_norm", _FLOAT),  # largest Euclidean norm of the gradient
    ("max_norm", _FLOAT),  # the same of the weights into a unit
    ("average_rate", _FLOAT),  # what a step counts in the moving average
    ("complete", _INT),  # addresses of kernels
    ("finish", _INT),
    ("sum_up", _INT),
    ("first_stage", _INT),  # of phase 2, see fastdnn.engine.blocks
    ("last_stage", _INT),
    ("step_of_layer", _INT),  # see fastdnn.engine.layer_steps
    ("scaled_operation", _INT),
    ("n_members", _INT),  # that share weights: fastdnn.engine.shared_weights; 0: no members
    ("completed_start", _INT),  # in the workspace: a whole gradient, for its norm
]

# How far training is: read and written by every run.
_CURSOR = [
    ("t", _INT),  # steps taken so far; counted on by the engine
    ("seed", _INT),  # of what a step draws at random
    ("first", _INT),  # the samples of this run, as positions in the order
    ("last", _INT),
    ("epoch_rows", _INT),  # so many positions are one epoch
    ("weight_squares", _FLOAT),  # kept: sum of W**2, for the L2 term; below 0: none
    ("weight_sizes", _FLOAT),  # kept: sum of abs(W), for the L1 term
    # Addresses of a number of `fastdnn.machine.stops`, or 0 for none.
    ("stop", _INT),  # where the network is read only
    ("stop_in_step", _INT),  # where it is stepped; 0: steps are completed
    ("is_step_left", _INT),  # set where a step was left in the middle
]

# How the work is cut, and what is done: written by the planner.
_CUTS = [
    ("record", _INT),  # address of the record itself
    ("constants", _INT),  # addresses of the optimiser's kernels
    ("update", _INT),
    ("numbers_apart", _INT),  # from those of one step of a run to the next's, or 0
    ("transform_rows", _INT),  # of fastdnn.engine.transforms; 0 where there are none
    ("transform_deltas", _INT),
    ("table_sums", _INT),  # of fastdnn.engine.table_rows; 0 where there is no table
    ("n_columns", _INT),  # of the compact table, or 0
    ("dense_product", _INT),  # addresses of products; 0 where none is needed
    ("nonzeros_product", _INT),
    ("masked_product", _INT),
    ("batch_size", _INT),
    ("gather", _INT),  # whether rows are picked by `order`
    ("weighted", _INT),  # whether samples have weights
    ("check_finite", _INT),  # whether `predict` looks for NaN and infinity
    ("n_workers", _INT),
    ("shard_rows", _INT),  # at most
    ("shard_gap", _INT),  # rows left free between those of two shards
    ("unit_rows", _INT),  # shards of a batch are whole multiples of it
    ("draws", _INT),  # whether steps draw random numbers
    ("shards_together", _INT),  # neighbours that are one task
    ("gradient_by_shard", _INT),  # whether shards make weight gradients
    ("switched_off", _INT),  # optimisations: fastdnn.products.switches
    ("n_features", _INT),
    ("n_targets", _INT),  # columns of Y
    ("n_targets_of_loss", _INT),  # those that the loss takes, in training
    ("takes_positions", _INT),  # or one of class positions in their place
    ("n_operations", _INT),
    ("n_blocks", _INT),
    ("n_partial", _INT),
    ("n_weights", _INT),  # theta holds the weights, then its tail
]

# Positions in the workspace: written by the planner.
_MEMORY = [
    ("x_start", _INT),
    ("y_start", _INT),
    ("w_start", _INT),
    ("gradient_start", _INT),  # of the first shard, for theta[0]
    ("gradient_size", _INT),  # from one shard's gradient to the next's
    ("scratch_start", _INT),
    ("scratch_size", _INT),
    ("product_start", _INT),  # scratch of the first worker's matrix products
    ("product_size", _INT),
    ("transposed_size", _INT),  # from one worker's copies to the next's, or 0
    ("masks_start", _INT),  # of fastdnn.engine.delta_masks
    ("masks_size", _INT),  # 0: deltas have no masks for all blocks
    # Where workers exchange weights, see fastdnn.engine.mailboxes; otherwise 0.
    ("mail_size", _INT),  # from one mailbox to the next
    ("gradient_mail_start", _INT),  # of the first shard
    ("weight_mail_start", _INT),  # of the first worker
    ("replica_start", _INT),  # of worker 1's copies of theta and state
    ("replica_state", _INT),  # from the one to the other
    ("replica_size", _INT),  # from one worker's copies to the next's
]

# Written by `fastdnn.planning.addresses` alone.
_ADDRESSES = [(name, _INT) for name in ARRAYS] + [(f"{name}_size", _INT) for name in ARRAYS]

#: What one run of the engine is told, and what it reports.
RECORD = np.dtype(
    (np.record, _OBJECTIVE + _STEP_OPTIONS + _CURSOR + _CUTS + _MEMORY + _ADDRESSES)
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


_NOTHING = np.zeros(0)
_NO_ENTRIES = np.zeros((0, 5), np.int64)


class Memory(NamedTuple):
    """A network's program and parameters, and the memory to train them in."""

    operations: np.ndarray  # int64, see fastdnn.engine.operations
    blocks: np.ndarray  # int64 (n_blocks + 1, 6)
    theta: np.ndarray  # (n_parameters,)
    state: np.ndarray  # (n_slots * n_parameters,)
    numbers: np.ndarray  # float64: the optimiser's, the learning rate first; of all steps of
    # a run, or of each of them
    loss_parameters: np.ndarray  # float64, one at least
    average: np.ndarray  # (n_parameters,): moving average of theta; empty: there is none
    columns: np.ndarray  # float64: numbers for columns, of each block and operation; or empty
    work: np.ndarray  # scratch
    partial: np.ndarray  # float64 (max(n_shards, n_blocks + 1), 8)
    team: np.ndarray  # int64 counters of fastdnn.engine.barrier
    # Of fastdnn.engine.layer_steps, or empty: factors of the step size, float64; weights, as
    # theta, before they are scaled; of each input its scale, its gradient and their state.
    step_factors: np.ndarray = _NOTHING
    unscaled: np.ndarray = _NOTHING
    scales: np.ndarray = _NOTHING
    # Of a compact table, see fastdnn.ops.table_entries, or empty.
    entries: np.ndarray = _NO_ENTRIES  # int64 (n_entries, 5)
    edges: np.ndarray = _NOTHING


def _emitted_record_at(typingctx, address):  # needs jit
    record_type = numba.from_dtype(RECORD)

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(record_type))

    return record_type(types.intp), codegen


# Entry points are given the address: numba takes microseconds to recognise a record that
# comes from Python, and next to nothing for a number.
if JIT_ENABLED:  # needs jit
    record_at = emitted(_emitted_record_at)
else:

    def record_at(address):
        """View the record that lies at an address."""
        memory = (ctypes.c_char * RECORD.itemsize).from_address(int(address))
        # NumPy's type stubs do not know that a ctypes array is a buffer.
        return np.frombuffer(memory, RECORD)[0]  # type: ignore[call-overload]
