"""Dask arrays and data frames, taken apart into partitions that go together."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastdnn.distributed.dask_imports import dask_module
from fastdnn.distributed.facts import Facts, facts_of, require_agreeing

_NAMES = "X", "y", "sample_weight"


class Partitions(NamedTuple):
    """The partitions of what a fit is given, as futures, and what is known of each."""

    X: list[Any]
    y: list[Any]
    weight: list[Any]
    """Empty if there are none."""
    facts: list[Facts]

    def groups(self, n_shards: int | None) -> list[slice]:
        """Return which partitions make each shard, neighbours together.

        Raises
        ------
        ValueError
            If there are fewer partitions.
        """
        n = len(self.X)
        if n_shards is None:
            n_shards = n
        if n_shards > n:
            raise ValueError(
                f"n_shards={n_shards} needs as many partitions at least, but X has {n}. "
                "Rechunk or repartition X and y, or use a smaller n_shards."
            )
        edges = [i * n // n_shards for i in range(n_shards + 1)]
        return [slice(*pair) for pair in itertools.pairwise(edges)]


def is_collection(value: Any) -> bool:
    """Whether something is a Dask collection."""
    return bool(dask_module("dask.base").is_dask_collection(value))


def partitions_of(client: Any, given: Sequence[Any], of_classes: bool) -> Partitions:
    """Let partitions be made, look at them, and raise for what does not fit.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    given : sequence
        X, y and the weights of samples, or None.
    of_classes : bool
        Whether y has classes.

    Raises
    ------
    TypeError
        If they are no Dask arrays and data frames.
    ValueError
        If they do not fit each other, or no network can be trained on them.
    """
    of_all = list(zip(_NAMES, given, strict=True))
    there = [(name, one) for name, one in of_all if one is not None or name != "sample_weight"]
    for name, one in there:
        _require_collection(name, one)
    chunks = {name: _rows_of_chunks(name, one) for name, one in there}
    known = {name: rows for name, rows in chunks.items() if not isinstance(rows, int)}
    numbers = {name: r if isinstance(r, int) else len(r) for name, r in chunks.items()}
    for name in numbers:
        first, other = known.get("X"), known.get(name)
        differ = first is not None and other is not None and first != other
        if differ or numbers[name] != numbers["X"]:
            raise ValueError(
                f"{name} is cut into other chunks than X: {chunks[name]}, not {chunks['X']}. "
                f"Give both the same: for arrays by {name}.rechunk, for data frames by "
                f"{name}.repartition."
            )
    futures: list[list[Any]] = [
        [] if one is None else client.compute(_delayed(one)) for one in given
    ]
    none = [None] * len(futures[0])
    facts = client.gather(
        [
            client.submit(facts_of, *parts, of_classes, pure=False)
            for parts in zip(*(some or none for some in futures), strict=True)
        ]
    )
    require_agreeing(facts)
    X, y, weight = futures
    return Partitions(X, y, weight, facts)


def _require_collection(name: str, given: Any) -> None:
    if not is_collection(given) or not hasattr(given, "to_delayed"):
        raise TypeError(
            f"{name} must be a Dask array or data frame, got {type(given).__name__}. Make "
            "one, for instance by dask.array.from_array or dask.dataframe.from_pandas; what "
            "fits one machine DNNClassifier and DNNRegressor train on."
        )


def _rows_of_chunks(name: str, given: Any) -> Any:
    """Return the rows of each chunk of an array, or how many partitions a data frame has."""
    if not hasattr(given, "chunks"):
        return given.npartitions
    rows, *others = given.chunks
    if any(np.isnan(n) for n in rows):
        raise ValueError(
            f"{name} has chunks of unknown sizes, {given.chunks}. Call "
            f"{name}.compute_chunk_sizes() before, or give data frames, whose rows are "
            "counted."
        )
    if any(len(sizes) > 1 for sizes in others):
        raise ValueError(
            f"{name} is cut between its columns, into chunks of {others[0]}. Keep the columns "
            f"of a row together: {name}.rechunk({{1: -1}})."
        )
    return tuple(rows)


def _delayed(given: Any) -> list[Any]:
    parts = given.to_delayed()
    return list(parts.ravel()) if isinstance(parts, np.ndarray) else list(parts)
