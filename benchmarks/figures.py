"""Stored results of benchmarks, and figures in words: what the tables of documents need.

Needs nothing but the standard library, so that a check runs wherever Python does.
"""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

#: The command that stores the results of each JSON file.
COMMANDS = {
    "speed": "python -m benchmarks.compare --all --json",
    "accuracy": "python -m benchmarks.accuracy",
    "matmul": "python -m benchmarks.matmul_share --json",
    "prediction": "python -m benchmarks.prediction --json",
    "cold_start": "python -m benchmarks.cold_start --json",
    "scaling": "python -m benchmarks.scaling --json",
    "grid_search": "python -m benchmarks.grid_search --json",
    "search": "python -m benchmarks.search --json",
    "stream": "python -m benchmarks.stream --json",
    "memory": "python -m benchmarks.memory --json",
    "members": "python -m benchmarks.members --json",
    "ablation": "python -m benchmarks.ablation --json",
    "features": "python -m benchmarks.features --json",
    "tables": "python -m benchmarks.tables --data FOLDER --large --json",
}

#: The comparisons that `benchmarks.compare --all` stores, the main one first.
VARIANTS = [
    "relu float32",
    "tanh float32",
    "logistic float32",
    "relu float64",
    "tanh float64",
    "relu float32 one thread",
]


class MissingResults(Exception):
    """Results that a table or picture shows are not stored."""


def stored(name: str) -> Any:
    """Return the results in ``benchmarks/<name>.json``."""
    try:
        return json.loads((FOLDER / f"{name}.json").read_text())
    except FileNotFoundError:
        raise MissingResults(f"benchmarks/{name}.json is missing: {COMMANDS[name]}") from None


def digits(value: float) -> str:
    """Return a number with about three digits: 0.85, 3.20, 20.2, 312."""
    size = abs(value)
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def times(value: float) -> str:
    """Return a ratio, with a second decimal where it tells a win from a loss."""
    return f"{value:.2f}x" if value < 2 else f"{value:.1f}x"


def times_with_spread(figures: dict[str, float]) -> str:
    """Return a median ratio with the lowest and the highest in brackets."""
    lowest, highest = (times(figures[end])[:-1] for end in ("lowest", "highest"))
    return f"{times(figures['ratio'])} ({lowest} to {highest})"


def duration(seconds: float) -> str:
    """Return seconds in the unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{digits(seconds / size)} {unit}"
    return f"{digits(1e6 * seconds)} µs"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def described(environment: dict[str, Any]) -> str:
    """Return processor, versions and BLAS threads in a line."""
    versions = ", ".join(f"{name} {v}" for name, v in environment["versions"].items())
    cpus = environment["cpus"]
    return (
        f"{environment['processor']}, {cpus} CPU{'s' if cpus > 1 else ''}, Python "
        f"{environment['python']}, {versions}. BLAS: {'; '.join(environment['blas'])}."
    )


def variant(name: str) -> Any:
    """Return one comparison of ``benchmarks/speed.json``."""
    variants = stored("speed")
    if name not in variants:
        raise MissingResults(
            f"benchmarks/speed.json has no comparison {name!r}: {COMMANDS['speed']}"
        )
    return variants[name]


def machine(results: dict[str, Any]) -> str:
    """Describe where results were made, in short if that is where the first table was."""
    here, first = results["environment"], variant(VARIANTS[0])["environment"]
    versions = here["versions"].items() <= first["versions"].items()
    if versions and all(here[key] == first[key] for key in ("processor", "cpus", "blas")):
        return "Machine, versions and BLAS threads as in the first table."
    return described(here)
