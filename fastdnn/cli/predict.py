"""Predict the rows of a file with a saved model, part by part."""

import argparse
import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from fastdnn.cli.failures import Failure
from fastdnn.cli.files import Source, columns_of, parts_of, source_of

NAME = "predict"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("model", metavar="MODEL", help="a file that train or save has written")
    parser.add_argument("data", metavar="DATA", help="a .csv, .tsv or .parquet file")
    parser.add_argument(
        "--separator", metavar="C", help="between the columns of CSV (default: a comma)"
    )
    parser.add_argument("--output", metavar="FILE", help="CSV file (default: stdout)")
    parser.add_argument(
        "--probabilities", action="store_true", help="add the probability of each class"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=50_000,
        metavar="N",
        help="rows that are read at a time (default: 50000)",
    )


def run(given: argparse.Namespace) -> None:
    """Predict, and write as CSV."""
    model, source = load(given.model), source_of(given.data, given.separator)
    if given.rows < 1:
        raise Failure(f"--rows {given.rows}: this must be at least 1.")
    if given.probabilities and not hasattr(model, "predict_proba"):
        raise Failure(
            f"{given.model}: a {type(model).__name__} as this has no probabilities. Leave "
            "--probabilities out."
        )
    names = _columns_needed(model, source)
    first = 1
    with _output(given.output) as file:
        writer = csv.writer(file, lineterminator="\n")
        for part in parts_of(source, given.rows, _texts(model)):
            rows = part.select(names)
            try:
                header, columns = _predicted(model, rows, given.probabilities)
            except ValueError as error:
                last = first + part.height - 1
                raise Failure(f"{source.path}, rows {first} to {last}: {error}") from error
            if first == 1:
                writer.writerow(header)
            writer.writerows(zip(*columns, strict=True))
            first += part.height
    if first == 1:
        raise Failure(f"{source.path}: the table has no rows.")


def load(name: str) -> Any:
    """Return the model in a file.

    Raises
    ------
    Failure
        If there is none.
    """
    from fastdnn._load import load as load_model

    if not Path(name).is_file():
        raise Failure(f"{name}: there is no such file.")
    return load_model(name)


def _columns_needed(model: Any, source: Source) -> list[str]:
    """Return the names of the columns that the model was fitted on."""
    there = columns_of(source)
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        n_features = getattr(model, "n_features_in_", None)
        if n_features is None:
            raise Failure(
                f"The model is a {type(model).__name__}, but must be a fitted estimator."
            )
        if n_features != len(there):
            raise Failure(
                f"{source.path} has {len(there)} columns, but the model was fitted on "
                f"{n_features}, without names. Give a table with those only, in their order."
            )
        return there
    missing = [name for name in names if name not in there]
    if missing:
        raise Failure(
            f"{source.path}: there is no column {', '.join(map(repr, missing[:10]))}"
            f"{', ...' * (len(missing) > 10)}, which the model was fitted on. The file has "
            f"{', '.join(map(repr, there[:20]))}{', ...' * (len(there) > 20)}."
        )
    return list(names)


def _texts(model: Any) -> list[str]:
    """Return the columns whose levels are strings, whatever they look like in the file."""
    encoder = getattr(model, "encoder_", None)
    if encoder is None or not hasattr(model, "feature_names_in_"):
        return []
    texts: dict[str, None] = {}
    for source, (_, one) in zip(encoder._sources, encoder._encoders, strict=True):
        if any(isinstance(level, str) for level in getattr(one, "positions", ())):
            texts[model.feature_names_in_[source.column]] = None
    return list(texts)


def _predicted(model: Any, rows: Any, probabilities: bool) -> tuple[list[str], list[Any]]:
    """Return the names of what is predicted, and its columns."""
    X = rows if hasattr(model, "feature_names_in_") else rows.to_numpy()
    y = np.asarray(model.predict(X))
    names, columns = ["prediction"], [y.tolist()]
    if y.ndim == 2:
        names = [f"prediction_{i}" for i in range(y.shape[1])]
        columns = y.T.tolist()
    if probabilities:
        P = np.asarray(model.predict_proba(X))
        names += [f"probability_{c}" for c in model.classes_]
        columns += P.T.tolist()
    return names, columns


@contextmanager
def _output(name: str | None) -> Iterator[TextIO]:
    """Open what is written to; a file has its name only once all of it is there."""
    if name is None:
        yield sys.stdout
        return
    path = Path(name)
    if not path.absolute().parent.is_dir():
        raise Failure(f"{path}: there is no folder {path.absolute().parent}.")
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
