"""Say what a saved model is."""

import argparse
from pathlib import Path
from typing import Any

from fastdnn.cli.predict import load

NAME = "info"

# Of columns and classes that are listed.
_MOST_LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("model", metavar="MODEL", help="a file that train or save has written")


def run(given: argparse.Namespace) -> None:
    """Print a line for each thing there is to say."""
    lines = facts_of(load(given.model))
    lines["file"] = f"{Path(given.model).stat().st_size / 1e6:.2f} MB"
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:{width}}  {value}")


def facts_of(model: Any) -> dict[str, str]:
    """Return what there is to say of a model, by what it is about."""
    facts = {"model": type(model).__name__}
    if not hasattr(model, "get_params"):
        facts["layers"] = " -> ".join(map(str, model.layer_sizes))
        return facts
    defaults = type(model)().get_params()
    changed = {k: v for k, v in model.get_params().items() if repr(v) != repr(defaults[k])}
    facts["parameters"] = ", ".join(f"{k}={v!r}" for k, v in changed.items()) or "the defaults"
    if hasattr(model, "classes_"):
        facts["classes"] = _listed(model.classes_.tolist())
    if not hasattr(model, "n_features_in_"):
        facts["fitted"] = "no"
        return facts
    names = getattr(model, "feature_names_in_", None)
    columns = f"{model.n_features_in_}"
    facts["columns"] = columns if names is None else f"{columns}: {_listed(list(names))}"
    encoder = getattr(model, "encoder_", None)
    if encoder is not None:
        facts["inputs of the networks"] = str(encoder.n_features_out_)
        if encoder.dropped_:
            left_out = [f"{name} ({why})" for name, why in encoder.dropped_.items()]
            facts["left out"] = _listed(left_out)
        facts["epochs"] = str(model.n_epochs_)
        return facts
    sizes = [model.coefs_[0].shape[0], *(W.shape[1] for W in model.coefs_)]
    facts["layers"] = " -> ".join(map(str, sizes))
    facts["output"] = model.out_activation_
    facts["epochs"] = str(model.n_iter_)
    facts["loss"] = f"{model.loss_:.4g}"
    return facts


def _listed(values: list) -> str:
    shown = ", ".join(str(value) for value in values[:_MOST_LISTED])
    n_more = len(values) - _MOST_LISTED
    return f"{shown} and {n_more} more" if n_more > 0 else shown
