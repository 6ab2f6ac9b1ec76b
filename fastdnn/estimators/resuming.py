"""Fits that go on as if they had not stopped, and what they write down for that."""

import copy
import os
from dataclasses import replace
from typing import Any

import numpy as np

from fastdnn.models.transaction import twin_of
from fastdnn.network.parameters import Parameters
from fastdnn.storage.model_file import ModelFileError, require_writable, save
from fastdnn.training.divergence import is_finite
from fastdnn.training.fit import Fit
from fastdnn.training.notices import Notices
from fastdnn.training.state import TrainingState


def keeps_all(model: Any) -> bool:
    """Whether a fit leaves all that the next one goes on from as if it had not stopped."""
    return model.warm_start == "exact" or model.checkpoint is not None


def kept_to_resume(model: Any, fit: Fit, incremental: bool) -> TrainingState | None:
    """Return what a fit that has ended is gone on with; before its result is taken.

    Of `partial_fit` there is no order: another call has other samples.
    """
    if not keeps_all(model) or model.solver == "lbfgs":
        return None
    state = fit.state.copy_to_resume()
    if incremental:
        state = state.between_epochs()
    return state


def without_copies(kept: TrainingState, published: TrainingState) -> TrainingState:
    """Return it with the parameters that are published, where they are the same."""
    ours, theirs = kept.parameters.theta, published.parameters.theta
    if ours.dtype == theirs.dtype and np.array_equal(ours, theirs):
        kept = replace(kept, parameters=published.parameters)
    return kept


def random_state_to_go_on_with(model: Any) -> np.random.RandomState | None:
    """Return the random state that the last fit left; None if each draws anew.

    Where parameters were drawn, and nothing was trained yet, what follows is the same fit.
    """
    kept = getattr(model, "_resumable", None)
    if kept is None or not (model.warm_start == "exact" or kept.is_untrained):
        return None
    return copy.deepcopy(kept.random_state)


def require_resumable(model: Any, parameters: Parameters) -> None:
    """Raise ValueError where a model cannot go on exactly from where it stopped.

    Parameters
    ----------
    model : BaseDNN
        Fitted.
    parameters : Parameters
        What it predicts with.
    """
    if getattr(model, "_resumable", None) is None:
        raise ValueError(
            "warm_start='exact' goes on from what a fit with warm_start='exact' or with a "
            "checkpoint has kept, but the last one kept nothing. Set it before the first fit, "
            "or use warm_start=True."
        )
    if parameters is not model._state.parameters:
        raise ValueError(
            "warm_start='exact' cannot go on: coefs_ or intercepts_ were exchanged for others "
            "since the last fit. Use warm_start=True to go on from them."
        )


def resumed(model: Any, n_rows: int, early_stopping: bool) -> TrainingState:
    """Return a copy of what a model goes on from as if it had not stopped.

    Raises
    ------
    ValueError
        If X has another number of rows than that of the last fit.
    """
    kept = model._resumable
    if kept.order is not None and kept.n_rows != n_rows:
        raise ValueError(
            f"X has {n_rows} samples, but warm_start='exact' goes on with the order of the "
            f"{kept.n_rows} samples of the last fit. Give the same X, or use warm_start=True."
        )
    if kept.order is not None and kept.history.early_stopping != early_stopping:
        raise ValueError(
            f"early_stopping={model.early_stopping!r} is another one than in the last fit, "
            "which warm_start='exact' goes on with. Set it back, or use warm_start=True."
        )
    return kept.copy()


# -- checkpoints --------------------------------------------------------------------------


def require_checkpoint(model: Any) -> None:
    """Raise ValueError where a checkpoint of a model could not be written.

    Raises
    ------
    ValueError
        If there is no such folder, or the model has what a file cannot hold.
    """
    try:
        require_writable(model, model.checkpoint)
    except ModelFileError as error:
        raise ValueError(
            f"checkpoint={os.fspath(model.checkpoint)!r} cannot be written. {error}"
        ) from None


def write_checkpoint(model: Any, fit: Fit) -> None:
    """Write what a model would be if its fit ended now, with all that it goes on from.

    Where the disk is full a fit does not end for it: there will be a warning.
    """
    if not is_finite(fit.state.parameters.theta):
        return  # training has diverged, and will say so after the next epoch
    save_checkpoint(model_of(model, *fit.so_far()), fit.notices)


def model_of(model: Any, published: TrainingState, state: TrainingState) -> Any:
    """Return what a model would be with a state, which goes on from another."""
    twin = twin_of(model)
    twin._state, twin._resumable = published, without_copies(state, published)
    twin._publish()
    return twin


def save_checkpoint(model: Any, notices: Notices) -> None:
    """Write a model as it is; the fit does not end where that fails."""
    try:
        save(model, model.checkpoint, compact=False)
    except ModelFileError as error:
        notices.warn(f"A checkpoint was not written. {error}")
