"""Train a model on the table in a file, and report how good it is."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fastdnn.cli.failures import Failure
from fastdnn.cli.files import source_of, whole_table
from fastdnn.cli.sampled import sample_of
from fastdnn.cli.targets import is_classes, values_of

NAME = "train"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("data", metavar="DATA", help="a .csv, .tsv or .parquet file")
    parser.add_argument(
        "--separator", metavar="C", help="between the columns of CSV (default: a comma)"
    )
    parser.add_argument("--target", required=True, metavar="NAME", help="column to predict")
    parser.add_argument("--output", required=True, metavar="MODEL", help="file for the model")
    parser.add_argument(
        "--task",
        choices=["auto", "classification", "regression"],
        default="auto",
        help="what to predict; by default what the target looks like",
    )
    parser.add_argument(
        "--drop", nargs="+", default=[], metavar="NAME", help="columns to leave out"
    )
    parser.add_argument(
        "--categorical",
        nargs="+",
        default=[],
        metavar="NAME",
        help="columns that are categories though they look like numbers",
    )
    parser.add_argument(
        "--test",
        type=_fraction,
        default=0.2,
        metavar="SHARE",
        help="share of the rows that the report is about, which are not trained on; 0 for "
        "none (default: 0.2)",
    )
    parser.add_argument(
        "--rows",
        type=_count,
        metavar="N",
        help="rows to take at most, drawn at random; the file is read in parts, and may be "
        "larger than memory (default: all)",
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="Markdown file for the report; its picture is beside it (default: MODEL with "
        "the ending .md)",
    )
    parser.add_argument("--members", type=_count, default=4, metavar="N", help="networks")
    parser.add_argument("--epochs", type=_count, metavar="N", help="epochs of training")
    parser.add_argument("--max-time", type=float, metavar="SECONDS", help="time for training")
    parser.add_argument("--threads", type=_count, metavar="N", help="threads")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(default: 0)")
    parser.add_argument("--quiet", action="store_true", help="print no progress")


def run(given: argparse.Namespace) -> None:
    """Train, save and report."""
    from fastdnn.cli.report import report_on, written

    source = source_of(given.data, given.separator)
    output, report_file = _output_files(given)
    if given.rows is None:
        frame = whole_table(source, given.categorical)
    else:
        frame, n_rows = sample_of(source, given.rows, given.seed, given.categorical)
        print(f"{frame.height} of {n_rows} rows are taken.")
    _require_columns(frame, given, source.path)
    frame = frame.drop(given.drop)
    if frame[given.target].dtype.is_float():
        frame = frame.with_columns(frame[given.target].fill_nan(None))
    n_missing = frame[given.target].null_count()
    frame = frame.drop_nulls(given.target)
    if frame.height == 0:
        raise Failure(f"{source.path}: column {given.target!r} is empty.")
    are_classes = is_classes(frame[given.target], given.task)
    y = values_of(frame[given.target], are_classes)
    X = frame.drop(given.target)
    rows, others = _split(len(y), given, y if are_classes else None)
    print(
        f"{len(rows)} rows to train on, {len(others)} to test, {X.width} columns; "
        f"{given.target!r} is {'a class' if are_classes else 'a number'}."
    )
    if n_missing:
        print(f"{n_missing} rows without {given.target!r} are left out.")
    model = _model(given, are_classes)
    start = time.perf_counter()
    model.fit(X[rows.tolist()], y[rows])
    seconds = time.perf_counter() - start
    if not given.quiet:
        print(file=sys.stderr)
    model.save(output)
    print(f"Trained in {seconds:.1f} s and saved as {output}.")
    if len(others) > 0:
        report = report_on(model, X[others.tolist()], y[others], y[rows])
        print(f"\n{report.text}")
        for path in written(report, report_file, source.path, given.target, model):
            print(f"Written: {path}")


def _fraction(text: str) -> float:
    value = float(text)
    if not 0.0 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0 and below 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _output_files(given: argparse.Namespace) -> tuple[Path, Path]:
    """Return where the model and the report go; before hours are spent on training."""
    output = Path(given.output)
    report = Path(given.report) if given.report else output.with_suffix(".md")
    if output in (report, report.with_suffix(".png")):
        raise Failure(
            f"{output}: the report would overwrite the model. Name another --report."
        )
    for path in (output, report):
        if not path.absolute().parent.is_dir():
            raise Failure(f"{path}: there is no folder {path.absolute().parent}.")
        if path.is_dir() or not os.access(path.absolute().parent, os.W_OK):
            raise Failure(f"{path}: this cannot be written.")
    return output, report


def _require_columns(frame: Any, given: argparse.Namespace, path: Path) -> None:
    for name in [given.target, *given.drop, *given.categorical]:
        if name not in frame.columns:
            raise Failure(
                f"{path}: there is no column {name!r}. It has "
                f"{', '.join(map(repr, frame.columns[:20]))}{', ...' * (frame.width > 20)}."
            )
    if given.target in given.drop:
        raise Failure(f"--drop {given.target}: that is the target.")
    if frame.width - len(set(given.drop)) < 2:
        raise Failure(f"{path}: there is no column to predict {given.target!r} from.")


def _split(
    n_rows: int, given: argparse.Namespace, classes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and rows to test; of each class the same share, if possible."""
    from sklearn.model_selection import train_test_split

    every = np.arange(n_rows)
    n_test = round(given.test * n_rows)
    if n_test == 0:
        return every, every[:0]
    if classes is not None:
        counts = np.unique(classes, return_counts=True)[1]
        if counts.min() < 2 or n_test < len(counts) or n_rows - n_test < len(counts):
            classes = None
    rows, others = train_test_split(
        every, test_size=n_test, random_state=given.seed, stratify=classes
    )
    return np.sort(rows), np.sort(others)


def _model(given: argparse.Namespace, are_classes: bool) -> Any:
    from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor

    kind = TabularDNNClassifier if are_classes else TabularDNNRegressor
    return kind(
        n_members=given.members,
        max_epochs=given.epochs or "auto",
        max_time=given.max_time,
        random_state=given.seed,
        n_threads=given.threads,
        callbacks=None if given.quiet else [_show],
    )


def _show(progress: Any) -> None:
    is_terminal = sys.stderr.isatty()
    line = (
        f"{progress.stage}: epoch {progress.epoch:.0f} of {progress.n_epochs}, "
        f"loss {progress.loss:.4g}, {progress.seconds:.0f} s"
    )
    if is_terminal:
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
    elif progress.validation_loss is not None:
        print(line, file=sys.stderr)
