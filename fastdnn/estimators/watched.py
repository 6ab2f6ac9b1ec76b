"""Tells scikit-learn's callbacks of a fit and its epochs, and shows the bar of verbose=1."""

import copy
from typing import Any

import numpy as np

from fastdnn.callbacks.bar import Bar, may_show, tqdm_class
from fastdnn.callbacks.epoch_callback import Epoch
from fastdnn.estimators.resuming import model_of
from fastdnn.models.consistency import LEARNT_BESIDES
from fastdnn.training.fit import Fit
from fastdnn.training.history import History
from fastdnn.training.options import Options
from fastdnn.training.watching import Watch, Watches

_MISSING = object()


class Tasks(Watch):
    """A task of scikit-learn's callbacks for the fit, and a subtask for each epoch.

    Parameters
    ----------
    model : BaseDNN
        With callbacks; what trains.
    fit : Fit
        Its fit.
    n_epochs : int
        Of the fit, at most.
    X, y : array-like
        What the user gave.
    sample_weight : array-like or None
        The same.
    """

    def __init__(
        self, model: Any, fit: Fit, n_epochs: int, X: Any, y: Any, sample_weight: Any
    ) -> None:
        self._model, self._fit = model, fit
        self._name = "iteration" if model.solver == "lbfgs" else "epoch"
        # Scorers get what is in the metadata as arguments, so nothing else may be in it.
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._told = {"estimator": model, "X": X, "y": y, "metadata": metadata}
        # What an earlier fit has left is not what is trained.
        model._forget_record()
        for name in ("coefs_", "intercepts_", "_resumable", *LEARNT_BESIDES):
            vars(model).pop(name, None)
        self._of_fit = model._init_callback_context(max_subtasks=n_epochs)
        self._of_epoch: Any = None
        self._of_fit.call_on_fit_task_begin(**self._told, reconstruction_attributes=self._made)

    def begin_epoch(self) -> None:
        """Begin a task."""
        self._of_epoch = self._of_fit.subcontext(task_name=self._name)
        self._of_epoch.call_on_fit_task_begin(
            **self._told, reconstruction_attributes=self._made
        )

    def end_epoch(self, history: History) -> bool:
        """End the task; return whether a callback wants training to stop."""
        context, self._of_epoch = self._of_epoch, None
        context.epoch = Epoch(history.last(), self._fitted)
        try:
            return context.call_on_fit_task_end(
                **self._told, reconstruction_attributes=self._made
            )
        finally:
            del context.epoch  # contexts are kept as long as the outermost fit

    def leave_epoch(self) -> None:
        """End the task with nothing to tell."""
        context, self._of_epoch = self._of_epoch, None
        context.call_on_fit_task_end(estimator=self._model)

    def end_fit(self) -> None:
        """End the task of the fit; the model is fitted."""
        self._of_fit.call_on_fit_task_end(**self._told, reconstruction_attributes={})

    def _fitted(self) -> Any:
        """Return what the model would be if the fit ended now; training does not change it."""
        made = copy.copy(model_of(self._model, *self._fit.snapshot()))
        if made.solver == "lbfgs":  # which no fit goes on with
            del made._resumable
        return made

    def _made(self) -> dict[str, Any]:
        """Return the attributes by which scikit-learn makes the same."""
        mine, made = vars(self._model), vars(self._fitted())
        return {name: v for name, v in made.items() if mine.get(name, _MISSING) is not v}


class ShownBar(Watch):
    """The bar of ``verbose=1``."""

    def __init__(self, model: Any, n_epochs: int) -> None:
        self._bar = Bar(n_epochs, type(model).__name__)

    def end_epoch(self, history: History) -> bool:
        """Go one epoch on."""
        self._bar.update(history.last())
        return False

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


class Watched(Watches):
    """All that watch one fit of an estimator."""

    def __init__(self, tasks: Tasks | None, bar: ShownBar | None) -> None:
        super().__init__([watch for watch in (tasks, bar) if watch is not None])
        self._tasks = tasks

    def end_fit(self) -> None:
        """Tell callbacks that the model is fitted."""
        if self._tasks is not None:
            self._tasks.end_fit()


def watched(
    model: Any, fit: Fit, options: Options, X: Any, y: Any, sample_weight: Any
) -> Watched | None:
    """Return who watches a fit that is about to begin; None if nobody does.

    Where a bar is shown, the options no longer ask for lines.
    """
    wants_bar = _wants_bar(options.verbose)
    has_callbacks = bool(getattr(model, "_skl_callbacks", None))
    if not (wants_bar or has_callbacks):
        return None
    n_epochs = max(0, options.max_iter - fit.state.history.n_iter)
    tasks, bar = None, None
    if has_callbacks:
        tasks = Tasks(model, fit, n_epochs, X, y, sample_weight)
    if wants_bar:
        options.verbose = False
        bar = ShownBar(model, n_epochs) if may_show() else None
    return Watched(tasks, bar) if tasks or bar else None


def _wants_bar(verbose: Any) -> bool:
    """Whether it is the number 1, which Python takes for True."""
    is_one = not isinstance(verbose, bool | np.bool_) and verbose == 1
    return is_one and tqdm_class() is not None
