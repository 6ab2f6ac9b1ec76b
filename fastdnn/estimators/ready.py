"""What a fit was given, checked and encoded: for one network, or for several of them."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from fastdnn.data.blocks import StreamedSamples
from fastdnn.data.samples import Samples
from fastdnn.estimators.hidden_layers import require_room_for_noise
from fastdnn.estimators.validation_sets import Given, given_samples
from fastdnn.training.divergence import largest
from fastdnn.training.precision import targets_in, weights_in


class Ready(NamedTuple):
    """Samples that training can begin with.

    Attributes
    ----------
    samples : Samples
        As the engine takes them.
    encoded : ndarray of shape (n_samples, n_columns)
        Targets, before they get the form that the loss takes.
    as_given : tuple
        X, y and the weights as the user gave them.
    y : ndarray
        Targets, checked.
    sample_weight : ndarray of float64 of shape (n_samples,) or None
        Checked, without those of classes.
    given : Given
        What there is to validate on.
    validation : tuple or None
        The same as the engine takes it, with targets and weights as scorers take them.
    """

    samples: Samples
    encoded: np.ndarray
    as_given: tuple[Any, Any, Any]
    y: Any
    sample_weight: np.ndarray | None
    given: Given
    validation: tuple[Samples, np.ndarray, np.ndarray | None] | None

    @property
    def X(self) -> Any:
        """Samples as the user gave them."""
        return self.as_given[0]

    @property
    def rows_to_split(self) -> int:
        """Rows of which some may be held out: none of a stream."""
        return 0 if isinstance(self.samples, StreamedSamples) else self.samples.n_rows

    def for_several(self, solver: str) -> "Ready":
        """Return the same for several fits, which share what each would copy of X."""
        samples, validation = self.samples, self.validation
        if solver != "lbfgs" or samples.X.dtype != np.float32:
            return self
        if validation is not None:
            validation = (validation[0].also_in(np.float64), *validation[1:])
        return self._replace(samples=samples.also_in(np.float64), validation=validation)

    def at(self, rows: np.ndarray, estimator: Any) -> "Ready":
        """Return some of the rows, without a copy of X, for an estimator of these classes.

        Its weights of classes, such as 'balanced', are those among these rows.
        """
        samples, weight, scale = self.samples, None, 1.0
        given = None if self.sample_weight is None else self.sample_weight[rows]
        given = estimator._weights(self.y[rows], self.encoded[rows], given)
        if given is not None:
            of_rows, scale = weights_in(given, samples.X.dtype)
            weight = np.zeros(samples.X.shape[0], of_rows.dtype)
            weight[rows] = of_rows
        samples = replace(
            samples,
            rows=rows,
            weight=weight,
            weight_scale=scale,
            largest_target=largest(samples.Y[rows]),
        )
        return self._replace(samples=samples)


def made_ready(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    given: Given,
    incremental: bool,
    first_pass: bool,
) -> Ready:
    """Check and encode what a fit is given; the estimator learns features and classes.

    Parameters
    ----------
    estimator : BaseDNN
        That is fitted.
    X, y, sample_weight, given
        What the user gave.
    incremental : bool
        Whether it is for `partial_fit`.
    first_pass : bool
        Whether X decides about the features.

    Raises
    ------
    ValueError
        If they are not valid, or do not agree with each other.
    """
    as_given = X, y, sample_weight
    X, y = estimator._validated_to_fit(X, y, first_pass)
    return encoded_ready(estimator, Samples(X), y, as_given, given, incremental=incremental)


def encoded_ready(
    estimator: Any,
    samples: Samples,
    y: Any,
    as_given: tuple[Any, Any, Any],
    given: Given,
    *,
    rows: np.ndarray | None = None,
    incremental: bool = False,
) -> Ready:
    """Encode the targets that go with an X that was checked; the estimator learns classes.

    Parameters
    ----------
    estimator : BaseDNN
        That is fitted; it knows the features.
    samples : Samples
        With X alone.
    y : ndarray
        Targets, checked.
    as_given : tuple
        X, y and the weights as the user gave them.
    given : Given
        What there is to validate on.
    rows : ndarray of int64, optional
        The only rows to train on, whose targets are the only ones that are looked at.
        Nothing is copied of X.
    incremental : bool, default=False
        Whether it is for `partial_fit`.
    """
    X, sample_weight = samples.X, as_given[2]
    require_room_for_noise(estimator.input_noise, X)
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    of_rows = [a if a is None or rows is None else a[rows] for a in (y, sample_weight)]
    encoded, scale = estimator._encode_targets(of_rows[0], incremental), 1.0
    Y, largest_target = targets_in(estimator._targets(encoded), X.dtype)
    weight = estimator._weights(of_rows[0], encoded, of_rows[1])
    if weight is not None:
        weight, scale = weights_in(weight, X.dtype)
    if rows is not None:
        encoded, Y, weight = (_spread(a, rows, X.shape[0]) for a in (encoded, Y, weight))
    samples = replace(
        samples,
        Y=Y,
        weight=weight,
        rows=rows,
        weight_scale=scale,
        largest_target=largest_target,
    )
    validation = given_samples(estimator, given, X.dtype) if given.is_there else None
    return Ready(samples, encoded, as_given, y, sample_weight, given, validation)


def _spread(array: Any, rows: np.ndarray, n_rows: int) -> Any:
    """Return an array with what is of some rows at their places, and zeros elsewhere."""
    if array is None:
        return None
    wide = np.zeros((n_rows, *array.shape[1:]), array.dtype)
    wide[rows] = array
    return wide
