"""A workload, planned: how it is cut, what is done, and where everything lies."""

import numpy as np

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.data.samples import Samples
from fastdnn.engine.barrier import let_workers_stay, team_size
from fastdnn.engine.memory import BLOCK_SIZE
from fastdnn.engine.operations import DELTA_HAS_ZEROS, LINEAR
from fastdnn.engine.record import Data, Memory
from fastdnn.engine.shared_weights import step_of_members
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops import losses
from fastdnn.ops.optimizers import MOST_NUMBERS, OPTIMIZERS
from fastdnn.planning.addresses import point_to_data, point_to_memory, point_to_rows
from fastdnn.planning.cuts import (
    UNIT_ROWS,
    cut_blocks,
    moves_less_by_shard,
    shard_rows_of,
    shards_together,
)
from fastdnn.planning.kernels import new_record, point_to_columns, point_to_products
from fastdnn.planning.layer_steps import LayerSteps
from fastdnn.planning.layout import (
    Workspace,
    aligned_scratch,
    aligned_zeros,
    block_table,
    lay_out_gradients,
    lay_out_mailboxes,
    lay_out_masks,
    lay_out_product_scratch,
    lay_out_samples,
    lay_out_scratch,
    partial_table,
)
from fastdnn.planning.program import lay_out_transposed, operations, table_of
from fastdnn.planning.shared_weights import MembersMemory, lay_out_members, mark_shared
from fastdnn.planning.step_options import StepOptions, lay_out_step_options
from fastdnn.products.nonzeros import multiply_masked
from fastdnn.products.switched_off import switched_off
from fastdnn.products.switches import (
    NO_DELTA_MASKS,
    NO_MAILBOXES,
    NO_MASKS_BY_OUTPUTS,
    NO_PLACEMENT,
    NO_TOGETHER,
    NO_ZERO_SKIPPING,
)
from fastdnn.teams.cpus import threads_offered

# Steps of a run at most, where they have learning rates of their own.
_MOST_RATES = 2048
# The fields that every run or prediction reads or writes.
_QUICK_COLUMNS = (
    *("first", "last", "t", "n_workers"),
    *("X", "X_size", "n_features", "team"),
)


class Plan:
    """A workload cut into tasks.

    Attributes
    ----------
    table : ndarray of one record
        The record as the engine takes it, with the addresses of the memory. Fields are
        written as ``table[name] = value``: attributes of the record take microseconds.
    address, team_address : int
        Where the record and the team's counters lie.
    columns : dict of str to ndarray
        Fields that every run reads or writes, each as an array of one.
    memory : Memory
        The program, the parameters and the memory to train them in.
    n_workers : int
        As many workers as pay, at most as many as were offered.
    shard_rows : int
        Rows of a shard of a batch, or of a block to predict.
    thetas : list of ndarray of shape (n_parameters,)
        Views of the parameters: of the network, or of each member.
    """

    def __init__(
        self,
        table: np.ndarray,
        memory: Memory,
        n_workers: int,
        optimizer: str | None = None,
        members: MembersMemory | None = None,
    ) -> None:
        n_slots = 0 if optimizer is None else OPTIMIZERS[optimizer].n_slots
        point_to_memory(table, memory, n_slots)
        self.table = table
        table["record"] = table.ctypes.data
        self.columns = {name: table[name] for name in _QUICK_COLUMNS}
        self.columns["learning_rate"] = memory.numbers[:1]
        self.memory, self.n_workers, self.optimizer = memory, n_workers, optimizer
        self.thetas = [memory.theta]
        if members is not None:
            self.thetas += members.thetas(memory.work)
        self.shard_rows = int(table["shard_rows"][0])
        self.address, self.team_address = table.ctypes.data, memory.team.ctypes.data

    def set_numbers(self, **numbers: float) -> None:
        """Set those of the optimiser's hyperparameters that it has; ignore others."""
        for position, name in enumerate(OPTIMIZERS[str(self.optimizer)].numbers):
            if name in numbers:
                self.memory.numbers[position::MOST_NUMBERS] = numbers[name]

    @property
    def steps_at_once(self) -> int:
        """How many steps a run may have whose learning rates are their own."""
        return self.memory.numbers.size // MOST_NUMBERS

    def set_rates(self, rates: np.ndarray) -> None:
        """Set the learning rates of the first steps of the next run, one for each."""
        self.memory.numbers[::MOST_NUMBERS][: rates.size] = rates

    def point_to(self, data: Data) -> None:
        """Let the engine read samples, which the caller keeps alive."""
        point_to_data(self.table, self.memory, data)

    def point_to_rows(self, X: np.ndarray) -> None:
        """Let the engine predict rows, which the caller keeps alive."""
        point_to_rows(self.columns, self.memory, X)


