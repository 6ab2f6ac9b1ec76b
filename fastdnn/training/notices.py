"""Warnings that a fit gives when all is done: a filter may turn one into an error."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

# From a warning that is given at the end up to the line that called `fit`.
_FRAMES_TO_USER = 5

#: What is said of a fit that Ctrl-C has ended.
INTERRUPTED = "Training interrupted by user."


@dataclass(frozen=True)
class Notice:
    """A warning that is given when it is called."""

    message: str
    category: type[Warning]

    def __call__(self) -> None:
        """Warn at the line that called `fit`."""
        warnings.warn(self.message, self.category, stacklevel=_FRAMES_TO_USER)


class Notices(list[Callable[[], object]]):
    """What to call to give the warnings of a fit, in order."""

    def have_said(self, message: str) -> bool:
        """Return whether that is one of the warnings."""
        return any(isinstance(one, Notice) and one.message == message for one in self)

    def warn(self, message: str, category: type[Warning] = UserWarning) -> None:
        """Warn later, at the line that called `fit`; once, if it is the same."""
        if not self.have_said(message):
            self.append(Notice(message, category))
