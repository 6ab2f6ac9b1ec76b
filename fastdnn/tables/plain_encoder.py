"""A fitted `TableEncoder` as plain arrays, and back, with every number checked."""

from typing import Any, NamedTuple

import numpy as np

from fastdnn.storage.checked_json import shown
from fastdnn.tables.categories import CategoryEncoder
from fastdnn.tables.columns import CATEGORY, DATE, NUMBER
from fastdnn.tables.dates import SUFFIXES
from fastdnn.tables.encoder import Source, TableEncoder
from fastdnn.tables.numbers import NumberEncoder
from fastdnn.tables.targets import TargetMeans

# What is stored of each encoder: of numbers `more` are flags, of categories all levels that
# there were, of means how many there are for a level.
_OF_NUMBERS, _OF_CATEGORIES, _OF_MEANS = range(3)
_HAS_MISSING, _IS_CONSTANT = 1, 2
_KINDS = NUMBER, CATEGORY, DATE
_WORDS = None, True, False
# What a level is.
_MISSING, _TEXT, _INTEGER, _FLOAT, _BOOLEAN = range(5)


class _Row(NamedTuple):
    """What is stored of one encoder."""

    kind: int
    column: int
    part: int
    size: int
    more: int


def plain_encoder(encoder: TableEncoder) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return how many there are of what, and arrays of it, of a fitted encoder."""
    rows: list[_Row] = []
    numbers, edges, levels, means = [], [np.zeros(0)], [], [np.zeros(0)]
    for source, (_, one) in zip(encoder._sources, encoder._encoders, strict=True):
        if isinstance(one, NumberEncoder):
            flags = _HAS_MISSING * one.has_missing + _IS_CONSTANT * one.is_constant
            rows.append(_Row(_OF_NUMBERS, *source, one.edges.size, flags))
            numbers.append((one.median, one.scale))
            edges.append(one.edges)
            continue
        own = list(one.positions)
        levels += own
        if isinstance(one, CategoryEncoder):
            rows.append(_Row(_OF_CATEGORIES, *source, len(own), one.n_levels))
        else:
            rows.append(_Row(_OF_MEANS, *source, len(own), one.means.shape[1]))
            means.append(one.means.ravel())
    dropped = [text for pair in encoder.dropped_.items() for text in pair]
    tensors: dict[str, np.ndarray] = {
        "encoders": np.array(rows, np.int64).reshape(-1, len(_Row._fields)),
        "numbers": np.array(numbers, np.float64).reshape(-1, 2),
        "edges": np.concatenate(edges),
        "means": np.concatenate(means),
        "columns.kinds": np.array([_KINDS.index(k) for k in encoder._kinds], np.uint8),
        "columns.words": np.array([_WORDS.index(w) for w in encoder._words], np.uint8),
        **_plain_texts("columns", encoder._names),
        **_plain_texts("dropped", dropped),
        **_plain_levels(levels),
    }
    counts = {
        "n_columns": len(encoder._names),
        "has_names": hasattr(encoder, "feature_names_in_"),
        "n_encoders": len(rows),
        "n_numbers": len(numbers),
        "n_edges": tensors["edges"].size,
        "n_means": tensors["means"].size,
        "n_levels": len(levels),
        "n_dropped": len(encoder.dropped_),
        "column_bytes": tensors["columns.text"].size,
        "dropped_bytes": tensors["dropped.text"].size,
        "level_bytes": tensors["levels.text"].size,
        "is_sparse": bool(encoder._is_sparse),
    }
    return counts, tensors


def encoder_from(
    encoder: TableEncoder, counts: dict[str, Any], tensors: dict[str, np.ndarray]
) -> TableEncoder:
    """Give an encoder what `plain_encoder` returned of a fitted one.

    Raises
    ------
    ValueError
        If that is not what a fit comes to.
    """
    names = _texts("columns", tensors)
    kinds = [_KINDS[code] for code in _codes("columns.kinds", tensors, len(_KINDS))]
    words = [_WORDS[code] for code in _codes("columns.words", tensors, len(_WORDS))]
    dropped = _texts("dropped", tensors)
    levels = _levels(tensors)
    encoder._names, encoder._kinds, encoder._words = names, kinds, words
    encoder.dropped_ = dict(zip(dropped[::2], dropped[1::2], strict=True))
    encoder.n_features_in_ = len(names)
    if counts["has_names"]:
        encoder.feature_names_in_ = np.array(names, dtype=object)
    numbers, edges, means = (tensors[name] for name in ("numbers", "edges", "means"))
    encoder._sources, encoder._encoders = [], []
    n_numbers = n_edges = n_levels = n_means = 0
    for values in tensors["encoders"].tolist():
        row = _Row(*values)
        name = _name_of(row, names, kinds, encoder._sources)
        _require(row.size >= 0 and row.more >= 0, f"encoders has {values}")
        if row.kind == _OF_NUMBERS:
            _require(n_numbers < len(numbers), "numbers has too few rows")
            own = edges[n_edges : n_edges + row.size]
            median, scale = numbers[n_numbers].tolist()
            is_valid = own.size == row.size and row.size != 1 and (np.diff(own) > 0.0).all()
            _require(bool(is_valid), f"the edges of {shown(name)} do not ascend")
            _require(scale > 0.0, f"the scale of {shown(name)} is {scale}")
            _require(row.more <= _HAS_MISSING + _IS_CONSTANT, f"encoders has {values}")
            flags = bool(row.more & _HAS_MISSING), bool(row.more & _IS_CONSTANT)
            one: Any = NumberEncoder.of_numbers(name, median, scale, own, *flags)
            n_numbers, n_edges = n_numbers + 1, n_edges + row.size
        else:
            own_levels = levels[n_levels : n_levels + row.size]
            are_all = len(own_levels) == row.size == len(set(own_levels))
            _require(are_all, f"the levels of {shown(name)} are not each there once")
            n_levels += row.size
            if row.kind == _OF_CATEGORIES:
                one = CategoryEncoder.of_levels(name, own_levels, row.more)
            else:
                size = (row.size + 1) * row.more
                own = means[n_means : n_means + size]
                _require(own.size == size > 0, f"the means of {shown(name)} are not there")
                one = TargetMeans.of_means(name, own_levels, own.reshape(-1, row.more))
                n_means += size
        encoder._sources.append(Source(row.column, row.part))
        encoder._encoders.append((name, one))
    used = n_numbers, n_edges, n_levels, n_means
    there = len(numbers), edges.size, len(levels), means.size
    _require(used == there, f"the encoders use {used} of {there} numbers")
    encoder._is_sparse = counts["is_sparse"]
    encoder.n_features_out_ = sum(len(one.names) for _, one in encoder._encoders)
    return encoder


def _name_of(row: _Row, names: list[str], kinds: list[str], before: list[Source]) -> str:
    """Return the name of what an encoder encodes; check that there is such a thing."""
    _require(row.kind in (_OF_NUMBERS, _OF_CATEGORIES, _OF_MEANS), f"encoders has {row}")
    _require(0 <= row.column < len(names), f"encoders has {row}")
    kind = kinds[row.column]
    n_parts = len(SUFFIXES) if kind == DATE else 1
    _require(0 <= row.part < n_parts, f"encoders has {row}")
    is_number = kind == NUMBER or (kind == DATE and row.part == 0)
    _require(is_number == (row.kind == _OF_NUMBERS), f"encoders has {row}")
    source = row.column, row.part
    _require(not before or before[-1] <= source, "encoders are not in order")
    return names[row.column] + (SUFFIXES[row.part] if kind == DATE else "")


def _require(is_right: bool, what: str) -> None:
    if not is_right:
        raise ValueError(f"its encoder is damaged: {what}")


# -- texts and levels ---------------------------------------------------------------------


def _plain_texts(name: str, texts: list[str]) -> dict[str, np.ndarray]:
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    text = np.frombuffer(b"".join(parts), np.uint8)
    return {f"{name}.text": text, f"{name}.ends": ends}


def _texts(name: str, tensors: dict[str, np.ndarray]) -> list[str]:
    text, ends = tensors[f"{name}.text"], tensors[f"{name}.ends"]
    bounds = np.concatenate([[0], ends])
    is_valid = (np.diff(bounds) >= 0).all() and bounds[-1] == text.size
    _require(bool(is_valid), f"{name}.ends do not cut {name}.text")
    raw = text.tobytes()
    pairs = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    try:
        return [raw[start:end].decode("utf-8", "surrogatepass") for start, end in pairs]
    except UnicodeDecodeError:
        raise ValueError(f"its encoder is damaged: {name}.text is no text") from None


def _codes(name: str, tensors: dict[str, np.ndarray], n: int) -> list[int]:
    codes = tensors[name].tolist()
    _require(all(code < n for code in codes), f"{name} has codes that do not exist")
    return codes


def _plain_levels(levels: list[Any]) -> dict[str, np.ndarray]:
    kinds = np.array([_kind_of(level) for level in levels], np.uint8)
    texts = [level if isinstance(level, str) else "" for level in levels]
    integers = [int(level) if isinstance(level, int) else 0 for level in levels]
    floats = [level if isinstance(level, float) else 0.0 for level in levels]
    return {
        "levels.kinds": kinds,
        "levels.integers": np.array(integers, np.int64),
        "levels.floats": np.array(floats, np.float64),
        **_plain_texts("levels", texts),
    }


def _kind_of(level: Any) -> int:
    if level is None:
        return _MISSING
    if isinstance(level, str):
        return _TEXT
    if isinstance(level, bool):
        return _BOOLEAN
    return _INTEGER if isinstance(level, int) else _FLOAT


def _levels(tensors: dict[str, np.ndarray]) -> list[Any]:
    kinds = _codes("levels.kinds", tensors, _BOOLEAN + 1)
    texts = _texts("levels", tensors)
    integers, floats = tensors["levels.integers"].tolist(), tensors["levels.floats"].tolist()
    _require(not any(v != v for v in floats), "levels.floats has NaN")
    makers = {
        _MISSING: lambda i: None,
        _TEXT: lambda i: texts[i],
        _INTEGER: lambda i: integers[i],
        _FLOAT: lambda i: floats[i],
        _BOOLEAN: lambda i: bool(integers[i]),
    }
    return [makers[kind](i) for i, kind in enumerate(kinds)]
