"""A progress bar of one fit: epochs, loss, score, speed and the time that is left."""

import functools
import importlib
import math
import multiprocessing
from collections.abc import Mapping
from typing import Any

#: What is shown of an epoch, and as what.
SHOWN = {
    "loss": "loss",
    "validation_loss": "val_loss",
    "validation_score": "val_score",
}


@functools.cache
def tqdm_class() -> Any:
    """Return tqdm's class for a terminal or a notebook, or None where it is not installed."""
    try:
        return importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return None


def may_show() -> bool:
    """Whether this process has the user's terminal: workers would write over each other."""
    return multiprocessing.current_process().name == "MainProcess"


class Bar:
    """A bar of tqdm, which must be installed.

    Parameters
    ----------
    n_epochs : int or None
        Of the fit, at most.
    title : str
        What stands before it.
    options : dict, default=None
        More arguments for tqdm.
    """

    def __init__(
        self, n_epochs: int | None, title: str, options: Mapping[str, Any] | None = None
    ) -> None:
        known = {"total": n_epochs, "desc": title, "unit": "epoch", "dynamic_ncols": True}
        self._bar = tqdm_class()(**(known | dict(options or {})))

    def update(self, numbers: Mapping[str, float]) -> None:
        """Show an epoch by its numbers, as `History.last` has them."""
        there = {
            shown: f"{numbers[name]:.4g}"
            for name, shown in SHOWN.items()
            if math.isfinite(numbers.get(name, math.nan))
        }
        # The bar is drawn at most ten times a second, with the numbers of then.
        self._bar.set_postfix(there, refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is: tqdm draws it a last time."""
        self._bar.close()
