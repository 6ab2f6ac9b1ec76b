"""`HalvingDNNSearchCV`: the better candidates train on, from where they stopped."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import ParameterSampler
from sklearn.utils._param_validation import Interval, StrOptions

from fastdnn.models.hyperparameters import training_options
from fastdnn.search.base import BaseDNNSearchCV
from fastdnn.search.candidates import Candidate, network_of, resource_of
from fastdnn.search.contest import Contest
from fastdnn.search.rungs import annealed_epochs, at_annealed, depends_on_horizon, rungs_of


class HalvingDNNSearchCV(BaseDNNSearchCV):
    """Search with successive halving, in which nothing is trained twice.

    It is scikit-learn's `HalvingRandomSearchCV` with epochs as the resource: candidates are
    drawn and train for a few epochs, of which the best go on to the next rung and train for
    `factor` times as many, and so on. There each rung begins anew; here the network of each
    candidate in each fold goes on from where it stopped, with the same bits as if it had been
    trained for so long at once. What a pipeline has before the network is fitted once for each
    fold and setting of its own parameters. All that is done side by side by threads of this
    process, on one X; results do not depend on how many there are.

    Schedules of the learning rate that depend on how long training is, `learning_rate_warmup`
    and `swa_start` are those of `max_resources` epochs in every rung. Rungs then lie where the
    step size has come down to zero, where it does before the end, and the last one at the end.

    Parameters
    ----------
    estimator : DNNClassifier, DNNRegressor or Pipeline
        A pipeline ends in one of them.
    param_distributions : dict or list of dict
        Of each parameter a distribution, with a method ``rvs``, or a list of values.
    n_candidates : int or 'exhaust', default='exhaust'
        How many to draw; 'exhaust' for as many as lets the last rung have all epochs.
    factor : float, default=3
        A ``1 / factor`` of the candidates goes on, for `factor` times as many epochs.
    max_resources : int or 'auto', default='auto'
        Epochs of a candidate at most; 'auto' for ``max_iter`` of the network.
    min_resources : int, 'exhaust' or 'smallest', default='smallest'
        Epochs of the first rung; 'smallest' is 1, 'exhaust' as many as lets the last rung
        have all of `max_resources`.
    aggressive_elimination : bool, default=False
        Whether to repeat the first rung until few enough candidates are left.
    cv : int, cross-validator or iterable, default=5
        How X is split.
    scoring : str or callable, default=None
        How to score; by the network's `score` if it is None.
    refit : bool or callable, default=True
        Whether to fit the best candidate to all samples; a callable returns the index of the
        best one for ``cv_results_``.
    error_score : 'raise' or float, default=nan
        Score of a candidate in a fold where its training fails.
    return_train_score : bool, default=True
        Whether `cv_results_` has scores of the rows that were trained on.
    random_state : int, RandomState or None, default=None
        Draws the candidates.
    n_jobs : int, default=None
        Threads; None for as many as pay, at most the CPUs.
    time_limit : float, default=None
        Seconds after which to stop, with what has been done.
    verbose : int, default=0
        Whether to print the rungs.
    client : distributed.Client, default=None
        Of a Dask cluster whose workers train the candidates, in the place of threads; the last
        fit is done here. As a connection it is copied by `clone`, but not pickled, and is
        no parameter of `get_params`.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_
        As of `HalvingRandomSearchCV`; ``params`` have the epochs as ``max_iter``.
    n_resources_, n_candidates_ : list of int
        Epochs and candidates of each rung.
    n_remaining_candidates_ : int
        Those that would go on to another rung.
    n_iterations_, n_possible_iterations_, n_required_iterations_ : int
        Rungs: those that there were, those that there are epochs for, and those until less
        than `factor` candidates are left.
    min_resources_, max_resources_ : int
        Epochs of the first rung, and of all at most.
    history_ : list of dict
        Of each candidate its ``params``, and of all ``folds`` the ``history_`` of its network:
        a table of losses and rates, epoch by epoch.
    is_complete_ : bool
        Whether the search came to its end.

    See Also
    --------
    DNNSearchCV : Trains all candidates to the end.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastdnn import DNNClassifier
    >>> from fastdnn.search import HalvingDNNSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = DNNClassifier((5,), n_threads=1, random_state=0)
    >>> search = HalvingDNNSearchCV(
    ...     network,
    ...     {"learning_rate_init": [0.001, 0.01, 0.1]},
    ...     n_candidates=3,
    ...     min_resources=2,
    ...     max_resources=6,
    ...     cv=2,
    ...     refit=False,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> search.n_resources_, search.n_candidates_
    ([2, 6], [3, 1])
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseDNNSearchCV._parameter_constraints,
        "param_distributions": [dict, list],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "n_candidates": [
            Interval(Integral, 0, None, closed="neither"),
            StrOptions({"exhaust"}),
        ],
        "factor": [Interval(Real, 1, None, closed="neither")],
        "max_resources": [
            Interval(Integral, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
        "min_resources": [
            Interval(Integral, 0, None, closed="neither"),
            StrOptions({"exhaust", "smallest"}),
        ],
        "aggressive_elimination": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_candidates: Any = "exhaust",
        factor: float = 3,
        max_resources: Any = "auto",
        min_resources: Any = "smallest",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
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
        self.n_candidates = n_candidates
        self.factor = factor
        self.max_resources = max_resources
        self.min_resources = min_resources
        self.aggressive_elimination = aggressive_elimination
        self.random_state = random_state
        self.time_limit = time_limit
        self.client = client

    def _require_fitting(self) -> None:
        super()._require_fitting()
        if self.min_resources == self.n_candidates == "exhaust":
            raise ValueError("n_candidates and min_resources cannot be both set to 'exhaust'.")
        smallest = 1 if isinstance(self.min_resources, str) else self.min_resources
        largest = self.max_resources
        if largest == "auto":
            largest = network_of(self.estimator).max_iter
        if smallest > largest:
            raise ValueError(
                f"min_resources_={smallest} is greater than max_resources_={largest}."
            )
        self.min_resources_, self.max_resources_ = smallest, largest

    def _draw(self) -> list[dict[str, Any]]:
        """Draw the candidates."""
        n_candidates = self.n_candidates
        if n_candidates == "exhaust":
            n_candidates = self.max_resources_ // self.min_resources_
        drawn = list(
            ParameterSampler(
                self.param_distributions, n_candidates, random_state=self.random_state
            )
        )
        resource = resource_of(self.estimator)
        if any(resource in params for params in drawn):
            raise ValueError(
                f"Cannot use parameter {resource} as the resource since it is part of the "
                "searched parameters."
            )
        return drawn

    def _run(self, contest: Contest) -> None:
        drawn, resource = self._draw(), resource_of(self.estimator)
        candidates = contest.begin(drawn)
        rungs = rungs_of(
            len(drawn),
            self.factor,
            self.min_resources_,
            self.max_resources_,
            exhausts=self.min_resources == "exhaust",
            all=self.aggressive_elimination,
        )
        n_resources = where_annealed(rungs.n_resources, candidates, self.max_resources_)
        self.min_resources_ = n_resources[0]
        self.n_required_iterations_ = rungs.n_required
        self.n_possible_iterations_ = rungs.n_possible
        self.n_iterations_ = len(n_resources)
        if self.verbose:
            for name in ("n_iterations_", "n_required_iterations_", "n_possible_iterations_"):
                print(f"{name[:-1]}: {getattr(self, name)}")
            for name in (
                "min_resources_",
                "max_resources_",
                "aggressive_elimination",
                "factor",
            ):
                print(f"{name}: {getattr(self, name)}")
        self.n_resources_, self.n_candidates_ = [], []
        going_on = list(range(len(drawn)))
        self.n_remaining_candidates_ = len(going_on)
        for rung, n_epochs in enumerate(n_resources):
            self.n_resources_.append(n_epochs)
            self.n_candidates_.append(len(going_on))
            if self.verbose:
                print("-" * 10)
                print(f"iter: {rung}\nn_candidates: {len(going_on)}\nn_resources: {n_epochs}")
            is_done = contest.advance(
                going_on,
                [(n_epochs, self.max_resources_)] * len(going_on),
                [drawn[position] | {resource: n_epochs} for position in going_on],
                {"iter": rung, "n_resources": n_epochs},
            )
            if not is_done:
                return
            results: Any = contest.results
            scores = results["mean_test_score"][-len(going_on) :]
            going_on = best_of(going_on, scores, math.ceil(len(going_on) / self.factor))
            self.n_remaining_candidates_ = len(going_on)
            if not callable(self.refit):  # which may choose one of any rung
                best = self._select_best_index(True, None, results)
                contest.forget_others_than([*going_on, contest.position_of(best)])

    @staticmethod
    def _select_best_index(refit: Any, refit_metric: Any, results: dict[str, Any]) -> int:
        """Return the row of the best candidate of the last rung."""
        if callable(refit):
            return BaseDNNSearchCV._select_best_index(refit, refit_metric, results)
        rows = np.flatnonzero(results["iter"] == np.max(results["iter"]))
        scores = results["mean_test_score"][rows]
        return int(rows[0 if np.isnan(scores).all() else np.nanargmax(scores)])


def best_of(positions: Sequence[int], scores: np.ndarray, n_best: int) -> list[int]:
    """Return the candidates of the highest scores, in ascending order of these.

    Those that have none, NaN, come before all others.
    """
    order = np.roll(np.argsort(scores), np.count_nonzero(np.isnan(scores)))
    return [positions[i] for i in order[-n_best:]]


def where_annealed(
    n_resources: list[int], candidates: Sequence[Candidate], horizon: int
) -> list[int]:
    """Return rungs that lie where the step sizes of all candidates have come down to zero."""
    common: set[int] | None = None
    for candidate in candidates:
        network = candidate.network
        try:
            network._validate_params()
            if network.solver == "lbfgs":
                continue
            options = training_options(network)
            if depends_on_horizon(options):
                annealed = annealed_epochs(options, horizon)
                common = annealed if common is None else common & annealed
        except (ValueError, TypeError):
            continue  # its training will say why
    return n_resources if common is None else at_annealed(n_resources, common, horizon)
