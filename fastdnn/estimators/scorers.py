"""The scores of the parameter `scoring`, of a network that is still being trained."""

import inspect
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import get_scorer

from fastdnn.data.samples import Samples
from fastdnn.models.transaction import twin_of
from fastdnn.network.parameters import Parameters
from fastdnn.training.state import TrainingState

_ADVICE = (
    "Use 'loss', a name of sklearn.metrics.get_scorer_names(), or a function of estimator, X "
    "and y that returns a number"
)


class Metric(NamedTuple):
    """One of the scores that were asked for."""

    name: str
    """What it is called in the history."""
    scorer: Any
    """'loss', None for the score that is used without any, or a callable."""


def metrics_of(scoring: Any) -> list[Metric]:
    """Return what the parameter `scoring` asks for, the one that decides first.

    Parameters
    ----------
    scoring : None, str, callable, list, tuple or dict
        The parameter.

    Raises
    ------
    ValueError
        If it is not one or more scorers of different names.
    """
    if isinstance(scoring, Mapping):
        named = list(scoring.items())
    elif isinstance(scoring, list | tuple):
        named = [(_name_of(one), one) for one in scoring]
    else:
        return [Metric("score", _scorer(scoring, scoring))]
    if not named:
        raise ValueError(f"scoring={scoring!r} must have one score at least. {_ADVICE}.")
    names = [name for name, _ in named]
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            raise ValueError(
                f"scoring={scoring!r} must have a name of its own for each score, which is a "
                f"string, got {name!r}. Use a dict of names and scores."
            )
        if name == "score" or (name == "loss" and dict(named)[name] != "loss"):
            raise ValueError(
                f"scoring={scoring!r} may not call a score {name!r}: the history has a "
                "column of that name. Use a dict with another one."
            )
    return [Metric(name, _scorer(one, scoring)) for name, one in named]


def _name_of(scorer: Any) -> Any:
    return scorer if isinstance(scorer, str) else getattr(scorer, "__name__", repr(scorer))


def _scorer(one: Any, scoring: Any) -> Any:
    if one is None or (isinstance(one, str) and one == "loss"):
        return one
    if isinstance(one, str):
        try:
            return get_scorer(one)
        except ValueError:
            raise ValueError(
                f"scoring={scoring!r}: there is no scorer {one!r}. {_ADVICE}."
            ) from None
    if not callable(one):
        raise ValueError(f"scoring={scoring!r}: {one!r} is no scorer. {_ADVICE}.")
    return one


def require_scorable(estimator: Any, metrics: list[Metric]) -> None:
    """Raise for scorers that need a method which the estimator does not have.

    Raises
    ------
    ValueError
        Naming the scorer.
    """
    for metric in metrics:
        needed = getattr(metric.scorer, "_response_method", None)
        if needed is None:
            continue
        methods = ["predict"] if needed == "default" else np.atleast_1d(needed).tolist()
        if not any(hasattr(estimator, method) for method in methods):
            raise ValueError(
                f"scoring={estimator.scoring!r} needs {' or '.join(methods)}, which "
                f"{_described(estimator)} does not have. Use another score"
                f"{', or another loss' if hasattr(estimator, 'loss') else ''}."
            )


def _described(estimator: Any) -> str:
    loss = f"(loss={estimator.loss!r})" if hasattr(estimator, "loss") else ""
    return f"{type(estimator).__name__}{loss}"


class Scorers:
    """Scores validation rows by what scikit-learn and users have written for estimators.

    They are given a twin of the estimator, which predicts with the parameters of the moment.
    It knows the validation rows again, and does not validate them at every epoch.

    Parameters
    ----------
    estimator : BaseDNN
        With the fitted attributes that predictions need.
    metrics : list of Metric
        The one that decides first.
    parameters : Parameters
        Of the network.
    samples : Samples
        The validation rows, as the engine takes them.
    X, y
        The same, as the user gave them.
    weight : ndarray or None
        Their weights, for scorers that take some.
    """

    def __init__(
        self,
        estimator: Any,
        metrics: list[Metric],
        parameters: Parameters,
        samples: Samples,
        X: Any,
        y: Any,
        weight: np.ndarray | None,
    ) -> None:
        self._view, self._X, self._y = twin_of(estimator), X, y
        self._view._state = TrainingState(parameters, estimator._state.history)
        self._view._show_parameters()
        validate, rows = self._view._validate_for_prediction, samples.to_predict()
        vars(self._view)["_validate_for_prediction"] = lambda given: (
            rows if given is X else validate(given)
        )
        self._metrics, self._decides = metrics, metrics[0].name
        self._calls = {
            metric.name: self._call_of(metric, weight)
            for metric in metrics
            if metric.scorer is not None and metric.scorer != "loss"
        }

    def _call_of(self, metric: Metric, weight: np.ndarray | None) -> Callable[[], Any]:
        scorer: Any = metric.scorer
        keywords = {}
        if weight is not None and takes_weights(scorer):
            keywords["sample_weight"] = weight.astype(np.float64)
        return lambda: scorer(self._view, self._X, self._y, **keywords)

    def __call__(self, default: float, loss: float) -> tuple[float, dict[str, float]]:
        """Return the score that decides, and all of several by their names.

        Parameters
        ----------
        default : float
            The score of an estimator that is told of none.
        loss : float
            The validation loss.

        Raises
        ------
        ValueError
            If a scorer fails, or one that decides returns NaN.
        """
        values = {}
        for name, scorer in self._metrics:
            if name in self._calls:
                values[name] = self._number(name, self._calls[name])
            else:
                values[name] = default if scorer is None else -loss
        score = values[self._decides]
        if np.isnan(score) and self._decides in self._calls:
            raise ValueError(
                f"scoring={self._view.scoring!r}: {self._shown(self._decides)} is nan on the "
                f"{len(self._y)} validation samples, and nothing can be decided by that. "
                "Use another score, or validation samples that it is defined for."
            )
        if len(self._metrics) == 1:
            return score, {}
        return score, {name: value for name, value in values.items() if name != "loss"}

    def _shown(self, name: str) -> str:
        return repr(name) if len(self._metrics) > 1 else "it"

    def _number(self, name: str, call: Callable[[], Any]) -> float:
        scoring = self._view.scoring
        try:
            value = call()
        except Exception as error:
            raise ValueError(
                f"scoring={scoring!r}: {self._shown(name)} failed on the {len(self._y)} "
                f"validation samples with {type(error).__name__}: {error}"
            ) from error
        if hasattr(value, "item") and np.ndim(value) == 0:
            value = value.item()
        if not isinstance(value, Real):
            raise ValueError(
                f"scoring={scoring!r}: {self._shown(name)} must return a number, got "
                f"{value!r}. {_ADVICE}."
            )
        return float(value)


def takes_weights(scorer: Any) -> bool:
    """Whether a scorer, and the metric behind it, take weights of samples."""
    function = getattr(scorer, "_score_func", scorer)
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    if "sample_weight" in parameters:
        return True
    kinds = {parameter.kind for parameter in parameters.values()}
    return function is scorer and inspect.Parameter.VAR_KEYWORD in kinds
