"""What training records."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from fastdnn.training.curves import Curve

_NOTHING: Mapping[str, float] = {}
#: The columns of `History.epochs` that every epoch has, in their order.
COLUMNS = ("loss", "learning_rate", "seconds", "n_samples")


class Mark(NamedTuple):
    """How far a history had come: what `History.go_back_to` undoes the rest by."""

    values: dict[str, Any]
    n_losses: int
    n_scores: int
    n_validation_losses: int
    n_epochs: int


@dataclass
class History:
    """The record of a fit; goes on over `partial_fit` and warm starts.

    Attributes
    ----------
    early_stopping : bool
        Whether epochs are judged by a validation score instead of the loss.
    loss_curve : Curve of float
        Mean loss of each epoch.
    validation_scores : Curve of float
        Score after each epoch that validation followed.
    best_loss, best_validation_score : float
        Lowest and highest of them; the latter with early stopping only.
    no_improvement_count : int
        Epochs since the last improvement.
    n_iter : int
        Epochs of the last fit.
    t : int
        Samples seen.
    loss : float
        Last finite loss.
    is_validated : bool
        Whether validation followed the epochs of the last fit.
    validation_losses : Curve of float
        Loss of the validation samples after each epoch that validation followed.
    validation_columns : tuple of str
        What validation has told of some epoch.
    epochs : Curve of tuple
        For each epoch the numbers of `COLUMNS`, then those of `validation_columns`, of which
        the last ones may be missing. Times differ from one fit to the next: what says
        whether two fits were the same does not look at it.
    """

    early_stopping: bool = False
    loss_curve: Curve = field(default_factory=Curve)
    validation_scores: Curve = field(default_factory=Curve)
    best_loss: float = math.inf
    best_validation_score: float = -math.inf
    no_improvement_count: int = 0
    n_iter: int = 0
    t: int = 0
    loss: float = math.inf
    is_validated: bool = False
    validation_losses: Curve = field(default_factory=Curve)
    validation_columns: tuple[str, ...] = ()
    epochs: Curve = field(default_factory=Curve, compare=False)

    def copy(self) -> "History":
        """Return a history that goes on without changing this one; nothing is copied."""
        return replace(
            self,
            loss_curve=self.loss_curve.copy(),
            validation_scores=self.validation_scores.copy(),
            validation_losses=self.validation_losses.copy(),
            epochs=self.epochs.copy(),
        )

    def shown(self, with_curves: bool = True) -> dict[str, Any]:
        """Return the fitted attributes that estimators show of it, but for long ones.

        Without curves those that they have after a fit by L-BFGS, too.
        """
        shown: dict[str, Any] = {"n_iter_": self.n_iter, "t_": self.t, "loss_": self.loss}
        if with_curves:
            early = self.early_stopping
            shown |= {
                "_no_improvement_count": self.no_improvement_count,
                "best_loss_": None if early else self.best_loss,
                "best_validation_score_": self.best_validation_score if early else None,
            }
        return shown

    def losses(self) -> list[float]:
        """Return the mean loss of each epoch."""
        return list(self.loss_curve)

    def scores(self) -> list[float] | None:
        """Return the validation scores; None if nothing was validated."""
        return list(self.validation_scores) if self._has_scores else None

    def losses_of_validation(self) -> list[float] | None:
        """Return the losses of the validation samples; None if there were none."""
        return list(self.validation_losses) if self._has_scores else None

    @property
    def _has_scores(self) -> bool:
        return self.early_stopping or self.is_validated

    def table(self) -> dict[str, list]:
        """Return a column for each number that was recorded of epochs, all equally long.

        What was not recorded of an epoch is NaN.
        """
        names = (*COLUMNS, *self.validation_columns)
        rows = [row + (math.nan,) * (len(names) - len(row)) for row in self.epochs]
        columns = {name: [row[j] for row in rows] for j, name in enumerate(names)}
        return {"epoch": list(range(1, len(rows) + 1))} | columns

    def last(self) -> dict[str, float]:
        """Return what was recorded of the last epoch: the last row of `table`."""
        names, row = (*COLUMNS, *self.validation_columns), self.epochs[-1]
        row += (math.nan,) * (len(names) - len(row))
        return {"epoch": len(self.epochs)} | dict(zip(names, row, strict=True))

    def mark(self) -> Mark:
        """Return what `go_back_to` needs to undo what comes after."""
        return Mark(
            vars(self).copy(),
            len(self.loss_curve),
            len(self.validation_scores),
            len(self.validation_losses),
            len(self.epochs),
        )

    def go_back_to(self, mark: Mark) -> None:
        """Undo what was recorded since `mark` was made, be it only in part."""
        vars(self).update(mark.values)
        self.loss_curve.cut(mark.n_losses)
        self.validation_scores.cut(mark.n_scores)
        self.validation_losses.cut(mark.n_validation_losses)
        self.epochs.cut(mark.n_epochs)

    def add_epochs(
        self,
        losses: list[float],
        n_samples: int,
        learning_rates: list[float],
        seconds: float,
        validation: Mapping[str, float] = _NOTHING,
    ) -> None:
        """Record epochs, each over so many samples.

        Parameters
        ----------
        losses : list of float
            Mean over the samples, of each.
        n_samples : int
            Samples seen in each.
        learning_rates : list of float
            At the last step of each.
        seconds : float
            What each took.
        validation : mapping of str to float
            What validation told after an epoch, then the only one, by the names of the
            columns.
        """
        self.loss_curve.extend(losses)
        of_validation = self._add_validation(validation) if validation else ()
        t, rows = self.t, []
        for loss, rate in zip(losses, learning_rates, strict=True):
            t += n_samples
            rows.append((loss, rate, seconds, t, *of_validation))
        self.epochs.extend(rows)
        self.loss, self.t = losses[-1], t
        self.n_iter += len(losses)

    def add_divergence(self, loss: float, n_samples: int) -> None:
        """Record, as scikit-learn does, an epoch after which nothing has a score any more.

        `loss` stays that of the epoch before.
        """
        self.loss_curve.append(loss)
        self.validation_scores.append(math.nan)
        if self.is_validated:
            self.validation_losses.append(math.nan)
        self.n_iter += 1
        self.t += n_samples
        self.add_row(loss, self.t)

    def add_row(
        self,
        loss: float,
        n_samples: float = math.nan,
        seconds: float = math.nan,
        validation: Mapping[str, float] = _NOTHING,
    ) -> None:
        """Record in the table alone what has no step size, after `n_samples` in all."""
        of_validation = self._add_validation(validation) if validation else ()
        self.epochs.append((loss, math.nan, seconds, n_samples, *of_validation))

    def _add_validation(self, validation: Mapping[str, float]) -> tuple[float, ...]:
        """Record what validation told; return it in the order of the columns."""
        missing = tuple(name for name in validation if name not in self.validation_columns)
        if missing:
            self.validation_columns += missing
        self.validation_losses.append(validation["validation_loss"])
        self.validation_scores.append(validation["validation_score"])
        return tuple(validation.get(name, math.nan) for name in self.validation_columns)
