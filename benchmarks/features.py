"""What each feature adds to a training step, here and in PyTorch.

    python -m benchmarks.features [FEATURE ...] [--case CASE ...] [--quick] [--json]

Every feature of `benchmarks.feature_list` takes turns with the base (ReLU, Adam, no penalty;
for losses of regression the squared error) in the order base, feature, feature, base, both
warmed up: the ratio of two sums of times, turn by turn, is hardly moved by other programs.
PyTorch does the same with the same feature, once it has come to the same loss from the same
start, wherever both define it alike. Everything runs on one thread, in float32, and is timed
by the CPU time of that thread; a checkpoint, which waits for the disk, by the wall clock.

Without PyTorch its columns are left out.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from benchmarks.cases import CASES, Case
from benchmarks.feature_list import BASE, CHECKPOINT, FEATURES, Feature
from benchmarks.measure import add_json_option, environment, require_close, spread, store
from fastdnn import DNNClassifier, DNNRegressor

# So many samples and epochs make a run of some 20 ms; of one epoch SWA would average nothing.
_CASES = {
    "digits": CASES["digits"]._replace(epochs=20),
    "medium": CASES["medium"]._replace(n_samples=5120, epochs=4),
    "wide": CASES["wide"]._replace(n_samples=1536, epochs=2),
}
_TURNS, _TURNS_OF_TORCH, _QUICK_TURNS = 5, 3, 1
_VALIDATION_SHARE = 0.1
# Of the loss, before times are taken.
_TOLERANCE = 0.02

Run = Callable[[], float]
Figures = dict[str, float]


def _options(feature: Feature, case: Case) -> dict[str, Any]:
    options = BASE | feature.options
    if options.get("dropout") == "input":
        options["dropout"] = [0.2] + [0.0] * len(case.hidden)
    return options


def _data(case: Case, feature: Feature) -> tuple[np.ndarray, ...]:
    """Return samples and targets, and those to validate on."""
    X, y = case.data()
    if feature.is_regression:
        y = y + 1.0  # above zero, as the gamma deviance needs it
    n_validation = int(_VALIDATION_SHARE * len(X))
    return X, y, X[:n_validation].copy(), y[:n_validation].copy()


def our_run(case: Case, feature: Feature, **more: Any) -> Run:
    """Return a fit by fastdnn; it returns the loss of the last epoch."""
    X, y, X_val, y_val = _data(case, feature)
    Estimator = DNNRegressor if feature.is_regression else DNNClassifier
    model = Estimator(**case.hyperparameters() | _options(feature, case) | more, n_threads=1)
    given = {"X_val": X_val, "y_val": y_val} if feature.validates else {}

    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y, **given)
        if not all(np.isfinite(W).all() for W in model.coefs_):
            raise AssertionError(f"{feature.name}: training left parameters not finite")
        return model.loss_

    return fit


def torch_run(case: Case, feature: Feature, **more: Any) -> Run:
    """Return a fit by PyTorch."""
    from benchmarks.torch_features import TorchFeatureFit  # torch is optional

    options = _options(feature, case) | more
    return TorchFeatureFit(case, feature, options, _data(case, feature))


CONTENDERS: dict[str, Callable[..., Run]] = {"fastdnn": our_run, "pytorch": torch_run}


def added(base: Run, run: Run, turns: int, clock: Callable[[], float]) -> tuple:
    """Return how many times as long `run` takes, and the seconds of each, turn by turn."""
    ratios, seconds = [], {base: [], run: []}
    base(), run()
    for _ in range(turns):
        sums = {base: 0.0, run: 0.0}
        # What memory a run finds depends on the one before it.
        for one in (base, run, run, base):
            start = clock()
            one()
            sums[one] += clock() - start
        ratios.append(sums[run] / sums[base])
        for one in (base, run):
            seconds[one].append(0.5 * sums[one])
    return ratios, seconds[base], seconds[run]


def base_of(feature: Feature) -> Feature:
    """Return what a feature is added to."""
    kind = "squared error" if feature.is_regression else "base"
    return Feature(kind, "base", {}, is_regression=feature.is_regression)


def measure(case: Case, feature: Feature, turns: dict[str, int]) -> dict[str, Figures]:
    """Return, by contender, microseconds a step and what the feature adds to the base's."""
    base = base_of(feature)
    makers = {who: CONTENDERS[who] for who in turns if who == "fastdnn" or feature.in_torch}
    runs = {who: make(case, feature) for who, make in makers.items()}
    losses = {who: run() for who, run in runs.items()}
    if feature.same_loss:
        require_close(losses, "fastdnn", _TOLERANCE)
    result = {}
    for who, run in runs.items():
        ratios, _, seconds = added(makers[who](case, base), run, turns[who], time.thread_time)
        microseconds = 1e6 * statistics.median(seconds) / case.steps()
        result[who] = {"us_per_step": microseconds, "loss": losses[who], **spread(ratios)}
    return result


