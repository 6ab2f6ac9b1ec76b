"""scikit-learn's support of callbacks, where the installed version has it (from 1.9 on)."""

import functools
from typing import TYPE_CHECKING, Any

import sklearn
from sklearn.utils.metaestimators import available_if

if TYPE_CHECKING:
    HAS_CALLBACKS: bool


def _raise_for_version(estimator: Any) -> bool:
    raise AttributeError(
        f"{type(estimator).__name__}.set_callbacks needs scikit-learn 1.9 or newer, but "
        f"{sklearn.__version__} is installed. Upgrade it: pip install -U scikit-learn"
    )


class NoCallbackSupport:
    """What estimators inherit where scikit-learn has no callbacks: nothing but an error."""

    @available_if(_raise_for_version)
    def set_callbacks(self, *callbacks: Any) -> Any:
        """Is not available."""


def without_callbacks(method: Any) -> Any:
    """Return a method that does the same: there are no callbacks to tear down after it."""

    @functools.wraps(method)
    def called(*args: Any, **kwargs: Any) -> Any:  # one frame, as with callbacks
        return method(*args, **kwargs)

    return called


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    HAS_CALLBACKS = False
    CallbackSupportMixin, with_callbacks = NoCallbackSupport, without_callbacks
else:
    HAS_CALLBACKS = True
