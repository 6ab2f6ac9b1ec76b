"""What training records."""

import math
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass
class History:
    """The record of a fit; goes on over `partial_fit` and warm starts.

    Attributes
    ----------
    early_stopping : bool
        Whether epochs are judged by a validation score instead of the loss.
    loss_curve : list of float
        Mean loss of each epoch.
    validation_scores : list of float
        Score after each epoch.
    best_loss, best_validation_score : float
        Lowest and highest of them.
    no_improvement_count : int
        Epochs since the last improvement.
    n_iter : int
        Epochs of the last fit.
    t : int
        Samples seen.
    loss : float
        Last finite loss.
    """

    early_stopping: bool = False
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    best_loss: float = math.inf
    best_validation_score: float = -math.inf
    no_improvement_count: int = 0
    n_iter: int = 0
    t: int = 0
    loss: float = math.inf

    def copy(self) -> "History":
        """Return a history that goes on without changing this one."""
        return replace(
            self,
            loss_curve=list(self.loss_curve),
            validation_scores=list(self.validation_scores),
        )

    def shown(self, with_curves: bool = True) -> dict[str, Any]:
        """Return the fitted attributes that estimators show of it.

        Without curves those that they have after a fit by L-BFGS, too.
        """
        shown: dict[str, Any] = {"n_iter_": self.n_iter, "t_": self.t, "loss_": self.loss}
        if with_curves:
            early = self.early_stopping
            shown |= {
                "loss_curve_": self.loss_curve,
                "_no_improvement_count": self.no_improvement_count,
                "best_loss_": None if early else self.best_loss,
                "validation_scores_": self.validation_scores if early else None,
                "best_validation_score_": self.best_validation_score if early else None,
            }
        return shown

    def mark(self) -> tuple[dict, int, int]:
        """Return what `go_back_to` needs to undo what comes after."""
        return vars(self).copy(), len(self.loss_curve), len(self.validation_scores)

    def go_back_to(self, mark: tuple[dict, int, int]) -> None:
        """Undo what was recorded since `mark` was made, be it only in part."""
        values, n_losses, n_scores = mark
        vars(self).update(values)
        del self.loss_curve[n_losses:], self.validation_scores[n_scores:]

    def add_epoch(self, loss: float, n_samples: int) -> None:
        """Count an epoch over so many samples."""
        self.loss = loss
        self.loss_curve.append(loss)
        self.n_iter += 1
        self.t += n_samples

    def add_divergence(self, loss: float, n_samples: int) -> None:
        """Record, as scikit-learn does, an epoch after which nothing has a score any more.

        `loss` stays that of the epoch before.
        """
        self.loss_curve.append(loss)
        self.validation_scores.append(math.nan)
        self.n_iter += 1
        self.t += n_samples
