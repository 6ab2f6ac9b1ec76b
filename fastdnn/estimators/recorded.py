"""Fitted attributes that are read from what training has recorded, when they are asked for."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from fastdnn.training.history import History

_Value = TypeVar("_Value")


class Recorded(Generic[_Value]):
    """An attribute that is as long as training: made anew at each look at it.

    Otherwise each call of `partial_fit` would make a longer list.

    Parameters
    ----------
    read : callable
        ``read(history)`` returns its value.
    is_there : callable, default=None
        ``is_there(history)`` says whether a fit by L-BFGS leaves it as well, by which there
        is no ``best_loss_``; None for never.
    """

    def __init__(
        self,
        read: Callable[[History], _Value],
        is_there: Callable[[History], bool] | None = None,
    ) -> None:
        self._read, self._is_there = read, is_there

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, estimator: Any, owner: type) -> _Value:
        if estimator is None:
            return cast(Any, self)
        attributes = vars(estimator)
        state = attributes.get("_state")
        is_there = state is not None and "best_loss_" in attributes
        if not is_there and state is not None and self._is_there is not None:
            is_there = self._is_there(state.history)
        if not is_there:
            raise AttributeError(
                f"{type(estimator).__name__!r} object has no attribute {self._name!r}",
                name=self._name,
                obj=estimator,
            )
        return self._read(state.history)


def _is_validated(history: History) -> bool:
    return history.is_validated


class RecordedAttributes:
    """What `BaseDNN` inherits: the attributes that are as long as training."""

    loss_curve_ = Recorded(History.losses)
    validation_scores_ = Recorded(History.scores, _is_validated)
    validation_loss_curve_ = Recorded(History.losses_of_validation, _is_validated)
    history_ = Recorded(History.table, lambda history: True)

    def _forget_record(self) -> None:
        """Take away what shows the record of a fit."""
        own = [name for name, of in vars(RecordedAttributes).items() if type(of) is Recorded]
        for name in (*History().shown(), *own):
            self.__dict__.pop(name, None)
