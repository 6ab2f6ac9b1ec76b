"""`DNNSearchCV`: grids and random draws, each candidate trained to its end."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.utils._param_validation import Interval

from fastdnn.search.base import BaseDNNSearchCV
from fastdnn.search.contest import Contest


class DNNSearchCV(BaseDNNSearchCV):
    """Search over a grid, or over random draws, in one pool of threads on one X.

    It has the results of scikit-learn's `GridSearchCV` or `RandomizedSearchCV`, and shares
    what these do for each candidate anew: X is checked and converted once and not copied, and
    what a pipeline has before the network is fitted once for each fold and setting of its own
    parameters. Results do not depend on the number of threads.

    Parameters
    ----------
    estimator : DNNClassifier, DNNRegressor or Pipeline
        A pipeline ends in one of them.
    param_distributions : dict or list of dict
        Of each parameter a list of values; for draws also a distribution, with a method
        ``rvs``.
    n_iter : int, default=None
        How many candidates to draw; None for all combinations of the lists.
    cv : int, cross-validator or iterable, default=None
        How X is split; None for 5 folds.
    scoring : str, callable, list, tuple or dict, default=None
        How to score; by the network's `score` if it is None.
    refit : bool, str or callable, default=True
        Whether to fit the best candidate to all samples; of several scores by which one.
    error_score : 'raise' or float, default=nan
        Score of a candidate in a fold where its training fails.
    return_train_score : bool, default=False
        Whether `cv_results_` has scores of the rows that were trained on.
    random_state : int, RandomState or None, default=None
        Draws the candidates.
    n_jobs : int, default=None
        Threads; None for as many as pay, at most the CPUs.
    time_limit : float, default=None
        Seconds after which to stop, with what has been done.
    verbose : int, default=0
        Whether to print how many fits there are.
    client : distributed.Client, default=None
        Of a Dask cluster whose workers train the candidates, in the place of threads; the last
        fit is done here. As a connection it is copied by `clone`, but not pickled, and is
        no parameter of `get_params`.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_
        As of `GridSearchCV`.
    history_ : list of dict
        Of each candidate its ``params``, and of all ``folds`` the ``history_`` of its network.
    is_complete_ : bool
        Whether the search came to its end.

    See Also
    --------
    HalvingDNNSearchCV : Trains only the better candidates to the end.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastdnn import DNNClassifier
    >>> from fastdnn.search import DNNSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = DNNClassifier((5,), max_iter=3, n_threads=1, random_state=0)
    >>> grid = {"learning_rate_init": [0.0001, 0.1]}
    >>> search = DNNSearchCV(network, grid, cv=2, refit=False).fit(X, y)
    >>> search.best_params_
    {'learning_rate_init': 0.1}
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseDNNSearchCV._parameter_constraints,
        "param_distributions": [dict, list],
        "n_iter": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int | None = None,
        cv: Any = None,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        time_limit: float | None = None,
        verbose: int = 0,
        client: Any = None,
    ) -> None:
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.random_state = random_state
        self.time_limit = time_limit
        self.client = client

    def _run(self, contest: Contest) -> None:
        if self.n_iter is None:
            params = list(ParameterGrid(self.param_distributions))
        else:
            params = list(
                ParameterSampler(
                    self.param_distributions, self.n_iter, random_state=self.random_state
                )
            )
        candidates = contest.begin(params)
        epochs = [candidate.network.max_iter for candidate in candidates]
        contest.advance(range(len(params)), [(n, n) for n in epochs], params, {})
