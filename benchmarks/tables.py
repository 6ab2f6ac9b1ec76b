"""Every estimator for tables on the same splits of all tables in a folder.

    python -m benchmarks.tables --data FOLDER [TABLE ...] [--cap ROWS] [--seeds N] [--json]
    python -m benchmarks.tables --large [ROWS] [--json]

All get the same 60 % of the rows to train on, with their default settings; those that say so
also the 20 % to validate on. Each fit has a process of its own (`benchmarks.table_fit`). With
``--json`` each is stored as soon as it is done, and those that are stored already are not run
again, so that a run that was ended goes on; ``--again`` runs them. ``--large`` fits one table
of 20 columns that is made. ``--untimed`` is for a machine that does other things: seconds and
memory are not stored, and a later run without it counts such fits as missing.
"""

import argparse
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import add_json_option, environment
from benchmarks.real_tables import names_in
from benchmarks.table_contenders import CONTENDERS, why_missing
from benchmarks.table_fit import Work, measure
from benchmarks.table_markdown import standing_of
from benchmarks.table_summary import Results

_LARGE_ROWS = 1_000_000
_OF_LARGE = "hgb", "fastdnn_4", "fastdnn_val_4"
_KEY = "contender", "table", "seed"
_TIMED = "fit_s", "predict_s", "memory"


class Stored:
    """Results, in a file if there is one: complete after every fit.

    Parameters
    ----------
    path : Path or None
        The file.
    cap : int
        Rows to train on; all records have the same.

    Raises
    ------
    ValueError
        If the file has results with another cap.
    """

    def __init__(self, path: Path | None, cap: int) -> None:
        self._path = path
        self.results: Results = {"cap": cap, "environments": [], "records": [], "large": {}}
        if path is not None and path.exists():
            self.results |= json.loads(path.read_text())
        if self.results["records"] and self.results["cap"] != cap:
            raise ValueError(
                f"{path} has fits on at most {self.results['cap']} rows, got --cap {cap}. "
                "Give the same, or another file to --json."
            )
        self.results["cap"] = cap
        self.results["contenders"] = {
            name: {"title": c.title, "validates": c.validates, "members": c.members}
            for name, c in CONTENDERS.items()
        }

    def has(self, work: Work, timed: bool) -> bool:
        """Whether a fit is there; one that failed, or without seconds if asked for, is not."""
        found = [r for r in self.results["records"] if _key(r) == _key(work._asdict())]
        return any("failed" not in r and (not timed or "fit_s" in r) for r in found)

    def add(self, work: Work, found: dict[str, Any], here: dict[str, Any]) -> None:
        """Put a fit in the place of one of the same contender, table and seed.

        Raises
        ------
        ValueError
            If the table is split in another way than that of the stored fits.
        """
        records = [r for r in self.results["records"] if _key(r) != _key(work._asdict())]
        for other in records:
            same = (other["table"], other["seed"]) == (work.table, work.seed)
            if same and other.get("split", "") != found.get("split", other.get("split", "")):
                raise ValueError(
                    f"{work.table} is not the table of the stored fits: its rows are split in "
                    "another way. Give another file to --json."
                )
        about = {"contender": work.contender, "table": work.table, "seed": work.seed}
        records.append(about | found | {"environment": self._place_of(here)})
        self.results["records"] = sorted(records, key=_order)
        self._write()

    def add_large(self, work: Work, found: dict[str, Any], here: dict[str, Any]) -> None:
        """Store a fit on the large table."""
        self.results["large"][work.contender] = found | {"environment": self._place_of(here)}
        self._write()

    def _place_of(self, here: dict[str, Any]) -> int:
        environments = self.results["environments"]
        if here not in environments:
            environments.append(here)
        return environments.index(here)

    def _write(self) -> None:
        """Leave out machines that no fit is of, and write all or nothing."""
        fits = [*self.results["records"], *self.results["large"].values()]
        used = sorted({fit["environment"] for fit in fits})
        for fit in fits:
            fit["environment"] = used.index(fit["environment"])
        self.results["environments"] = [self.results["environments"][i] for i in used]
        if self._path is not None:
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps(self.results, indent=1) + "\n")
            os.replace(part, self._path)

    def only(self, contenders: list[str], tables: list[str]) -> Results:
        """Return the results of some contenders and tables."""
        records = [
            r
            for r in self.results["records"]
            if r["contender"] in contenders and r["table"] in tables
        ]
        known = self.results["contenders"]
        about = {name: known[name] for name in known if name in contenders}
        return self.results | {"records": records, "contenders": about}


