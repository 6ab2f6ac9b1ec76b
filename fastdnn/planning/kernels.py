"""Where the kernels lie that a network needs: the beginning of every plan."""

import numpy as np

from fastdnn.compiler.jit import JIT_ENABLED
from fastdnn.engine.operations import DELTA_HAS_ZEROS, HAS_ZEROS, TRANSFORM
from fastdnn.engine.record import RECORD
from fastdnn.engine.table_rows import table_sums
from fastdnn.engine.transforms import transform_deltas, transform_rows
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.planning.program import Operation
from fastdnn.products.matmul import multiply
from fastdnn.products.nonzeros import multiply_nonzeros
from fastdnn.products.switched_off import switched_off


def new_record(parameters: Parameters, gather: bool) -> np.ndarray:
    """Return the record of a plan, with what all of them say.

    Parameters
    ----------
    parameters : Parameters
        The network's.
    gather : bool
        Whether rows are picked by an order.
    """
    table = np.zeros(1, dtype=RECORD)
    table["n_weights"], table["gather"] = parameters.n_weights, gather
    table["switched_off"] = switched_off()
    return table


def point_to_products(table: np.ndarray, rows: list[Operation], dtype: np.dtype) -> None:
    """Write where the products and transformations lie that the operations need."""
    if any(row.kind == TRANSFORM for row in rows):
        table["transform_rows"] = transform_rows.address(dtype)
        table["transform_deltas"] = transform_deltas.address(dtype)
    if JIT_ENABLED:  # needs jit
        table["dense_product"] = multiply.address(dtype)
        if any(row.flags & (HAS_ZEROS | DELTA_HAS_ZEROS) for row in rows):
            table["nonzeros_product"] = multiply_nonzeros.address(dtype)


def point_to_columns(
    table: np.ndarray, network: Network, dtype: np.dtype
) -> dict[str, np.ndarray]:
    """Write that the input is a compact table, if it is; return its arrays, for `Memory`."""
    if network.table is None:
        return {}
    table["table_sums"] = table_sums.address(dtype)
    table["n_columns"] = network.table.n_columns
    return {
        "entries": network.table.entries.copy(),
        "edges": network.table.edges.astype(dtype),
    }
