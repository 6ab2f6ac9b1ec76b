"""matplotlib, which is imported when something is drawn."""

import importlib
from typing import Any


def module(name: str, caller: str) -> Any:
    """Return a module of matplotlib.

    Parameters
    ----------
    name : str
        Such as 'pyplot'.
    caller : str
        What needs it, for the error where it is not installed.
    """
    try:
        return importlib.import_module(f"matplotlib.{name}")
    except ImportError:
        raise ImportError(
            f'{caller} needs matplotlib. Install it: pip install "fastdnn[plot]"'
        ) from None


def axes_for(ax: Any, caller: str) -> Any:
    """Return axes to draw on: those given, or new ones in a figure of their own."""
    return module("pyplot", caller).subplots()[1] if ax is None else ax
