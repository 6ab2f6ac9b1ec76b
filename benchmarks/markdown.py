"""The tables of figures in the documents, in Markdown, from stored results of benchmarks.

Needs nothing but the standard library, so that a check runs wherever Python does.
"""

import statistics
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from benchmarks import feature_markdown, stream_markdown, table_markdown
from benchmarks.figures import (
    VARIANTS,
    described,
    digits,
    duration,
    machine,
    stored,
    table,
    times,
    times_with_spread,
    variant,
)


def speed_table() -> str:
    """Return the table of whole fits, wins and losses alike."""
    main = variant(VARIANTS[0])
    results = main["results"]
    others = _contenders(results)
    rows = []
    for case, figures in results.items():
        ratios = [times_with_spread(figures[who]) for who in others]
        rows.append([case, f"{figures['fastdnn']['us_per_step']:.0f}", *ratios])
    threads = ", ".join(
        f"{case} {figures['pytorch']['threads']}"
        for case, figures in results.items()
        if "pytorch" in figures
    )
    return "\n".join(
        [
            table(["case", "fastdnn, µs a step", *(f"over {who}" for who in others)], rows),
            "",
            f"Median of {main['turns']} interleaved turns, lowest and highest in brackets;",
            "same hyperparameters, epochs, float64 input and loss. Each timed run comes right",
            "after the same one untimed.",
            *([f"PyTorch on its best number of threads: {threads}."] if threads else []),
            described(main["environment"]),
        ]
    )


def _contenders(results: dict[str, Any]) -> list[str]:
    return [who for who in next(iter(results.values())) if who != "fastdnn"]


def variants_table() -> str:
    """Return geometric means of all comparisons, and their lowest and highest case."""
    main = variant(VARIANTS[0])
    others = _contenders(main["results"])
    rows = []
    for name in VARIANTS:
        results = variant(name)["results"]
        cells = []
        for who in others:
            by_case = {case: f[who]["ratio"] for case, f in results.items() if who in f}
            if not by_case:
                cells.append("not run")
                continue
            mean = statistics.geometric_mean(by_case.values())
            low, high = min(by_case, key=by_case.__getitem__), max(by_case, key=by_case.get)
            cells.append(
                f"{times(mean)} ({low} {times(by_case[low])}, {high} {times(by_case[high])})"
            )
        rows.append([name.replace(" ", ", ", 2), *cells])
    return "\n".join(
        [
            table(["network", *(f"over {who}" for who in others)], rows),
            "",
            "Geometric means over the cases; in brackets the case with the lowest and the one",
            "with the highest ratio. The precision is that of fastdnn, numpy and pytorch;",
            "scikit-learn computes in float64.",
            *(
                f"{name}: {machine(variant(name))}"
                for name in VARIANTS
                if variant(name)["environment"] != main["environment"]
            ),
        ]
    )


def matmul_table() -> str:
    """Return how near steps on one thread come to the products alone."""
    results = stored("matmul")
    rows = []
    for case, f in results["results"].items():
        two = times_with_spread(f["two_threads"]) if "two_threads" in f else "not run"
        rows.append(
            [
                case,
                digits(f["fit_gflops"]),
                digits(f["sgemm_gflops"]),
                f"{f['share']:.0%}",
                two,
            ]
        )
    header = ["case", "steps, GFLOP/s", "sgemm, GFLOP/s", "share", "two threads over one"]
    return f"{table(header, rows)}\n\n{machine(results)}"


def prediction_table() -> str:
    """Return `predict_proba` of many rows and of one."""
    results = stored("prediction")
    rows = []
    for case, figures in results["results"].items():
        layers = "-".join(map(str, figures["layers"]))
        for what in ("many", "one"):
            f = figures[what]
            rows.append(
                [
                    f"{case}, {layers}",
                    str(f["rows"]),
                    duration(f["fastdnn"]),
                    duration(f["scikit-learn"]),
                    times_with_spread(f),
                ]
            )
        for dtype, seconds in figures["network"].items():
            name = f"{case}, `DeepNeuralNetwork`, {dtype}"
            rows.append([name, "1", duration(seconds), "", ""])
    header = ["network", "rows", "fastdnn", "scikit-learn", "over scikit-learn"]
    return f"{table(header, rows)}\n\n{machine(results)}"


def cold_start_table() -> str:
    """Return what compiling costs."""
    results = stored("cold_start")
    parts = list(next(iter(results["results"].values())))
    rows = []
    for dtype, figures in results["results"].items():
        cells = [
            f"{duration(figures[part]['cpu'])}, {duration(figures[part]['wall'])}"
            for part in parts
            if part in figures
        ]
        rows.append([dtype, *cells])
    return f"{table(['CPU, wall', *parts], rows)}\n\n{machine(results)}"


def scaling_table() -> str:
    """Return the cost of an operation against size."""
    results = stored("scaling")
    rows = []
    for name, points in results["panels"].items():
        picoseconds = [point["ps_per_flop"] for point in points]
        rises = [b / a for a, b in pairwise(picoseconds)]
        rows.append(
            [
                name,
                ", ".join(str(point["size"]) for point in points),
                ", ".join(digits(value) for value in picoseconds),
                times(max(rises, default=1.0)),
            ]
        )
    header = ["varied", "sizes", "picoseconds an operation", "largest rise"]
    return f"{table(header, rows)}\n\n{machine(results)}"