def plan_training(
    parameters: Parameters,
    network: Network,
    optimizer: str,
    *,
    batch_size: int,
    samples: Samples,
    gather: bool,
    n_threads: int | None,
    state: np.ndarray | None = None,
    step: StepOptions | None = None,
    average: np.ndarray | None = None,
    has_rates: bool = False,
    layer_steps: LayerSteps | None = None,
    n_members: int = 0,
) -> Plan:
    """Cut one training step into tasks and lay out its workspace.

    Kernels that the network needs are compiled now, if they are not yet.

    Parameters
    ----------
    parameters : Parameters
        The network's; trained in place.
    network : Network
        What it is.
    optimizer : str
        A name in `fastdnn.ops.optimizers.OPTIMIZERS`.
    batch_size : int
        Rows of the largest batch.
    samples : Samples
        What it will be trained on.
    gather : bool
        Whether rows are picked by an order; otherwise they are taken where they lie.
    n_threads : int or None
        Threads that the user allows; None for as many as pay.
    state : ndarray, optional
        State of the optimiser to go on with; zeros if None.
    step : StepOptions, optional
        What a step does besides.
    layer_steps : LayerSteps, optional
        How the steps of layers differ.
    n_members : int, default=0
        Networks that share the weights of their hidden layers, of which `parameters` are the
        first one's; each has so many rows of a batch for itself. They need `layer_steps` with
        scales, and rows that are gathered.
    average : ndarray of shape (n_parameters,), optional
        The moving average of the parameters, where `step` has one; brought up to date in
        place.
    has_rates : bool, default=False
        Whether steps have learning rates of their own, see `Plan.set_rates`.

    Returns
    -------
    Plan
    """
    dtype, row = parameters.theta.dtype, OPTIMIZERS[optimizer]
    step = step or StepOptions()
    table = new_record(parameters, gather)
    table["batch_size"] = batch_size
    table["weighted"] = samples.weight is not None
    table["constants"], table["update"] = (
        row.constants.address(dtype),
        row.update.address(dtype),
    )
    table["loss_scale"], table["loss_cap"] = network.loss_scale, np.inf
    table["draws"] = network.draws
    loss = losses.row_of(network.loss)
    table["n_targets_of_loss"] = loss.n_targets(network.sizes[-1])
    table["takes_positions"] = loss.positions_with == network.output_activation
    shard_rows = shard_rows_of(parameters, batch_size)
    if n_members > 0:
        shard_rows = batch_size // n_members
    table["shard_rows"] = shard_rows
    table["unit_rows"] = UNIT_ROWS if n_members == 0 else 1
    n_shards = -(-batch_size // shard_rows)
    offered = threads_offered(n_threads, pays=n_shards > 1)
    table["n_workers"] = n_workers = max(1, min(offered, n_shards))
    is_dense = not samples.is_sparse and network.table is None
    by_shard = (
        is_dense and n_members == 0 and moves_less_by_shard(parameters, batch_size, n_shards)
    )
    table["gradient_by_shard"] = by_shard
    off = switched_off()
    may_send = not (off & NO_MAILBOXES or step.needs_one_theta)
    has_mailboxes = by_shard and n_workers > 1 and may_send

    workspace = Workspace(shard_rows, is_shared=has_mailboxes)
    table["shard_gap"] = workspace.rows_apart
    if gather:
        # Rows of sparse samples are not gathered.
        n_features = 0 if samples.is_sparse else network.n_columns
        n_sample_weights = int(samples.weight is not None)
        lay_out_samples(
            table, workspace, batch_size, n_features, samples.n_targets, n_sample_weights
        )
    rows = operations(
        network,
        parameters,
        workspace,
        batch_size,
        is_sparse=samples.is_sparse,
        trains=True,
        may_mask=by_shard and not off & (NO_ZERO_SKIPPING | NO_MASKS_BY_OUTPUTS),
        gathered_start=int(table["x_start"][0]) if gather else None,
    )
    if n_members > 0:
        rows = mark_shared(rows)
    point_to_products(table, rows, dtype)
    arrays = point_to_columns(table, network, dtype)
    first = 0 if by_shard else parameters.n_weights  # shards make the rest of the gradient
    lay_out_gradients(table, workspace, first, parameters.theta.size, n_shards)
    cuts = cut_blocks(parameters, network, batch_size, by_shard)
    positions = [o for o, operation in enumerate(rows) if operation.is_linear]
    blocks, mailbox = block_table(parameters, cuts, positions)
    n_copies = n_members or (n_workers if by_shard else 1)
    transposed_size = lay_out_transposed(rows, workspace, n_copies)
    has_copies = by_shard or n_members > 0
    table["transposed_size"] = transposed_size if has_copies else 0  # 0: one copy for all
    state_size = row.n_slots * parameters.theta.size
    if has_mailboxes:
        lay_out_mailboxes(
            table, workspace, parameters, n_shards, n_workers, mailbox, state_size
        )
    members = None
    if n_members > 0:
        size = parameters.theta.size
        members = lay_out_members(table, workspace, n_members, size, state_size)
    largest_block = int(blocks[:, BLOCK_SIZE].max())
    # A sum, and beside it the first two parts, which may be taken from mailboxes.
    n_parts = 3 if has_mailboxes else 2 if n_members > 0 else 1
    lay_out_scratch(table, workspace, n_workers, largest_block * n_parts)
    largest = max(W.size for W in parameters.coefs) if by_shard else largest_block
    if network.table is not None:
        largest = max(largest, network.table.scratch_size)
    n_users = max(n_workers, n_members)
    lay_out_product_scratch(table, workspace, n_users, dtype, largest, shard_rows)
    # Blocks share a factor with zeros where the first layer's deltas have some; without JIT,
    # or on a sparse X, nobody skips them.
    may_skip = JIT_ENABLED and not off & (NO_ZERO_SKIPPING | NO_DELTA_MASKS)
    if (
        may_skip
        and not by_shard
        and n_members == 0
        and rows[0].kind == LINEAR
        and rows[0].flags & DELTA_HAS_ZEROS
    ):
        lay_out_masks(table, workspace, batch_size, rows[0].n_out, dtype)
        table["masked_product"] = multiply_masked.address(dtype)
    one_by_one = has_mailboxes or n_members > 0 or off & NO_TOGETHER
    table["shards_together"] = (
        1 if one_by_one else shards_together(shard_rows, n_shards, n_workers)
    )
    layers: dict[str, np.ndarray] = {}
    if layer_steps is not None:
        layers = layer_steps.write(table, rows, dtype)
        if n_members > 0:
            table["step_of_layer"] = step_of_members.address(dtype)
    columns = lay_out_step_options(
        table, workspace, parameters, step, len(blocks) - 1 + len(rows)
    )
    if state is None:
        state = aligned_zeros(state_size, dtype)
    table["numbers_apart"] = MOST_NUMBERS if has_rates else 0
    team = aligned_zeros(team_size(n_workers), np.dtype(np.int64))
    if off & NO_PLACEMENT:
        let_workers_stay(team, n_workers)
    memory = Memory(
        operations=table_of(rows),
        blocks=blocks,
        theta=parameters.theta,
        state=state,
        numbers=aligned_zeros(
            MOST_NUMBERS * (_MOST_RATES if has_rates else 1), np.dtype(np.float64)
        ),
        loss_parameters=np.array(network.parameters_of_loss),
        average=np.zeros(0, dtype=dtype) if average is None else average,
        columns=columns,
        work=aligned_scratch(workspace.size, dtype),
        partial=partial_table(max(n_shards, len(blocks))),
        team=team,
        **layers,
        **arrays,
    )
    if members is not None:
        members.clear_states(memory.work)
    return Plan(table, memory, n_workers, optimizer, members)
