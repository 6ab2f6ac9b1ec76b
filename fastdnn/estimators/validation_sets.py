"""Samples to validate on: those given to `fit`, or what of X a split holds out."""

import contextlib
from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight, _check_y, column_or_1d

from fastdnn.data.samples import Samples
from fastdnn.estimators.scorers import Scorers, metrics_of, require_scorable
from fastdnn.models.transaction import twin_of
from fastdnn.network.parameters import Parameters
from fastdnn.training.precision import targets_in, weights_in

# Above so many samples ``early_stopping='auto'`` holds some out.
_MANY_SAMPLES = 10_000


class Given(NamedTuple):
    """What `fit` was given to validate on."""

    X: Any = None
    y: Any = None
    sample_weight: Any = None

    @property
    def is_there(self) -> bool:
        """Whether there is something."""
        return self.X is not None

    def require_whole(self) -> None:
        """Raise ValueError where one was given without the other."""
        for name, value, other in (
            ("X_val", self.X, "y_val"),
            ("y_val", self.y, "X_val"),
        ):
            if value is not None and (self.y if other == "y_val" else self.X) is None:
                raise ValueError(
                    f"{name} was given without {other}. Give both of them, or neither."
                )
        if self.sample_weight is not None and self.X is None:
            raise ValueError(
                "sample_weight_val was given without X_val and y_val. Give all of them, or "
                "leave it out."
            )


NOTHING_GIVEN = Given()


def stops_early(early_stopping: Any, n_samples: int, given: Given) -> bool:
    """Return whether a fit holds samples out, or stops by those that it was given.

    Parameters
    ----------
    early_stopping : bool or 'auto'
        The parameter.
    n_samples : int
        Of X.
    given : Given
        What there is to validate on.
    """
    if isinstance(early_stopping, str):
        return given.is_there or n_samples > _MANY_SAMPLES
    return bool(early_stopping)


def given_samples(
    estimator: Any, given: Given, dtype: np.dtype
) -> tuple[Samples, np.ndarray, np.ndarray | None]:
    """Check what was given to validate on, after X and y of the fit.

    Parameters
    ----------
    estimator : BaseDNN
        Knows features and targets of the fit.
    given : Given
        As `fit` got it.
    dtype : dtype
        That the network computes in.

    Returns
    -------
    samples : Samples
        As the engine takes them; X itself where it can be.
    y : ndarray
        Targets as scorers take them.
    weight : ndarray or None
        Weights as they were given.

    Raises
    ------
    ValueError
        If they do not agree with the fit's, or all weights are zero.
    """
    with named("X_val"):
        X = estimator._validated_features(given.X, dtype)
    with named("y_val"):
        y = _check_y(given.y, multi_output=True, y_numeric=estimator._y_is_numeric)
        y = y if isinstance(y, np.ndarray) else y.toarray()
        y = column_or_1d(y) if y.ndim == 2 and y.shape[1] == 1 else y
        Y = encoded_targets(estimator, y)
        Y, largest_target = targets_in(estimator._targets(Y), dtype)
    _require_as_many("y_val", len(Y), X.shape[0])
    weight, scaled, scale = given.sample_weight, None, 1.0
    if weight is not None:
        with named("sample_weight_val"):
            weight = _check_sample_weight(weight, X, dtype=np.float64)
        if not weight.any():
            raise ValueError(
                f"sample_weight_val is zero for all {len(weight)} samples. Leave it out, or "
                "give other weights."
            )
        scaled, scale = weights_in(weight, dtype)
    samples = Samples(X, Y, scaled, weight_scale=scale, largest_target=largest_target)
    return samples, estimator._labels(y), weight


def encoded_targets(estimator: Any, y: np.ndarray) -> np.ndarray:
    """Return targets as those of the fit were encoded; classes may be missing."""
    twin = twin_of(estimator)
    twin.warm_start = False
    Y = twin._encode_targets(y, incremental=True)
    n_targets, n_given = (getattr(e, "_n_targets", Y.shape[1]) for e in (estimator, twin))
    if n_given != n_targets:
        raise ValueError(
            f"it has {n_given} targets a sample, but y has {n_targets}. Give as many."
        )
    return Y


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Let an error say which argument of `fit` it is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _require_as_many(name: str, n_given: int, n_rows: int) -> None:
    if n_given != n_rows:
        raise ValueError(
            f"{name} has {n_given} samples, but X_val has {n_rows}. Give one for each row."
        )


