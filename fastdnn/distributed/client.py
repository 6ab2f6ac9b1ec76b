"""Estimators with a client, which as a connection is no parameter."""

from typing import Any, Self

from sklearn.base import _clone_parametrized


class WithClient:
    """Has a client that clones share and pickles leave out; comes before other bases."""

    client: Any

    def __sklearn_clone__(self) -> Self:
        """Return one that is not fitted, with the same client."""
        made = _clone_parametrized(self)
        made.client = self.client
        return made

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return state | {"client": None}
