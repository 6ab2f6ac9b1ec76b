"""Lists of numbers that only grow, whose copies share what they have in common."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, overload


class Curve(Sequence):
    """A list that grows at its end, and is copied in no time whatever its length.

    A copy goes on in the same memory. Who is the first to add a number after the common ones
    goes on there; who finds that taken copies the common ones then. So thousands of calls of
    `partial_fit`, each of which goes on from a copy, copy nothing, and a call that fails has
    changed nothing for the others.

    Parameters
    ----------
    items : iterable, default=()
        What it begins with.
    """

    __slots__ = "_items", "_length"

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items = list(items)
        self._length = len(self._items)

    def copy(self) -> "Curve":
        """Return a curve that goes on by itself."""
        other = Curve()
        other._items, other._length = self._items, self._length
        return other

    def append(self, item: Any) -> None:
        """Add an item at the end."""
        items, length = self._items, self._length
        # In one step, whatever other threads add: afterwards the place is mine, or it is not.
        items.append(item)
        if items[length] is not item:
            self._items = [*islice(items, length), item]
        self._length = length + 1

    def extend(self, items: list[Any]) -> None:
        """Add the items of a list at the end."""
        if not items:
            return
        mine, length = self._items, self._length
        mine.extend(items)  # in one step, as above
        if mine[length] is not items[0]:
            self._items = [*islice(mine, length), *items]
        self._length = length + len(items)

    def cut(self, length: int) -> None:
        """Take away what was added beyond a length."""
        self._length = min(length, self._length)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list: ...
    def __getitem__(self, index: Any) -> Any:
        """Return an item, or a list of those of a slice."""
        if isinstance(index, slice):
            return self._items[: self._length][index]
        return self._items[range(self._length)[index]]

    def __iter__(self) -> Any:
        return islice(self._items, self._length)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Curve | list):
            return list(self) == list(other)
        return NotImplemented

    # A list has no hash either; Python's way to say so is not known to type checkers.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Curve({list(self)!r})"

    def __reduce__(self) -> tuple:
        return Curve, (list(self),)

    def __deepcopy__(self, memo: dict) -> "Curve":
        return self.copy()
