"""What networks of a fold are trained and scored on, shared by all candidates.

A network alone has rows of one X, which is checked and converted once for the whole search and
never copied. In a pipeline what comes before the network is fitted once for each fold and
setting of its own parameters, and its output is checked once.
"""

import dataclasses
import threading
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import _check_method_params, _num_samples

from fastdnn.data.samples import CheckedRows, Samples
from fastdnn.estimators.ready import Ready, encoded_ready
from fastdnn.estimators.validation_sets import Given
from fastdnn.search.candidates import Candidate, prefix_of

_OF_FIT = {"sample_weight": 0, "X_val": 1, "y_val": 2, "sample_weight_val": 3}
_LEARNT_OF_X = "n_features_in_", "feature_names_in_"


class Checked(NamedTuple):
    """X and y as estimators of one precision take them."""

    samples: Samples
    y: Any
    learnt: dict[str, Any]


class Table:
    """An X with its targets, which is checked once for each precision of networks."""

    def __init__(self, X: Any, y: Any) -> None:
        self.__setstate__((X, y))

    def __getstate__(self) -> tuple[Any, Any]:
        return self.X, self.y  # to check them again is less than to send what that makes

    def __setstate__(self, state: tuple[Any, Any]) -> None:
        self.X, self.y = state
        self._checked: dict[str, Checked] = {}
        self._lock = threading.Lock()

    def check(self, network: Any) -> None:
        """Make ready what networks of this one's precision take; once."""
        with self._lock:
            if network.dtype not in self._checked or self._is_to_widen(network):
                self._checked[network.dtype] = self._made(network)

    def _made(self, network: Any) -> Checked:
        scratch = clone(network)
        X, y = scratch._validated_to_fit(self.X, self.y, True)
        learnt = {name: v for name, v in vars(scratch).items() if name in _LEARNT_OF_X}
        samples = Samples(X)
        if network.solver == "lbfgs" and X.dtype == np.float32:
            samples = samples.also_in(np.float64)
        return Checked(samples, y, learnt)

    def _is_to_widen(self, network: Any) -> bool:
        samples = self._checked[network.dtype].samples
        is_wide = samples.converted is not None or samples.X.dtype != np.float32
        return network.solver == "lbfgs" and not is_wide

    def checked(self, network: Any) -> Checked:
        """Return what `check` has made."""
        return self._checked[network.dtype]


class FitParams:
    """What `fit` of a search was given besides X and y, for the two parts of an estimator.

    Raises
    ------
    TypeError
        If the network takes no such argument.
    """

    def __init__(self, estimator: Any, params: dict[str, Any]) -> None:
        self.before: dict[str, Any] = {}
        self.network, self.transformed = dict(params), frozenset[str]()
        if isinstance(estimator, Pipeline):
            self.before, self.network = _divided(estimator, params)
            self.transformed = frozenset(estimator.transform_input or ())
        for name in self.network:
            if name not in _OF_FIT:
                raise TypeError(
                    f"fit of a search passes {name!r} on to the network, which takes only "
                    f"{', '.join(_OF_FIT)}. Leave it out."
                )

    def given(self, before: Any) -> Given:
        """Return what networks validate on, behind what is fitted before them."""
        X, y, weight = (self.network.get(name) for name in list(_OF_FIT)[1:])
        if before is not None and "X_val" in self.transformed and X is not None:
            X = before.transform(X)
        return Given(X, y, weight)


def _divided(pipeline: Pipeline, params: dict[str, Any]) -> tuple[dict, dict]:
    """Return which parameters of `fit` are for the steps before the last, and for that."""
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(pipeline, "fit", **params)
        asked = {
            name
            for step, _ in pipeline.steps[:-1]
            for of_method in routed[step].values()
            for name in of_method
        }
        before = {name: v for name, v in params.items() if name in asked}
        return before, dict(routed[pipeline.steps[-1][0]].fit)
    prefix = prefix_of(pipeline)
    for name in params:
        if "__" not in name:
            raise ValueError(
                f"Pipeline.fit does not accept the {name} parameter. You can pass parameters "
                f"to specific steps of your pipeline using the stepname__parameter format, "
                f"e.g. `{prefix}{name}`."
            )
    network = {n.removeprefix(prefix): v for n, v in params.items() if n.startswith(prefix)}
    return {n: v for n, v in params.items() if not n.startswith(prefix)}, network


