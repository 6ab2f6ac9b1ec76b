"""Fitted estimators to and from scikit-learn's multi-layer perceptrons."""

from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted, check_random_state

from fastdnn.models.consistency import checked_optimizer, checked_parameters, from_arrays
from fastdnn.models.transaction import twin_of
from fastdnn.network.parameters import Parameters
from fastdnn.training.curves import Curve
from fastdnn.training.history import History
from fastdnn.training.state import OptimizerState, TrainingState, optimizer_name

if TYPE_CHECKING:
    from fastdnn.estimators.base import BaseDNN

_COPIED = ("n_features_in_", "feature_names_in_", "n_outputs_", "classes_", "out_activation_")

# How a result is computed, and when training ends or is written down: nothing that the
# network's twin would have to know.
_OURS_ALONE = (
    *("dtype", "n_threads", "max_time"),
    *("checkpoint", "checkpoint_seconds", "checkpoint_epochs"),
)


def to_sklearn(model: "BaseDNN", Target: type) -> MLPClassifier | MLPRegressor:
    """Return a fitted `Target` with the parameters, history and state of `model`."""
    model = twin_of(model)
    check_is_fitted(model)
    parameters = checked_parameters(model)
    names = set(Target().get_params())
    settings = {name: v for name, v in model.get_params().items() if name in names}
    if settings["warm_start"] == "exact":  # theirs go on from the parameters alone
        settings["warm_start"] = True
    _refuse_what_is_missing(model, Target, names)
    twin = Target(**settings)
    twin._validate_params()  # refuses what scikit-learn does not have, by name
    for name in (*_COPIED, "n_layers_"):
        if hasattr(model, name):
            setattr(twin, name, getattr(model, name))
    history = model._state.history.copy()  # both go on by themselves
    has_curves = hasattr(model, "loss_curve_")
    vars(twin).update(history.shown(with_curves=has_curves))
    if has_curves:
        twin.loss_curve_, twin.validation_scores_ = history.losses(), history.scores()
    twin.coefs_ = [W.copy() for W in parameters.coefs]
    twin.intercepts_ = [b.copy() for b in parameters.intercepts]
    twin._no_improvement_count = history.no_improvement_count
    twin._random_state = check_random_state(model.random_state)
    twin._best_coefs = [W.copy() for W in twin.coefs_]
    twin._best_intercepts = [b.copy() for b in twin.intercepts_]
    if hasattr(model, "classes_"):
        labels = model.classes_
        if model._multilabel:  # the binarizer tells the kind of target from an example
            labels = np.eye(len(labels), dtype=int)
        twin._label_binarizer = LabelBinarizer().fit(labels)
    optimizer = checked_optimizer(model._state.optimizer, parameters)
    if optimizer is not None:
        params = twin.coefs_ + twin.intercepts_
        twin._optimizer = _their_optimizer(model, optimizer, params, parameters.layer_sizes)
    return twin


def _refuse_what_is_missing(model: "BaseDNN", Target: type, names: set[str]) -> None:
    """Raise for a value, not the default, of what this scikit-learn does not have."""
    defaults = type(model)().get_params()
    for name, value in model.get_params().items():
        if name in names or name in _OURS_ALONE or value == defaults[name]:
            continue
        raise ValueError(
            f"scikit-learn {sklearn.__version__} has no {Target.__name__}({name}={value!r}). "
            f"Fit with {name}={defaults[name]!r}, or use a newer scikit-learn."
        )


def _their_optimizer(
    model: "BaseDNN",
    state: OptimizerState,
    params: list[np.ndarray],
    layer_sizes: tuple[int, ...],
) -> AdamOptimizer | SGDOptimizer:
    slots = []
    for slot in state.memory.reshape(-1, sum(p.size for p in params)):
        views = Parameters(layer_sizes, slot.dtype, slot.copy())
        slots.append([*views.coefs, *views.intercepts])
    if state.optimizer == "adam":
        optimizer = AdamOptimizer(
            params, model.learning_rate_init, model.beta_1, model.beta_2, model.epsilon
        )
        optimizer.ms, optimizer.vs = slots
        optimizer.t = state.t
        return optimizer
    optimizer = SGDOptimizer(
        params,
        model.learning_rate_init,
        model.learning_rate,
        model.momentum,
        state.optimizer == "nesterov",
        model.power_t,
    )
    optimizer.velocities = slots[0]
    optimizer.learning_rate = state.learning_rate
    return optimizer


def from_sklearn(cls: type, mlp: Any, dtype: str) -> Any:
    """Return a fitted `cls` with the parameters, history and state of `mlp`."""
    check_is_fitted(mlp)
    model = cls(**mlp.get_params(), dtype=dtype)
    for name in _COPIED:
        if hasattr(mlp, name):
            setattr(model, name, getattr(mlp, name))
    history = _our_history(mlp)
    vars(model).update(history.shown(with_curves=hasattr(mlp, "loss_curve_")))
    computed = mlp.coefs_[0].dtype if dtype == "auto" else dtype
    parameters = from_arrays(mlp.coefs_, mlp.intercepts_, computed)
    model._state = TrainingState(parameters, history)
    model.n_layers_ = len(parameters.layer_sizes)
    if hasattr(mlp, "classes_"):
        model._multilabel = mlp._label_binarizer.y_type_.startswith("multilabel")
    else:
        model._n_targets = mlp.n_outputs_
    model._show_parameters()
    checked_parameters(model)
    # Of a network whose matrices were exchanged for others it may not fit.
    optimizer = _our_optimizer(mlp, model._state.dtype)
    model._state.optimizer = checked_optimizer(optimizer, parameters)
    return model


def _our_history(mlp: Any) -> History:
    """Return what was recorded, whatever the parameters of `mlp` are by now."""
    scores = getattr(mlp, "validation_scores_", None)
    history = History(scores is not None, t=mlp.t_, n_iter=mlp.n_iter_)
    history.loss = float(getattr(mlp, "loss_", np.inf))
    for loss in getattr(mlp, "loss_curve_", None) or []:
        history.loss_curve.append(loss)
        history.add_row(loss)
    history.no_improvement_count = getattr(mlp, "_no_improvement_count", 0)
    best_loss = getattr(mlp, "best_loss_", None)
    if scores is not None:
        history.validation_scores = Curve(scores)
        history.best_validation_score = mlp.best_validation_score_
    elif best_loss is not None:
        history.best_loss = best_loss
    return history


def _our_optimizer(mlp: Any, dtype: np.dtype) -> OptimizerState | None:
    optimizer = getattr(mlp, "_optimizer", None)
    if optimizer is None:
        return None
    adam = isinstance(optimizer, AdamOptimizer)
    slots = [optimizer.ms, optimizer.vs] if adam else [optimizer.velocities]
    memory = np.concatenate([part.ravel() for slot in slots for part in slot])
    state = OptimizerState(
        "adam" if adam else optimizer_name("sgd", optimizer.nesterov),
        memory.astype(np.float64),
        # Adam's attribute holds the last corrected rate; the engine corrects by itself.
        float(mlp.learning_rate_init if adam else optimizer.learning_rate),
        optimizer.t if adam else 0,
    )
    return state.narrowed() if dtype == np.float32 else state
