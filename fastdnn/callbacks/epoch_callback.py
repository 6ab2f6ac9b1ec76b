"""The base of callbacks that are told of a fit and of each of its epochs."""

from collections.abc import Callable
from typing import Any


class Epoch:
    """An epoch that has been trained, or an iteration of L-BFGS.

    Parameters
    ----------
    numbers : dict of str to float
        What was recorded of it.
    make_estimator : callable
        Returns an estimator as if the fit had ended now.

    Attributes
    ----------
    numbers : dict of str to float
        The last row of ``history_``: epoch, loss, learning_rate, seconds, n_samples and, with
        validation, validation_loss, validation_score and others. What was not recorded is NaN.
    """

    def __init__(self, numbers: dict[str, float], make_estimator: Callable[[], Any]) -> None:
        self.numbers, self._make_estimator = numbers, make_estimator

    def fitted_estimator(self) -> Any:
        """Return a copy of the estimator that predicts, and trains on, as if `fit` had ended.

        Training does not change it. It takes time and memory for a copy of the network and
        of the optimiser's state.
        """
        return self._make_estimator()


class EpochCallback:
    """Base class of callbacks for `DNNClassifier` and `DNNRegressor`.

    A subclass overrides some of the three methods. One callback may be used for several fits,
    also at the same time: what belongs to one is returned by `begin_fit`. In a pipeline or a
    search it is set on the network, and cloned networks share it. It needs scikit-learn 1.9.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastdnn import DNNClassifier
    >>> from fastdnn.callbacks import EpochCallback
    >>> class StopBelow(EpochCallback):
    ...     def __init__(self, loss):
    ...         self.loss = loss
    ...
    ...     def end_epoch(self, estimator, epoch, run):
    ...         return epoch.numbers["loss"] < self.loss
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DNNClassifier((5,), learning_rate_init=0.05, random_state=0)
    >>> model = model.set_callbacks(StopBelow(0.5)).fit(X, y)  # doctest: +SKIP
    """

    def begin_fit(self, estimator: Any, context: Any) -> Any:
        """Return what is to be remembered of a fit that begins.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            With its parameters; what it learns it gets at the end of the fit.
        context : sklearn.callback.CallbackContext
            Of the fit: ``max_subtasks`` is the largest number of epochs.
        """

    def end_epoch(self, estimator: Any, epoch: Epoch, run: Any) -> bool | None:
        """Look at an epoch; return True to end training.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            As in `begin_fit`.
        epoch : Epoch
            What was recorded of it, and an estimator as of now.
        run : object
            What `begin_fit` has returned.
        """

    def end_fit(self, estimator: Any, run: Any, is_complete: bool) -> None:
        """Release what `begin_fit` has opened.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            As in `begin_fit`.
        run : object
            What `begin_fit` has returned.
        is_complete : bool
            False if the fit has raised something.
        """

    # -- scikit-learn's protocol ----------------------------------------------------------

    @property
    def _runs(self) -> dict[Any, list]:
        """What is remembered of each fit, by its context, and whether it is complete."""
        return self.__dict__.setdefault("_runs_of_fits", {})

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin; scikit-learn calls it before a fit."""
        self._runs[context] = [self.begin_fit(estimator, context), False]

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing; scikit-learn calls it before a fit and before each epoch."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Look at an epoch, or remember that the fit is complete; scikit-learn calls it."""
        epoch = getattr(context, "epoch", None)
        if epoch is None:
            if context in self._runs:
                self._runs[context][1] = True
            return False
        return bool(self.end_epoch(estimator, epoch, self._runs[context.parent][0]))

    def teardown(self, estimator: Any, context: Any) -> None:
        """End; scikit-learn calls it after a fit, whatever was raised."""
        run = self._runs.pop(context, None)  # there is none where `begin_fit` has raised
        if run is not None:
            self.end_fit(estimator, *run)

    def __getstate__(self) -> dict[str, Any]:
        # Another process, or a copy, has no part in fits that are running here.
        state = self.__dict__.copy()  # one step: a fit may begin in another thread
        state.pop("_runs_of_fits", None)
        return state
