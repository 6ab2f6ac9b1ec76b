"""Write the README's tables of figures from the results of the benchmarks.

    python -m benchmarks.compare --json benchmarks/speed.json
    python -m benchmarks.accuracy
    python scripts/benchmark_tables.py [--check]

Every figure in the README stands between markers that this script fills; ``--check`` ends
with an error if the README and the results disagree.
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def speed_table() -> str:
    """Return the table of whole fits, wins and losses alike."""
    stored = json.loads((ROOT / "benchmarks" / "speed.json").read_text())
    results, environment = stored["results"], stored["environment"]
    others = [who for who in next(iter(results.values())) if who != "fastdnn"]
    lines = [
        "| case | fastdnn, µs a step | " + " | ".join(f"over {who}" for who in others) + " |",
        "|---|---|" + "---|" * len(others),
    ]
    for name, figures in results.items():
        cells = [
            f"{figures[who]['ratio']:.1f}x ({figures[who]['lowest']:.1f} to "
            f"{figures[who]['highest']:.1f})"
            for who in others
        ]
        step = figures["fastdnn"]["us_per_step"]
        lines.append(f"| {name} | {step:.0f} | " + " | ".join(cells) + " |")
    versions = ", ".join(f"{name} {v}" for name, v in environment["versions"].items())
    blas = "; ".join(environment["blas"])
    lines += [
        "",
        f"Median of {stored['turns']} interleaved turns, lowest and highest in brackets; same",
        "hyperparameters, epochs, float64 input and loss reached, everything warmed up.",
        f"{environment['processor']}, {environment['cpus']} CPUs, Python "
        f"{environment['python']}, {versions}. BLAS: {blas}.",
    ]
    return "\n".join(lines)


def accuracy_table() -> str:
    """Return the table of test scores in float32."""
    stored = json.loads((ROOT / "benchmarks" / "accuracy.json").read_text())
    lines = [
        "| data | fastdnn | scikit-learn | difference | standard error |",
        "|---|---|---|---|---|",
    ]
    for name, row in stored.items():
        lines.append(
            f"| {name} | {row['fastdnn']:.4f} | {row['scikit-learn']:.4f} "
            f"| {row['difference']:+.5f} | {row['standard_error']:.5f} |"
        )
    return "\n".join(lines)


SECTIONS = {"speed": speed_table, "accuracy": accuracy_table}


def filled(text: str) -> str:
    """Return the README with every section filled in."""
    for name, table in SECTIONS.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if begin not in text or end not in text:
            sys.exit(f"README.md has no markers {begin} and {end}.")
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        block = f"{begin}\n{table()}\n{end}"
        text = pattern.sub(lambda _, block=block: block, text)
    return text


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    text = README.read_text()
    new = filled(text)
    if arguments.check:
        if new != text:
            sys.exit("README.md and the benchmark results disagree: run this script.")
        return
    README.write_text(new)


if __name__ == "__main__":
    main()
