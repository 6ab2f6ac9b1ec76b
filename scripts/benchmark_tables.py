"""Write the tables and pictures of figures in the documents from the benchmarks' results.

    python scripts/benchmark_tables.py [--check]

Every table of figures in README.md and in the pages below ``scripts/docs/`` stands between
markers that this script fills from the JSON files in ``benchmarks/``; the pictures are drawn
into ``benchmarks/pictures/``. ``--check``, which needs no matplotlib, ends with an error if a
table or a picture does not show the stored results. Results that are missing are named, with
the command that makes them.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

sys.path.insert(0, str(ROOT))  # the benchmarks are not installed

from benchmarks import figures, markdown, pictures  # noqa: E402 - found only after the line above

#: What has tables: one that is marked nowhere in them is an error.
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "scripts" / "docs").rglob("*.md"))]

_MARKED = re.compile(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", re.DOTALL)
_MARKER = re.compile(r"<!-- \w+:(?:begin|end) -->")


def filled(text: str, name: str, problems: list[str]) -> tuple[str, set[str]]:
    """Return a document with its tables filled in, and their names.

    Parameters
    ----------
    text : str
        The document.
    name : str
        What to call it in a problem.
    problems : list of str
        Gets what cannot be filled in.
    """
    found: set[str] = set()

    def table(match: re.Match) -> str:
        marker = match[1]
        found.add(marker)
        if marker not in markdown.TABLES:
            problems.append(f"{name}: there is no table {marker!r}: {list(markdown.TABLES)}.")
            return match[0]
        try:
            rows = markdown.TABLES[marker]()
        except figures.MissingResults as missing:
            problems.append(str(missing))
            return match[0]
        return f"<!-- {marker}:begin -->\n{rows}\n<!-- {marker}:end -->"

    new = _MARKED.sub(table, text)
    if len(_MARKER.findall(text)) != 2 * len(_MARKED.findall(text)):
        problems.append(f"{name}: a marker has no partner, or stands between two others.")
    return new, found


def update_tables(problems: list[str], *, check: bool) -> None:
    """Fill the tables of all documents, or name those that do not show the results."""
    shown: set[str] = set()
    for document in DOCUMENTS:
        name = str(document.relative_to(ROOT))
        text = document.read_text(encoding="utf-8")
        new, found = filled(text, name, problems)
        shown |= found
        if new == text:
            continue
        if check:
            problems.append(f"{name} and the benchmark results disagree: run this script.")
        else:
            document.write_text(new, encoding="utf-8")
    problems += [
        f"No document shows the table {name!r}: mark its place by <!-- {name}:begin --> and "
        f"<!-- {name}:end -->."
        for name in markdown.TABLES
        if name not in shown
    ]


def update_pictures(problems: list[str], *, check: bool) -> None:
    """Draw the pictures, or name those that do not show the stored results."""
    for name in pictures.PICTURES:
        path = pictures.FOLDER / name
        try:
            results = figures.stored(path.stem)
        except figures.MissingResults as missing:
            problems.append(str(missing))
            continue
        if not check:
            pictures.draw(name, results)
        elif pictures.digest_in(path) != pictures.digest(results):
            problems.append(
                f"{path.relative_to(ROOT)} does not show benchmarks/{path.stem}.json."
            )


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    problems: list[str] = []
    update_tables(problems, check=arguments.check)
    update_pictures(problems, check=arguments.check)
    if problems:
        sys.exit("\n".join(dict.fromkeys(problems)))


if __name__ == "__main__":
    main()