def grid_search_table() -> str:
    """Return a grid search by estimator and joblib backend."""
    results = stored("grid_search")
    rows = []
    for who, backends in results["results"].items():
        for backend, f in backends.items():
            t = f["threads"]
            runnable = f"{t['median']:.0f}, {t['maximum']}" if t else "not run"
            best = backend == results["best"][who]
            ratio = times_with_spread(results) if best and who == "fastdnn" else ""
            rows.append([f"{who}, {backend}", duration(f["seconds"]), runnable, ratio])
    header = [
        "estimator and backend",
        "time",
        "runnable threads: median, most",
        "best over best",
    ]
    compiled = results["compiled"]
    return "\n".join(
        [
            table(header, rows),
            "",
            f"{results['jobs']} jobs. Compiled during the searches: "
            f"{compiled['misses'] + compiled['misses_in_workers']} functions, "
            f"{compiled['new_files']} new files in the cache.",
            machine(results),
        ]
    )


def search_table() -> str:
    """Return halving searches that keep their networks, and that begin anew."""
    results = stored("search")
    rows = [
        [
            who,
            ", ".join(f"{duration(t)} ({backend})" for backend, t in f["seconds"].items()),
            times_with_spread(f),
            f"{f['test_score']:.4f}",
        ]
        for who, f in results["results"].items()
    ]
    header = [
        "search",
        "time (backend)",
        "best time over ours",
        "test score of the chosen one",
    ]
    rungs = " and ".join([", ".join(map(str, results[n])) for n in ("candidates", "epochs")])
    short = "A short run, beside other programs. " if results["turns"] < 3 else ""
    return "\n".join(
        [
            table(header, rows),
            "",
            f"{short}Candidates and epochs of the rungs: {rungs}. {results['folds']} folds, "
            f"{results['jobs']} jobs, {results['turns']} turns. The standard error of the "
            f"test scores of what was chosen is {results['standard_error']:.4f}.",
            machine(results),
        ]
    )


def cluster_table() -> str:
    """Return how near to one machine a network of a cluster comes."""
    results = stored("cluster")
    one, *others = results["losses"].items()
    rows = [[one[0], f"{one[1]:.4f}", "", "", ""]]
    rows += [
        [
            who,
            f"{f['loss']:.4f}",
            f"{100 * f['over_one_machine']:+.1f} %",
            str(f["rounds"]),
            f"{f['megabytes_a_shard_at_most']:.1f} MB",
        ]
        for who, f in others
    ]
    header = ["trained by", "loss", "over one machine", "rounds", "bytes a shard at most"]
    return "\n".join(
        [
            table(header, rows),
            "",
            f"{results['rows']} rows of covtype, {results['epochs']} epochs.",
            machine(results),
        ]
    )


def cluster_times_table() -> str:
    """Return the times of epochs on a cluster of processes, and of one that is simulated."""
    results = stored("cluster")
    rows = [
        [n, duration(f["seconds_of_epoch"]), f"{100 * f['share_of_communication']:.0f} %"]
        for n, f in results["processes"].items()
    ]
    f = results["many"]
    time, share = duration(f["seconds_of_epoch"]), f["share_of_communication"]
    rows.append([f"{f['workers']}, simulated", time, f"{100 * share:.0f} %"])
    header = ["workers", "an epoch of 10 rounds", "of which communication"]
    return f"{table(header, rows)}\n\n{machine(results)}"


def memory_table() -> str:
    """Return the highest resident size of a fit."""
    results = stored("memory")
    rows = [
        [
            who,
            f"{1e-6 * f['data']:.0f} MB",
            f"{1e-6 * f['increase']:.1f} MB",
            f"{f['ratio']:.2f}",
        ]
        for who, f in results["results"].items()
    ]
    header = ["estimator", "data", "added by the fit", "highest over data and network"]
    return f"{table(header, rows)}\n\n{machine(results)}"


def members_table() -> str:
    """Return what members take beside one network."""
    results = stored("members")
    rows = [
        [
            str(f["members"]),
            f["bagging"] or "",
            times_with_spread(f["processor"]),
            times_with_spread(f["clock"]),
        ]
        for f in results["results"]
    ]
    header = ["members", "bagging", "processor time over one network", "by the clock"]
    return f"{table(header, rows)}\n\n{machine(results)}"


def accuracy_table() -> str:
    """Return the table of test scores in float32."""
    rows = [
        [
            name,
            f"{f['fastdnn']:.4f}",
            f"{f['scikit-learn']:.4f}",
            f"{f['difference']:+.5f}",
            f"{f['standard_error']:.5f}",
        ]
        for name, f in stored("accuracy").items()
    ]
    return table(["data", "fastdnn", "scikit-learn", "difference", "standard error"], rows)


#: The tables by the name of their markers in the documents.
TABLES: dict[str, Callable[[], str]] = {
    "speed": speed_table,
    "variants": variants_table,
    "matmul": matmul_table,
    "prediction": prediction_table,
    "cold_start": cold_start_table,
    "scaling": scaling_table,
    "grid_search": grid_search_table,
    "search": search_table,
    "cluster": cluster_table,
    "cluster_times": cluster_times_table,
    "memory": memory_table,
    "members": members_table,
    "accuracy": accuracy_table,
    **feature_markdown.TABLES,
    **stream_markdown.TABLES,
    **table_markdown.TABLES,
}