def _key(record: dict[str, Any]) -> tuple:
    return tuple(record[name] for name in _KEY)


def _order(record: dict[str, Any]) -> tuple:
    return record["table"], record["seed"], list(CONTENDERS).index(record["contender"])


def works(
    folder: Path, tables: list[str], n_seeds: int, contenders: list[str], cap: int
) -> Iterator[Work]:
    """Yield all fits; contenders take turns, so that a busy hour is nobody's alone."""
    for table, seed in itertools.product(tables, range(n_seeds)):
        for contender in contenders:
            yield Work(contender, seed, str(folder.resolve()), table, cap)


def _said(found: dict[str, Any]) -> str:
    shown = ("failed", "error", "nrmse", "1-auc", "log_loss", "fit_s", "predict_s", "memory")
    return ", ".join(f"{name} {found[name]}" for name in shown if name in found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", help="names of tables; all by default")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="has NAME.npz for each")
    parser.add_argument("--cap", type=int, default=10_000, help="rows to train on, at most")
    parser.add_argument("--seeds", type=int, default=2, help="splits of each table")
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), metavar="NAME")
    parser.add_argument("--large", type=int, nargs="?", const=_LARGE_ROWS, metavar="ROWS")
    parser.add_argument("--again", action="store_true", help="run what is stored, too")
    parser.add_argument("--untimed", action="store_true", help="store no seconds, no memory")
    parser.add_argument(
        "--limit", type=float, default=7200.0, help="seconds of a fit's process"
    )
    add_json_option(parser, "tables.json")
    return parser


def main() -> None:
    """Fit, print, and store."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.data is None and arguments.large is None:
        parser.error("give --data FOLDER, --large, or both")
    if arguments.large is not None and arguments.untimed:
        parser.error("--large has nothing but seconds and memory: leave out --untimed")
    for name in arguments.contenders or CONTENDERS:
        if reason := why_missing(name):
            print(reason)
    contenders = [n for n in arguments.contenders or CONTENDERS if why_missing(n) is None]
    try:
        stored = Stored(arguments.json, arguments.cap)
    except ValueError as error:
        parser.error(str(error))
    here = environment("catboost", "lightgbm", "pytabkit", "torch")
    if arguments.data is not None:
        known = names_in(arguments.data)
        tables = arguments.tables or known
        if not known or not set(tables) <= set(known):
            parser.error(f"{arguments.data} has the tables {known}, not {tables}")
        for work in works(arguments.data, tables, arguments.seeds, contenders, arguments.cap):
            if not arguments.again and stored.has(work, not arguments.untimed):
                continue
            found = measure(work, arguments.limit)
            print(f"{work.table} {work.seed} {work.contender}: {_said(found)}", flush=True)
            if arguments.untimed:
                found = {k: v for k, v in found.items() if k not in _TIMED}
            stored.add(work, found, here)
        print(standing_of(stored.only(contenders, tables)))
    if arguments.large is not None:
        for contender in arguments.contenders or _OF_LARGE:
            work = Work(contender, 0, None, "large", arguments.large)
            found = measure(work, arguments.limit)
            size = found.get("table_bytes")
            print(
                f"{contender}, {arguments.large} rows, {size} bytes: {_said(found)}",
                flush=True,
            )
            stored.add_large(work, found, here)


if __name__ == "__main__":
    main()
