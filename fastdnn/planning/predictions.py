"""A prediction, planned: one worker that runs blocks of rows forward."""

import numpy as np

from fastdnn.engine.barrier import team_size
from fastdnn.engine.record import Memory
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import MOST_NUMBERS
from fastdnn.planning.cuts import rows_to_predict
from fastdnn.planning.kernels import new_record, point_to_columns, point_to_products
from fastdnn.planning.layout import (
    Workspace,
    aligned_scratch,
    aligned_zeros,
    lay_out_product_scratch,
    lay_out_samples,
    partial_table,
)
from fastdnn.planning.plan import Plan
from fastdnn.planning.program import lay_out_transposed, operations, table_of


def plan_prediction(
    parameters: Parameters, network: Network, *, gather: bool, is_sparse: bool
) -> Plan:
    """Lay out the workspace of one worker that runs blocks of rows forward.

    Parameters
    ----------
    parameters : Parameters
        The network's.
    network : Network
        What it is.
    gather : bool
        Whether rows are picked by an order; otherwise they are taken where they lie.
    is_sparse : bool
        Whether the rows are those of a CSR matrix.

    Returns
    -------
    Plan
    """
    dtype = parameters.theta.dtype
    table = new_record(parameters, gather)
    table["shard_rows"] = n_rows = rows_to_predict(
        parameters, is_sparse or network.table is not None
    )
    workspace = Workspace(n_rows)
    if gather and not is_sparse:
        lay_out_samples(table, workspace, n_rows, network.n_columns, 0, 0)
    rows = operations(
        network, parameters, workspace, n_rows, is_sparse=is_sparse, trains=False
    )
    point_to_products(table, rows, dtype)
    arrays = point_to_columns(table, network, dtype)
    lay_out_transposed(rows, workspace, 1)
    largest = 0 if network.table is None else network.table.scratch_size
    lay_out_product_scratch(table, workspace, 1, dtype, largest, 0)
    memory = Memory(
        operations=table_of(rows),
        blocks=np.zeros((1, 6), dtype=np.int64),
        theta=parameters.theta,
        state=np.zeros(0, dtype=dtype),
        numbers=np.zeros(MOST_NUMBERS),
        loss_parameters=np.zeros(1),
        average=np.zeros(0, dtype=dtype),
        columns=np.zeros(0),
        work=aligned_scratch(workspace.size, dtype),
        partial=partial_table(1),
        team=aligned_zeros(team_size(1), np.dtype(np.int64)),
        **arrays,
    )
    return Plan(table, memory, 1)
