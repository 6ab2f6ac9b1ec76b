"""Write the README's tables and pictures of figures from the results of the benchmarks.

    python scripts/benchmark_tables.py [--check]

Every figure in the README stands between markers that this script fills from the JSON
files in ``benchmarks/``; the pictures are drawn into ``benchmarks/pictures/``. ``--check``,
which needs no matplotlib, ends with an error if a table or a picture does not show the
stored results. Results that are missing are named, with the command that makes them.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

sys.path.insert(0, str(ROOT))  # the benchmarks are not installed

from benchmarks import pictures, tables  # noqa: E402 - found only after the line above


def filled(text: str, problems: list[str]) -> str:
    """Return the README with every table filled in; what cannot be is added to `problems`."""
    for name, table in tables.TABLES.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if begin not in text or end not in text:
            problems.append(f"README.md has no markers {begin} and {end}.")
            continue
        try:
            block = f"{begin}\n{table()}\n{end}"
        except tables.MissingResults as missing:
            problems.append(str(missing))
            continue
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        text = pattern.sub(lambda _, block=block: block, text)
    return text


def update_pictures(problems: list[str], *, check: bool) -> None:
    """Draw the pictures, or name those that do not show the stored results."""
    for name in pictures.PICTURES:
        path = pictures.FOLDER / name
        try:
            results = tables.stored(path.stem)
        except tables.MissingResults as missing:
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
    text = README.read_text()
    new = filled(text, problems)
    if arguments.check and new != text:
        problems.append("README.md and the benchmark results disagree: run this script.")
    elif not arguments.check:
        README.write_text(new)
    update_pictures(problems, check=arguments.check)
    if problems:
        sys.exit("\n".join(dict.fromkeys(problems)))


if __name__ == "__main__":
    main()
