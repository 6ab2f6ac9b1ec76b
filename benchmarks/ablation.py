"""What every special path of the engine gains: each switched off, beside the full engine.

    python -m benchmarks.ablation [CASE ...] [--quick] [--threads N] [--json]

The optimisations of `fastdnn.products.switches` change no bit of a result, so all that is
left to measure is time. For every case and setting, a fit or a prediction by the full engine
and one without an optimisation take turns, the order turning round each time; the ratio of
two of each says what the optimisation gains. One thread is timed by its own CPU time, which
other programs hardly change; two by the wall clock.

Results are stored by the kind of code that was compiled, beside older ones of what is not
measured again. LLVM can be told by ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` to compile
for another processor, as for one with AVX2 on one with AVX-512; that is a kind of its own, and
says so.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import scipy.sparse
from numba.core import config
from numba.core.registry import cpu_target
from sklearn.exceptions import ConvergenceWarning

from benchmarks.cases import CASES, Case
from benchmarks.crowded import multiply_matrices
from benchmarks.measure import add_json_option, environment, merge
from fastdnn import DNNClassifier
from fastdnn.machine.profile import KIND, PROFILE
from fastdnn.products.switched_off import without
from fastdnn.products.switches import OPTIMISATIONS

# A timed run takes about as long, but for an epoch or a prediction that takes longer.
_SECONDS_OF_RUN, _ROWS_OF_WIDE, _ROWS_TO_PREDICT = 0.04, 2560, 20_000
_CASES_AFTER = ("small", "digits", "medium")
_QUICK_CASES, _TURNS, _QUICK_TURNS = ("digits", "wide"), 7, 3
# After a rest processors have been given to others, and come back one by one.
_REST_SECONDS, _PAUSE = 0.25, 0.01
# Of a sparse X so much is not zero.
_DENSITY = 0.1

_FORWARD = {
    "zero skipping", "copies of panels", "copies of left operands", "pair tiles",
    "half vectors",
}  # fmt: skip
_OF_TEAMS = {
    "mailboxes", "claims of lines", "placement of workers", "places of threads", "crowding",
    "shards taken together",
}  # fmt: skip
_ALONE = set(OPTIMISATIONS) - _OF_TEAMS | {"shards taken together"}


class Setting(NamedTuple):
    """What is run, and which optimisations may matter to it."""

    activation: str = "relu"
    dtype: str = "float32"
    kind: str = "fit"
    """A "fit", one on "sparse" samples, or a "prediction"."""
    n_threads: int = 1
    before: str = ""
    """What comes before each run: a "rest", a "BLAS" call, or nothing."""

    @property
    def name(self) -> str:
        """The key that results are stored under."""
        threads = f"{self.n_threads} thread" + "s" * (self.n_threads > 1)
        after = f"after {self.before}" if self.before else ""
        return " ".join(
            word for word in (self.activation, self.dtype, self.kind, threads, after) if word
        )

    @property
    def switches(self) -> list[str]:
        """The optimisations that this setting may use."""
        if self.kind == "prediction":
            names = {"places of threads"} if self.n_threads > 1 else _FORWARD
        elif self.before:
            names = {"placement of workers", "places of threads", "crowding"}
        else:
            # What products gain is seen by one thread, with less chance.
            names = _OF_TEAMS if self.n_threads > 1 else _ALONE
        if self.activation != "relu":
            names = names - {
                "zero skipping", "copies of columns", "masks of deltas", "masks by outputs",
            }  # fmt: skip
        if not PROFILE.splits_vectors:
            names = names - {"half vectors"}
        return [name for name in OPTIMISATIONS if name in names]


#: By optimisation, setting and case: a median with quartiles, as "1.024 (1.021 to 1.028)".
Results = dict[str, dict[str, dict[str, str]]]

SETTINGS = [
    Setting(),
    Setting(activation="tanh"),
    Setting(dtype="float64"),
    Setting(kind="sparse"),
    Setting(kind="prediction"),
    Setting(n_threads=2),
    Setting(activation="tanh", n_threads=2),
    Setting(kind="prediction", n_threads=2),
    Setting(n_threads=2, before="rest"),
    Setting(n_threads=2, before="BLAS"),
    Setting(kind="prediction", n_threads=2, before="rest"),
]


def kind_of_code() -> str:
    """Return the kind of code that is compiled, for which processor, and where it runs."""
    kind = f"{KIND} for {cpu_target.target_context.codegen().magic_tuple()[1]}"
    return f"{kind}, on another processor" if config.CPU_NAME else kind


def make_run(case: Case, setting: Setting) -> Callable[[], object]:
    """Return a fit or prediction that takes about as long as wanted."""
    if case.n_features == 784:
        case = case._replace(n_samples=_ROWS_OF_WIDE)
    X, y = case.data()
    if setting.kind == "sparse":
        kept = np.random.default_rng(0).random(X.shape) < _DENSITY
        X = scipy.sparse.csr_matrix(np.where(kept, X, 0.0))
    options = {"activation": setting.activation, "dtype": setting.dtype}
    options |= {"n_threads": setting.n_threads}
    model = DNNClassifier(**case.hyperparameters() | options)
    model.set_params(max_iter=1).fit(X, y)
    if setting.kind == "prediction":
        rows = np.resize(X, (_ROWS_TO_PREDICT, X.shape[1])).astype(setting.dtype)
        seconds = _seconds(lambda: model.predict_proba(rows), time.perf_counter)
        n_calls = max(1, round(_SECONDS_OF_RUN / seconds))
        return lambda: [model.predict_proba(rows) for _ in range(n_calls)]
    seconds = min(_seconds(lambda: model.fit(X, y), time.perf_counter) for _ in range(2))
    model.set_params(max_iter=max(1, round(_SECONDS_OF_RUN / seconds)))
    return lambda: model.fit(X, y)


def _seconds(run: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start


def gain(run: Callable[[], object], name: str, setting: Setting, turns: int) -> str:
    """Return how many times as long `run` takes without the optimisation: with quartiles."""
    if setting.n_threads == 1:
        clock = time.thread_time
    else:
        clock, turns = time.perf_counter, turns + turns // 2  # it differs more
    ratios = []
    for _ in range(turns):
        seconds = [0.0, 0.0]
        # What memory a run finds depends on the one before it.
        for is_off in (False, True, True, False):
            _prepare(setting)
            with without(name) if is_off else nullcontext():
                seconds[is_off] += _seconds(run, clock)
        ratios.append(seconds[True] / seconds[False])
    low, median, high = statistics.quantiles(ratios, n=4)
    return f"{median:.3f} ({low:.3f} to {high:.3f})"


def _prepare(setting: Setting) -> None:
    if setting.before == "rest":
        time.sleep(_REST_SECONDS)
    elif setting.before == "BLAS":
        time.sleep(_REST_SECONDS)
        multiply_matrices()
    elif setting.n_threads > 1:
        time.sleep(_PAUSE)


def measure(settings: list[Setting], names: list[str], turns: int) -> Results:
    """Measure every optimisation in every setting and case; print as it goes."""
    results: Results = {}
    for setting in settings:
        for case in names:
            if setting.before and case not in _CASES_AFTER:
                continue
            run = make_run(CASES[case], setting)
            for name in setting.switches:
                figures = gain(run, name, setting, turns)
                results.setdefault(name, {}).setdefault(setting.name, {})[case] = figures
        print(f"-- {setting.name}", flush=True)
        for name in setting.switches:
            row = results.get(name, {}).get(setting.name, {})
            print(f"{name:24s}", *(f"{case} {figures}  " for case, figures in row.items()))
    return results


def best_gains(results: Results) -> dict[str, str]:
    """Return, by optimisation, where it gains most of all.

    That is where the lower quartile is highest: of so many medians some are high by chance.
    """
    best = {}
    for name, settings in results.items():
        words = [
            f"{figures}, {setting}, {case}"
            for setting, cases in settings.items()
            for case, figures in cases.items()
        ]
        best[name] = max(words, key=lambda text: float(text.split("(")[1].split()[0]))
    return best


def joined(old: Results, new: Results) -> Results:
    """Return the new results, and the old ones of what was not measured again."""
    result = {name: dict(settings) for name, settings in old.items()}
    for name, settings in new.items():
        of_name = result.setdefault(name, {})
        for setting, cases in settings.items():
            of_name[setting] = of_name.get(setting, {}) | cases
    return result


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=f"of {list(CASES)}; all by default")
    parser.add_argument(
        "--quick", action="store_true", help=f"{_QUICK_TURNS} turns of {_QUICK_CASES}"
    )
    parser.add_argument("--turns", type=int, default=None)
    parser.add_argument("--threads", type=int, choices=[1, 2], help="only settings with these")
    add_json_option(parser, "ablation.json")
    arguments = parser.parse_args()
    names = arguments.cases or list(_QUICK_CASES if arguments.quick else CASES)
    if not set(names) <= set(CASES):
        parser.error(f"cases are {list(CASES)}, not {names}")
    turns = arguments.turns or (_QUICK_TURNS if arguments.quick else _TURNS)
    warnings.simplefilter("ignore", ConvergenceWarning)
    kind = kind_of_code()
    print(f"== {kind}", flush=True)
    settings = [
        x for x in SETTINGS if arguments.threads is None or x.n_threads == arguments.threads
    ]
    results = measure(settings, names, turns)
    path = arguments.json
    if path is not None and path.exists():
        results = joined(
            json.loads(path.read_text()).get(kind, {}).get("results", {}), results
        )
    best = best_gains(results)
    print("-- where each gains most")
    for name, words in best.items():
        print(f"{name:24s} {words}")
    stored = {"environment": environment(), "turns": turns, "best": best, "results": results}
    merge(path, kind, stored)


if __name__ == "__main__":
    main()
