"""A table encoder in ONNX: all numbers at once, each column of categories by itself."""

import itertools
from typing import Any

import numpy as np

from fastdnn.onnx.graph import Graph, Tensor
from fastdnn.onnx.inputs import given
from fastdnn.onnx.levels import codes_of_levels, known_levels
from fastdnn.onnx.samples import dates_refused
from fastdnn.ops.table_entries import CLIP
from fastdnn.tables.categories import CategoryEncoder
from fastdnn.tables.columns import DATE
from fastdnn.tables.encoder import TableEncoder
from fastdnn.tables.numbers import NumberEncoder
from fastdnn.tables.targets import TargetMeans


def encoded(
    graph: Graph, operator: Any, encoder: TableEncoder, is_compact: bool = False
) -> Tensor:
    """Return the numbers of a table, in the type of the encoder.

    Parameters
    ----------
    graph : Graph
        Where to.
    operator : skl2onnx.common._topology.Operator
        Its inputs are the table.
    encoder : TableEncoder
        Fitted.
    is_compact : bool, default=False
        Whether bins are found among numbers that are scaled and of float32, as in
        `fastdnn.tables.compact`.

    Raises
    ------
    ValueError
        If there are dates among the columns, or inputs that do not fit them.
    """
    columns = _Columns(graph, operator, encoder.n_features_in_)
    numbers, start = [], 0
    categories: dict[int, list[tuple[Any, int]]] = {}
    for source, (_, of_column) in zip(encoder._sources, encoder._encoders, strict=True):
        j = source.column
        if encoder._kinds[j] == DATE:
            raise dates_refused(encoder._names[j])
        if isinstance(of_column, NumberEncoder):
            numbers.append((j, of_column, start))
        else:
            categories.setdefault(j, []).append((of_column, start))
        start += len(of_column.names)
    parts = _numbers(graph, columns, numbers, is_compact) if numbers else []
    for j, encoders in categories.items():
        parts += _category(graph, columns, j, encoders)
    all_of_them = graph.concatenated([part.cast(encoder.dtype) for part, _ in parts])
    places = np.concatenate([place for _, place in parts])
    if np.array_equal(places, np.arange(start)):
        return all_of_them
    return all_of_them.columns(np.argsort(places))


#: Some columns of the result, and at which positions they belong.
_Part = tuple[Tensor, np.ndarray]


class _Columns:
    """The columns of the inputs of a converter, which are one matrix or several."""

    def __init__(self, graph: Graph, operator: Any, n_columns: int) -> None:
        self._graph = graph
        self._places: list[tuple[Tensor, int, int, str]] = []
        for tensor, variable in zip(given(graph, operator), operator.inputs, strict=True):
            shape = variable.type.shape
            width = shape[1] if len(shape) > 1 and shape[1] else None
            if width is None:
                width = n_columns if len(operator.inputs) == 1 else 1
            name = variable.raw_name
            self._places += [(tensor, column, width, name) for column in range(width)]
        if len(self._places) != n_columns:
            raise ValueError(
                f"The inputs of the converter have {len(self._places)} columns, but the table "
                f"of the fit had {n_columns}. Give initial types with as many."
            )

    def of_numbers(self, positions: list[int]) -> Tensor:
        """Return some columns beside each other, as float64."""
        places = [self._places[j] for j in positions]
        for tensor, _, _, name in places:
            if tensor.dtype is str:
                raise ValueError(
                    f"Input {name!r} has strings, but held numbers in fit. Give it the type "
                    "DoubleTensorType."
                )
        if len({tensor.name for tensor, *_ in places}) == 1:
            tensor, _, width, _ = places[0]
            columns = [column for _, column, _, _ in places]
            tensor = tensor.cast(np.float64)
            return tensor if columns == list(range(width)) else tensor.columns(columns)
        return self._graph.concatenated([self.column(j).cast(np.float64) for j in positions])

    def column(self, j: int) -> Tensor:
        """Return one column, of shape (n_samples, 1), in its type."""
        tensor, column, width, _ = self._places[j]
        return tensor if width == 1 else tensor.columns([column])


def _numbers(
    graph: Graph,
    columns: _Columns,
    numbers: list[tuple[int, NumberEncoder, int]],
    is_compact: bool,
) -> list[_Part]:
    """Return what columns of numbers become: their size, whether they are missing, bins."""
    encoders, starts = [encoder for _, encoder, _ in numbers], [start for *_, start in numbers]
    x = columns.of_numbers([j for j, _, _ in numbers])
    missing, parts = x.is_nan(), []
    medians = graph.constant([[encoder.median for encoder in encoders]], np.float64)
    scales = graph.constant([[encoder.scale for encoder in encoders]], np.float64)
    x = missing.chosen(medians, x)
    largest = float(encoders[0].scaled(np.array(np.inf)))
    u = ((x - medians) / scales).at_least(-largest).at_most(largest)
    if is_compact:
        x = u = u.cast(np.float32)
    of_size, of_missing, of_bins = [], [], []
    for k, (encoder, start) in enumerate(zip(encoders, starts, strict=True)):
        if not encoder.is_constant:
            of_size.append((k, start))
            start += 1
        if encoder.has_missing:
            of_missing.append((k, start))
            start += 1
        ends = encoder.scaled(encoder.edges) if is_compact else encoder.edges
        edges = itertools.pairwise(ends)
        of_bins += [(k, start + t, *pair) for t, pair in enumerate(edges)]
    if of_size:
        clipped = u / (1.0 + (u / CLIP) * (u / CLIP)).sqrt()
        parts.append(_some(clipped, of_size))
    if of_missing:
        parts.append(_some(missing.cast(x.dtype), of_missing))
    if of_bins:
        numbers_of_bins, places = _some(x, of_bins)
        lows, highs = (
            graph.constant([[column[i] for column in of_bins]], x.dtype) for i in (2, 3)
        )
        shares = (numbers_of_bins - lows) / (highs - lows)
        parts.append((shares.at_least(0.0).at_most(1.0), places))
    return parts


def _some(tensor: Tensor, columns: list[tuple]) -> _Part:
    """Return some columns, by tuples of their positions here and in the result."""
    here = [k for k, *_ in columns]
    places = np.array([place for _, place, *_ in columns])
    return tensor.columns(here), places


def _category(
    graph: Graph,
    columns: _Columns,
    j: int,
    encoders: list[tuple[CategoryEncoder | TargetMeans, int]],
) -> list[_Part]:
    """Return what a column of categories becomes: a row of a table for each level."""
    values, parts = columns.column(j), []
    levels = known_levels([encoder for encoder, _ in encoders], values.dtype is str)
    codes = codes_of_levels(values, levels)
    # Before them what was never seen, after them what is missing.
    objects = np.empty(len(levels) + 2, dtype=object)
    objects[:] = [object(), *levels, None]
    for encoder, start in encoders:
        rows = np.empty((len(objects), len(encoder.names)))
        encoder.write(objects, rows)
        places = np.arange(start, start + len(encoder.names))
        parts.append((graph.constant(rows, np.float64).rows(codes), places))
    return parts
