"""Warnings that a fit gives when all is done: a filter may turn one into an error."""

import warnings
from collections.abc import Callable

# From a warning that is given at the end up to the line that called `fit`.
_FRAMES_TO_USER = 5


class Notices(list[Callable[[], object]]):
    """What to call to give the warnings of a fit, in order."""

    def warn(self, message: str, category: type[Warning] = UserWarning) -> None:
        """Warn later, at the line that called `fit`."""
        self.append(lambda: warnings.warn(message, category, stacklevel=_FRAMES_TO_USER))