def require_valid_validation(estimator: Any) -> None:
    """Raise where parameters that are about validation have values that they cannot have.

    Raises
    ------
    ValueError
        Naming the parameter.
    """
    metrics_of(estimator.scoring)
    fraction = estimator.validation_fraction
    if _is_share(fraction) or hasattr(fraction, "split"):
        return
    if isinstance(fraction, Iterable) and not isinstance(fraction, str):
        return
    raise _wrong(
        "validation_fraction",
        fraction,
        "must be a number of at least 0 and below 1, a cross-validator such as "
        "StratifiedShuffleSplit(1), or a list with a pair of arrays: the rows to train on, "
        "and those to hold out",
    )


def validation_for(estimator: Any, ready: Any, stops: bool) -> dict[str, Any]:
    """Return what an objective is to know of validation: what to use, how to score that.

    Parameters
    ----------
    estimator : BaseDNN
        Knows features and targets.
    ready : Ready
        What the fit was given.
    stops : bool
        Whether validation decides when training stops.

    Returns
    -------
    dict
        Of fields of an `Objective`.

    Raises
    ------
    ValueError
        If the parameters do not agree with X and y.
    """
    known: dict[str, Any] = {}
    samples, X, y = ready.samples, ready.X, ready.y
    weight = samples.weight
    if ready.validation is not None:
        known["validation"], y, weight = ready.validation
        X = ready.given.X
    elif stops and estimator.solver != "lbfgs":  # which ignores it, as scikit-learn's does
        y = column_or_1d(y) if y.ndim == 2 and y.shape[1] == 1 else y
        y = estimator._labels(y)
        known["split"] = split_rows(estimator.validation_fraction, X, y, samples.n_rows)
    else:
        return known
    if estimator.scoring is not None:
        metrics = metrics_of(estimator.scoring)
        require_scorable(estimator, metrics)

        def score_by(parameters: Parameters, rows: Samples) -> Scorers:
            selected = (X, y, weight) if rows.rows is None else _at(rows.rows, X, y, weight)
            return Scorers(estimator, metrics, parameters, rows, *selected)

        known["score_by"] = score_by
    return known


def _at(rows: np.ndarray, *tables: Any) -> list[Any]:
    return [None if table is None else _safe_indexing(table, rows) for table in tables]


def split_rows(
    validation_fraction: Any,
    X: Any,
    y: np.ndarray,
    n_rows: int,
    name: str = "validation_fraction",
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the rows to train on and those to hold out, or None for a drawn share.

    Parameters
    ----------
    validation_fraction : float, cross-validator or iterable
        The parameter: of several splits the first counts.
    X, y
        Samples and targets, which the cross-validator looks at.
    n_rows : int
        Rows of X.
    name : str, default='validation_fraction'
        Of the parameter, for messages.

    Raises
    ------
    ValueError
        If they are no rows of X, or some are in both.
    """
    if _is_share(validation_fraction):
        return None
    splits = validation_fraction
    try:
        if hasattr(splits, "split"):
            splits = splits.split(X, y)
        first = next(iter(splits), None)
    except ValueError as error:
        raise _wrong(
            name,
            validation_fraction,
            f"cannot split X and y: {error} If it needs more than these, give its splits: "
            "list(cross_validator.split(...))",
        ) from error
    try:
        # Where there is no split, or one of another form, this is what finds it.
        train, held_out = first  # type: ignore[misc]
    except (TypeError, ValueError):
        raise _wrong(
            name,
            validation_fraction,
            "must give pairs of arrays: the rows to train on, and those to hold out",
        ) from None
    train, held_out = (
        _rows(name, validation_fraction, rows, n_rows) for rows in (train, held_out)
    )
    both = np.intersect1d(train, held_out)
    if both.size > 0:
        raise _wrong(
            name,
            validation_fraction,
            f"has {both.size} rows both to train on and to hold out, such as {both[0]}. Let "
            "each row be in one of the two",
        )
    if train.size == 0:
        raise _wrong(name, validation_fraction, "leaves no rows to train on. Hold out fewer")
    return train, held_out


def _rows(name: str, validation_fraction: Any, given: Any, n_rows: int) -> np.ndarray:
    """Return positions of rows, given as such or as one truth value a row."""
    rows = np.asarray(given)
    if rows.dtype == bool and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    if rows.size == 0:
        return np.zeros(0, np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise _wrong(
            name, validation_fraction, "must give rows as arrays of their positions in X"
        )
    if rows.min() < 0 or rows.max() >= n_rows:
        raise _wrong(
            name,
            validation_fraction,
            f"gives rows from {rows.min()} to {rows.max()}, but X has those from 0 to "
            f"{n_rows - 1}",
        )
    return rows.astype(np.int64)


def _is_share(value: Any) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    return is_number and 0.0 <= value < 1.0


def _wrong(name: str, validation_fraction: Any, what: str) -> ValueError:
    shown = repr(validation_fraction)
    shown = shown if len(shown) < 100 else f"{shown[:97]}..."
    return ValueError(f"{name}={shown} {what}.")
