"""Where arrays become addresses: the engine is told sizes, and believes them.

So this is the one place where they are written into its record, and every array is compared
with the network before. What is checked must not change afterwards: where numbers of the
samples decide what memory is read (the structure of a CSR matrix, positions of classes), the
arrays are copies that nobody else has.
"""

from typing import Any

import numpy as np

from fastdnn.engine.operations import (
    BACKWARD,
    CSR_LINEAR,
    KIND,
    LINEAR,
    N_IN,
    N_OUT,
    OWN_SIZE,
    OWN_START,
    TABLE_LINEAR,
    TAIL_START,
    W_START,
)
from fastdnn.engine.record import Data, Memory
from fastdnn.network.table_input import TableInput

_WITH_WEIGHTS = LINEAR, CSR_LINEAR, TABLE_LINEAR


def point_to_memory(table: np.ndarray, memory: Memory, n_slots: int) -> None:
    """Write where a network and the memory to train it in lie into the record.

    Parameters
    ----------
    table : ndarray of one record
        The record.
    memory : Memory
        Kept alive by the caller.
    n_slots : int
        Numbers that the optimiser remembers of each parameter.

    Raises
    ------
    ValueError
        If an array does not fit the others.
    """
    operations, theta = memory.operations, memory.theta
    n_weights = n_tail = width = 0
    rows = operations.tolist()
    for row in rows:
        n_in, n_out = row[N_IN], row[N_OUT]
        fit = n_in > 0 and n_out > 0 and width in (0, n_in)
        _require(fit, "operations", operations, "equal and positive sizes")
        width = n_out
        if row[KIND] in _WITH_WEIGHTS:
            fit = row[W_START] == n_weights
            _require(fit, "operations", operations, "weights in order")
            n_weights += n_in * n_out
    for row in rows:
        if row[KIND] in _WITH_WEIGHTS:
            fit = row[TAIL_START] == n_weights + n_tail
            _require(fit, "operations", operations, "biases at the end")
            n_tail += row[N_OUT]
    for row in rows:
        if row[OWN_SIZE] != 0:  # gains and shifts, or a slope
            fit = row[OWN_START] == n_weights + n_tail and row[OWN_SIZE] in (1, 2 * row[N_OUT])
            _require(fit, "operations", operations, "own parameters behind the biases")
            n_tail += row[OWN_SIZE]
    for row in rows:
        if row[BACKWARD] != 0:
            fit = n_weights <= row[TAIL_START] <= n_weights + n_tail - row[N_OUT]
            _require(fit, "operations", operations, "sums in the tail")
    _require(table["n_weights"][0] == n_weights, "operations", operations, "all weights")
    _require_numbers("theta", theta, (n_weights + n_tail,), theta.dtype)
    _require(theta.dtype in (np.float32, np.float64), "theta", theta, "float32 or float64")
    _require_numbers("state", memory.state, (n_slots * theta.size,), theta.dtype)
    if memory.average.size > 0:
        _require_numbers("average", memory.average, theta.shape, theta.dtype)
    if memory.scales.size > 0:
        n_members = max(1, int(table["n_members"][0]))
        n_scales = n_members * (2 + n_slots) * rows[0][N_IN]
        _require_numbers("scales", memory.scales, (n_scales,), theta.dtype)
        _require_numbers("unscaled", memory.unscaled, theta.shape, theta.dtype)
    _require_numbers("work", memory.work, memory.work.shape, theta.dtype)
    _write(table, memory)
    table["n_operations"], table["n_blocks"] = len(rows), len(memory.blocks) - 1
    table["n_partial"] = len(memory.partial)
    table["n_features"] = table["n_columns"][0] or rows[0][N_IN]
    if rows[0][KIND] == TABLE_LINEAR:
        n_columns, n_in = int(table["n_columns"][0]), rows[0][N_IN]
        TableInput.require_valid(n_columns, n_in, memory.entries, memory.edges)


