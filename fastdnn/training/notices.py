"""Warnings that a fit gives when all is done: a filter may turn one into an error."""

import warnings
from collections.abc import Callable

# From a warning that is given at the end up to the line that called `fit`.
_FRAMES_TO_USER = 5

#: What is said of a fit that Ctrl-C has ended.
INTERRUPTED = "Training interrupted by user."


class Notices(list[Callable[[], object]]):
    """What to call to give the warnings of a fit, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def clear(self) -> None:
        """Give none of them."""
        super().clear()
        self._said.clear()

    def have_said(self, message: str) -> bool:
        """Return whether that is one of the warnings."""
        return message in self._said

    def warn(self, message: str, category: type[Warning] = UserWarning) -> None:
        """Warn later, at the line that called `fit`; once, if it is the same."""
        if message in self._said:
            return
        self._said.add(message)
        self.append(lambda: warnings.warn(message, category, stacklevel=_FRAMES_TO_USER))
