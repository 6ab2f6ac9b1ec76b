"""The table of training on streams, in Markdown."""

from collections.abc import Callable

from benchmarks.figures import duration, machine, stored, table, times_with_spread


def stream_table() -> str:
    """Return training on streams of files beside training in memory."""
    results = stored("stream")
    is_extrapolated = results["is_extrapolated"]
    rows = [
        [
            network,
            _WAYS_TO_READ[way],
            duration(f["seconds"]),
            times_with_spread(f | {"ratio": f["share"]}),
            f"{f['peak'] / 1e6:.0f}",
            *([duration(f["seconds_of_promise"])] if is_extrapolated else []),
        ]
        for network, of_ways in results["results"].items()
        for way, f in of_ways.items()
    ]
    header = [
        "hidden units",
        "X",
        "an epoch",
        "speed over arrays",
        "most memory of the process, MB",
    ]
    if is_extrapolated:
        n_millions = f"{results['rows_of_promise'] / 1e6:.0f} million"
        header.append(f"an epoch of {n_millions} rows, extrapolated")
    return "\n".join(
        [
            table(header, rows),
            "",
            f"{results['rows']} rows of {results['features']} float32 numbers, "
            f"{results['bytes'] / 1e9:.2f} GB; {results['epochs']} epochs, "
            f"{results['turns']} {'turn' if results['turns'] == 1 else 'turns'}.",
            machine(results),
        ]
    )


_WAYS_TO_READ = {
    "memory": "arrays in memory",
    "npy": "stream of .npy files",
    "npy from the disk": "the same, not in the system's cache",
    "parquet": "stream of a Parquet file",
}


#: The tables by the name of their markers in the documents.
TABLES: dict[str, Callable[[], str]] = {"stream": stream_table}