def point_to_data(table: np.ndarray, memory: Memory, data: Data) -> None:
    """Write where samples lie, for training or prediction, into the record.

    Parameters
    ----------
    table : ndarray of one record
        The record, with a network.
    memory : Memory
        The same network's.
    data : Data
        Kept alive by the caller.

    Raises
    ------
    ValueError
        If an array does not fit the network or the others.
    """
    # The order is the planner's own, and made only epoch by epoch.
    operations, dtype = memory.operations, memory.theta.dtype
    n_features = int(table["n_columns"][0]) or int(operations[0, N_IN])
    n_outputs = int(operations[-1, N_OUT])
    n_rows = len(data.X)
    if operations[0, KIND] == CSR_LINEAR:
        n_rows = data.indptr.size - 1
        _require(data.X.shape == (0, n_features), "X", data.X, f"{n_features} features")
        _require_csr(data, n_features)
    else:
        _require_numbers("X", data.X, (n_rows, n_features), dtype)
    _require_numbers("values", data.values, data.values.shape, dtype)
    n_targets = data.Y.shape[1]
    if len(data.Y) > 0:  # none in a prediction
        _require_numbers("Y", data.Y, (n_rows, n_targets), dtype)
        needed = int(table["n_targets_of_loss"][0])
        if n_targets == 1 < needed and table["takes_positions"][0]:
            are_classes = data.Y.min() >= 0 and data.Y.max() < n_outputs  # False for NaN
            _require(bool(are_classes), "Y", data.Y, f"positions of {n_outputs} classes")
        else:
            _require(n_targets == needed, "Y", data.Y, f"{needed} columns")
    if data.weight.size > 0 or table["weighted"][0]:
        _require_numbers("weight", data.weight, (n_rows,), dtype)
    _write(table, data)
    table["n_features"], table["n_targets"] = n_features, n_targets


def point_to_rows(columns: dict[str, np.ndarray], memory: Memory, X: np.ndarray) -> None:
    """Write where the rows of a dense matrix lie, for a prediction.

    Parameters
    ----------
    columns : dict of str to ndarray
        Those of the plan, see `fastdnn.planning.plan.Plan`.
    memory : Memory
        Of the plan.
    X : ndarray of shape (n_samples, n_features)
        Kept alive by the caller.

    Raises
    ------
    ValueError
        If it does not fit the network.
    """
    if X.shape[1:] != (columns["n_features"][0],) or X.dtype != memory.theta.dtype:
        n_features = columns["n_features"][0]
        _require(False, "X", X, f"{n_features} columns of {memory.theta.dtype}")
    if not X.flags.c_contiguous:
        _require(False, "X", X, "C-contiguous memory")
    columns["X"][0] = X.__array_interface__["data"][0]
    columns["X_size"][0] = X.size


def _write(table: np.ndarray, arrays: Memory | Data) -> None:
    named: Any = zip(arrays._fields, arrays, strict=True)
    for name, array in named:
        _require(array.flags.c_contiguous, name, array, "C-contiguous memory")
        table[name] = array.__array_interface__["data"][0]  # twice as fast as `ctypes`
        table[f"{name}_size"] = array.size


def _require_csr(data: Data, n_features: int) -> None:
    """Raise unless every row of a CSR matrix lies within its arrays."""
    indptr, indices = data.indptr, data.indices
    _require(indices.size == data.values.size, "indices", indices, "one for each value")
    are_in_order = indptr.size > 0 and indptr[0] >= 0 and bool((np.diff(indptr) >= 0).all())
    _require(are_in_order, "indptr", indptr, "starts of rows in ascending order")
    _require(int(indptr[-1]) <= indices.size, "indptr", indptr, "rows within the values")
    are_columns = indices.size == 0 or (indices.min() >= 0 and indices.max() < n_features)
    _require(bool(are_columns), "indices", indices, f"columns among {n_features}")


def _require_numbers(
    name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype
) -> None:
    if array.shape != shape or array.dtype != dtype:
        _require(False, name, array, f"{dtype} of shape {shape}")


def _require(holds: Any, name: str, array: np.ndarray, needed: str) -> None:
    if not holds:
        raise ValueError(
            f"{name} of shape {array.shape} and dtype {array.dtype} does not fit the network: "
            f"needed are {needed}. Was it changed while it was in use?"
        )