@dataclasses.dataclass
class FoldInput:
    """What candidates of one setting are trained and scored on in one fold."""

    train: Table
    test: Table
    rows: np.ndarray | None
    """Rows of `train` to train on; None for all."""
    test_rows: np.ndarray | None
    """Rows of `test` to score on; None for all."""
    sample_weight: Any
    given: Given
    before: Any
    """What is fitted before the network, or None."""

    def check(self, network: Any) -> None:
        """Check all that a network of this precision needs."""
        self.train.check(network)
        self.test.check(network)

    def ready(self, network: Any) -> Ready:
        """Return what a network is trained on; it learns features and classes."""
        checked = self.train.checked(network)
        vars(network).update(checked.learnt)
        as_given = self.train.X, checked.y, self.sample_weight
        return encoded_ready(
            network, checked.samples, checked.y, as_given, self.given, rows=self.rows
        )

    def to_score(self, network: Any, is_train: bool) -> CheckedRows:
        """Return what scorers give to `predict`, without a copy of X."""
        table, rows = (self.train, self.rows) if is_train else (self.test, self.test_rows)
        samples = table.checked(network).samples
        return CheckedRows(samples if rows is None else samples.at(rows), table.X)


class Fold:
    """One split of X, with what each setting makes of it.

    Parameters
    ----------
    whole : Table
        All rows.
    train, test : ndarray of int
        Rows of either side.
    fit_params : FitParams
        What `fit` of the search was given.
    """

    def __init__(
        self, whole: Table, train: np.ndarray, test: np.ndarray, fit_params: FitParams
    ) -> None:
        n_rows = _num_samples(whole.X)
        self._whole, self._fit_params = whole, fit_params
        self.train, self.test = (_positions(rows, n_rows) for rows in (train, test))
        if whole.y is None:
            raise ValueError("A search needs y, the targets of all samples. Give it to fit.")
        self.y_train, self.y_test = (
            _safe_indexing(whole.y, r) for r in (self.train, self.test)
        )

    def input_for(self, candidate: Candidate) -> FoldInput:
        """Make what candidates of a setting are trained on."""
        network, whole = candidate.network, self._whole
        weight = self._fit_params.network.get("sample_weight")
        given = self._fit_params.given(None)
        if candidate.before is None and not _needs_rows_of_its_own(network):
            return FoldInput(whole, whole, self.train, self.test, weight, given, None)
        X, y = self.rows_of(whole.X, is_train=True), self.y_train
        if weight is not None:
            weight = _safe_indexing(weight, self.train)
        if candidate.before is None:
            return FoldInput(Table(X, y), whole, None, self.test, weight, given, None)
        before: Any = clone(candidate.before)
        params = _check_method_params(whole.X, self._fit_params.before, self.train)
        train = before.fit_transform(X, y, **params)
        test = before.transform(self.rows_of(whole.X, is_train=False))
        return FoldInput(
            Table(train, y),
            Table(test, self.y_test),
            None,
            None,
            weight,
            self._fit_params.given(before),
            before,
        )

    def rows_of(self, values: Any, *, is_train: bool) -> Any:
        """Return a copy of the rows of one side."""
        return _safe_indexing(values, self.train if is_train else self.test)


def key_of(candidate: Candidate) -> tuple:
    """Return what candidates have in common that are trained on the same input."""
    return candidate.setting, candidate.before is None and _needs_rows_of_its_own(
        candidate.network
    )


def _needs_rows_of_its_own(network: Any) -> bool:
    """Whether a network looks at X in ways that other rows beside its own would change."""
    return not isinstance(network.validation_fraction, Real) or network.scoring is not None


def _positions(rows: Any, n_rows: int) -> np.ndarray:
    """Return positions of rows, given as such or as one truth value a row."""
    rows = np.asarray(rows)
    if rows.dtype == bool:
        return np.flatnonzero(rows).astype(np.int64)
    return np.where(rows < 0, rows + n_rows, rows).astype(np.int64)
