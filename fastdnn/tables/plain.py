"""A fitted table estimator as plain arrays, and back, with every number checked."""

from typing import Any

import numpy as np

from fastdnn.network.parameters import Parameters
from fastdnn.storage.document import LEFT_OUT
from fastdnn.storage.labels import decode_labels, encode_labels
from fastdnn.tables.calibration import CALIBRATION, plain_calibration, take_calibration
from fastdnn.tables.compact import input_of
from fastdnn.tables.ensemble import Decisions, Ensemble
from fastdnn.tables.members import network_of
from fastdnn.tables.plain_encoder import encoder_from, plain_encoder
from fastdnn.tables.recipe import recipe_of

# What is stored of a fitted estimator, or follows from that.
_KNOWN = {
    *("encoder_", "_ensemble", "n_features_in_", "feature_names_in_", "n_epochs_"),
    *("cycle_weights_", "temperatures_", "validation_scores_", *CALIBRATION),
}
# Of targets: for classes what only a fit needs.
_OF_CLASSES = {"classes_", "_class_weight"}
_OF_NUMBERS = {"_is_single", "_mean", "_spread", "_low", "_high"}
#: The attributes that a fit sets.
OF_FITS = _KNOWN | _OF_CLASSES | _OF_NUMBERS


def plain_estimator(model: Any) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """Return what an estimator has learnt: how many there are of what, and arrays of it.

    Parameters
    ----------
    model : BaseTabularDNN
        Fitted or not.

    Returns
    -------
    fitted : dict or None
        None if it is not fitted.
    tensors : dict of ndarray

    Raises
    ------
    ValueError
        If it has attributes that are not known.
    """
    state = vars(model)
    is_classifier = hasattr(type(model), "predict_proba")
    known = _KNOWN | (_OF_CLASSES if is_classifier else _OF_NUMBERS)
    unknown = set(state) - known - set(model.get_params(deep=False)) - LEFT_OUT
    if unknown:
        raise ValueError(
            f"the model has {sorted(unknown)}, which a file cannot hold. Delete them first, "
            f"for instance by delattr(model, {min(unknown)!r}), or pickle the model"
        )
    if "_ensemble" not in state:
        return None, {}
    fitted, tensors = plain_encoder(model.encoder_)
    ensemble = model._ensemble
    networks = [parameters for member in ensemble.snapshots for parameters in member]
    hidden = ensemble.network.layers[:-1]
    fitted |= {
        "layer_sizes": list(networks[0].layer_sizes),
        "activation": model.activation if not hidden else hidden[0].activation,
        "n_members": len(ensemble.snapshots),
        "n_cycles": len(model.cycle_weights_),
        "n_kept": len(ensemble.cycles),
        "n_scores": len(model.validation_scores_),
        "n_epochs": int(model.n_epochs_),
    }
    tensors["networks"] = np.stack([parameters.theta for parameters in networks])
    tensors["cycles"] = np.column_stack([model.cycle_weights_, model.temperatures_])
    tensors["scores"] = model.validation_scores_
    if is_classifier:
        fitted["classes"], tensors["classes"] = encode_labels(model.classes_, "classes_")
    else:
        fitted["is_single"] = bool(model._is_single)
        limits = model._mean, model._spread, model._low, model._high
        tensors["targets"] = np.array(limits, np.float64)
    n_scores = 1 if is_classifier else len(model._mean)
    said, tensors["calibration"] = plain_calibration(model, n_scores)
    return fitted | said, tensors


def take_plain(model: Any, fitted: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Give an estimator what `plain_estimator` returned of a fitted one.

    Raises
    ------
    ValueError
        If that is not what a fit comes to.
    """
    sizes = fitted["layer_sizes"]
    if "classes" in fitted:
        model.classes_ = decode_labels(fitted["classes"], tensors["classes"], "classes")
        model._class_weight = None
    else:
        model._is_single = fitted["is_single"]
        model._mean, model._spread, model._low, model._high = tensors["targets"].copy()
        are_right = (model._spread > 0.0).all() and (model._low <= model._high).all()
        _require(bool(are_right), "the limits of the targets contradict each other")
        is_single = model._is_single and len(model._mean) > 1
        _require(not is_single, f"{len(model._mean)} targets are not a single one")
    encoder = encoder_from(model._encoder(), fitted, tensors)
    n_encoded = encoder.n_features_out_
    _require(n_encoded == sizes[0], f"a table of {n_encoded} columns has {sizes[0]} inputs")
    weights, temperatures = tensors["cycles"].T
    is_mean = (weights >= 0.0).all() and abs(weights.sum() - 1.0) < 1e-6
    _require(bool(is_mean), "the weights of the cycles are no weights of a mean")
    n_kept = int(np.count_nonzero(weights))
    _require(n_kept == fitted["n_kept"], f"{n_kept} cycles have weights")
    _require(bool((temperatures > 0.0).all()), "a temperature is not positive")
    decisions = Decisions(
        tuple(temperatures.tolist()),
        tuple(weights.tolist()),
        tuple(tensors["scores"].tolist()),
    )
    recipe = recipe_of(model, 2)._replace(
        hidden_layer_sizes=tuple(sizes[1:-1]),
        activation=fitted["activation"],
        table=input_of(encoder),
    )
    task = model._task()
    network = network_of(recipe, sizes[0], task.n_outputs, "classes" in fitted)
    thetas = iter(tensors["networks"])
    snapshots = [
        [Parameters(sizes, np.float32, next(thetas).copy()) for _ in range(n_kept)]
        for _ in range(fitted["n_members"])
    ]
    model._ensemble = Ensemble(task, network, decisions, snapshots)
    model._publish(encoder, decisions, fitted["n_epochs"])
    take_calibration(model, fitted, tensors["calibration"])


def _require(is_right: bool, what: str) -> None:
    if not is_right:
        raise ValueError(f"it contradicts itself: {what}")
