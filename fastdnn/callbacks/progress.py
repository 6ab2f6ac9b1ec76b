"""`ProgressBar`: a bar for each fit."""

from typing import Any

from fastdnn.callbacks.bar import Bar, may_show, tqdm_class
from fastdnn.callbacks.epoch_callback import Epoch, EpochCallback


class ProgressBar(EpochCallback):
    """Shows a bar of tqdm with loss, score, speed and the time that is left.

    It works in terminals and notebooks. ``verbose=1`` shows the same bar without a callback,
    with any version of scikit-learn. In a search each fit has a bar of its own; those in
    other processes have none: there `sklearn.callback.ProgressBar`, set on the search, shows
    them all.

    Parameters
    ----------
    **options
        More arguments for `tqdm.auto.tqdm`, such as ``leave=False`` or ``file=stream``.

    Examples
    --------
    >>> from fastdnn import DNNClassifier
    >>> from fastdnn.callbacks import ProgressBar
    >>> model = DNNClassifier().set_callbacks(ProgressBar(leave=False))  # doctest: +SKIP
    """

    def __init__(self, **options: Any) -> None:
        if tqdm_class() is None:
            raise ImportError("ProgressBar needs tqdm. Install it: pip install tqdm")
        self.options = options

    def begin_fit(self, estimator: Any, context: Any) -> Bar | None:
        """Show an empty bar."""
        if not may_show():
            return None
        return Bar(context.max_subtasks, type(estimator).__name__, self.options)

    def end_epoch(self, estimator: Any, epoch: Epoch, run: Bar | None) -> None:
        """Go one epoch on."""
        if run is not None:
            run.update(epoch.numbers)

    def end_fit(self, estimator: Any, run: Bar | None, is_complete: bool) -> None:
        """Leave the bar as it is."""
        if run is not None:
            run.close()