def measure_checkpoint(case: Case, contenders: dict[str, int]) -> dict[str, Figures]:
    """Return, by contender, the seconds that a checkpoint of each epoch takes, each."""
    feature = Feature(CHECKPOINT, "control", {})
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for who, turns in contenders.items():
            path = str(Path(folder) / f"{who}.checkpoint")
            options = {"checkpoint": path, "checkpoint_epochs": 1}
            run, base = (
                CONTENDERS[who](case, feature, **options),
                CONTENDERS[who](case, feature),
            )
            _, without, with_it = added(base, run, turns, time.perf_counter)
            each = [(b - a) / case.epochs for a, b in zip(without, with_it, strict=True)]
            result[who] = spread(each, "seconds")
    return result


def run(
    features: list[Feature], names: list[str], turns: dict[str, int], checkpoint: bool
) -> dict[str, Any]:
    """Measure all features in the cases; print as it goes, and return what is stored."""
    results: dict[str, Any] = {}
    for feature in features:
        rows = results.setdefault(feature.name, {"group": feature.group, "cases": {}})
        for name in names:
            rows["cases"][name] = figures = measure(_CASES[name], feature, turns)
            words = ", ".join(
                f"{who} {f['us_per_step']:7.1f} us a step ({100 * (f['ratio'] - 1):+6.1f} %)"
                for who, f in figures.items()
            )
            print(f"{feature.name:22s} {name:8s} {words}", flush=True)
    checkpoints = {}
    for name in names if checkpoint else ():
        checkpoints[name] = figures = measure_checkpoint(_CASES[name], turns)
        words = ", ".join(f"{who} {1e3 * f['seconds']:.2f} ms" for who, f in figures.items())
        print(f"{CHECKPOINT:22s} {name:8s} {words}", flush=True)
    return {
        "environment": environment("torch"),
        "turns": turns,
        "results": results,
        "checkpoints": checkpoints,
    }


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [*(feature.name for feature in FEATURES), CHECKPOINT]
    groups = {feature.group for feature in FEATURES}
    parser.add_argument("features", nargs="*", help="names or groups; all by default")
    parser.add_argument("--case", nargs="+", choices=list(_CASES), default=list(_CASES))
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_TURNS} turn of each")
    add_json_option(parser, "features.json")
    arguments = parser.parse_args()
    wanted = set(arguments.features)
    if not wanted <= {*known, *groups}:
        parser.error(f"features are {known}, groups {sorted(groups)}, not {sorted(wanted)}")
    features = [f for f in FEATURES if not wanted or {f.name, f.group} & wanted]
    turns = {"fastdnn": _QUICK_TURNS if arguments.quick else _TURNS}
    if find_spec("torch") is None:
        print('PyTorch is not installed and left out; pip install ".[bench]" brings it.')
    else:
        turns["pytorch"] = _QUICK_TURNS if arguments.quick else _TURNS_OF_TORCH
        import torch  # optional

        torch.set_num_threads(1)
    with threadpool_limits(1):
        checkpoint = not wanted or CHECKPOINT in wanted
        store(arguments.json, run(features, arguments.case, turns, checkpoint))


if __name__ == "__main__":
    main()
