"""A candidate: an estimator with parameters of its own, taken apart into what is shared.

It is a network, or a pipeline that ends in one. What comes before the network depends on its
own parameters alone, so that candidates which agree in these share it.
"""

from typing import Any

import joblib
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from fastdnn.estimators.base import BaseDNN

_KINDS = "DNNClassifier, DNNRegressor, or a Pipeline that ends in one of them"


def network_of(estimator: Any) -> BaseDNN:
    """Return the network at the end of an estimator.

    Raises
    ------
    TypeError
        If it is none of ours.
    ValueError
        If it cannot be trained in pieces.
    """
    network = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(network, BaseDNN):
        raise TypeError(
            f"estimator={estimator!r} must be a {_KINDS}: only these train on from where they "
            "stopped. For others there are HalvingRandomSearchCV, RandomizedSearchCV and "
            "GridSearchCV of sklearn.model_selection."
        )
    if network.n_members != 1:
        raise ValueError(
            f"n_members={network.n_members} of the estimator must be 1 in a search, which has "
            "networks in each fold. Set it on best_estimator_, and fit that."
        )
    if getattr(network, "_skl_callbacks", None):
        raise ValueError(
            "Callbacks are told of the epochs of one fit, but a search trains its candidates "
            "side by side and in pieces. Remove them from the network by set_callbacks(); the "
            "curves of all candidates are in history_."
        )
    return network


def prefix_of(estimator: Any) -> str:
    """Return what the names of the network's parameters begin with."""
    return f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""


def resource_of(estimator: Any) -> str:
    """Return the name of the parameter of an estimator that has its epochs."""
    return f"{prefix_of(estimator)}max_iter"


class Candidate:
    """A candidate.

    Parameters
    ----------
    estimator : BaseEstimator
        Of the search.
    params : dict
        What is set in a clone of it.

    Attributes
    ----------
    params : dict
        As given.
    network : BaseDNN
        A network that was not fitted.
    before : Pipeline or None
        What transforms its input.
    setting : str
        Equal for candidates whose `before` is the same.
    """

    def __init__(self, estimator: BaseEstimator, params: dict[str, Any]) -> None:
        self.params, self._estimator = params, estimator
        made = clone(estimator).set_params(**clone(params, safe=False))
        self.network: Any = network_of(made)
        self.before, self.setting = None, ""
        if isinstance(made, Pipeline) and len(made.steps) > 1:
            self.before = Pipeline(made.steps[:-1])
            prefix = prefix_of(estimator)
            own = {name: v for name, v in params.items() if not name.startswith(prefix)}
            own.pop(prefix[:-2], None)
            self.setting = str(joblib.hash(sorted(own.items())))

    def assembled(self, before: Any, network: Any) -> Any:
        """Return an estimator of a fitted network, and of what is fitted before it."""
        if not isinstance(self._estimator, Pipeline):
            return network
        made = clone(self._estimator).set_params(**clone(self.params, safe=False))
        steps = [] if before is None else before.steps
        made.steps = [*steps, (made.steps[-1][0], network)]
        return made
