"""Streams as a fit takes them: what can be known of their rows before training, checked."""

from typing import Any

import numpy as np

from fastdnn.data.blocks import HEAD_ROWS, StreamedSamples, convert_rows, matrix_of
from fastdnn.data.file_rows import StreamError
from fastdnn.data.sources import Source
from fastdnn.estimators.hidden_layers import require_room_for_noise
from fastdnn.estimators.labels import positions_of
from fastdnn.estimators.ready import Ready
from fastdnn.estimators.validation_sets import Given, encoded_targets, given_samples
from fastdnn.training.precision import targets_in
from fastdnn.training.stream import Stream, open_stream, rows_of_block


def streamed_ready(
    estimator: Any, stream: Stream, y: Any, sample_weight: Any, given: Given, first_pass: bool
) -> Ready:
    """Check a stream, and let the estimator learn its features and classes.

    Parameters
    ----------
    estimator : BaseDNN
        That is fitted.
    stream : Stream
        In the place of X and y.
    y, sample_weight
        What else the user gave: nothing.
    given : Given
        What there is to validate on.
    first_pass : bool
        Whether the stream decides about the features.

    Raises
    ------
    ValueError
        If the stream is not valid, or a parameter asks for what it has not.
    """
    _require_streamable(estimator, y, sample_weight, given)
    source = open_stream(stream)
    is_classifier = not estimator._y_is_numeric
    survey: _Targets = _Labels(stream) if is_classifier else _Numbers()
    look = _Look(stream, survey)
    source.survey(look)
    n_rows = sum(source.rows_of_units)
    if n_rows == 0:
        raise StreamError(f"{stream!r} has no rows. Give some.")
    X, y_head, where = _head(source, stream)
    _learn_features(estimator, source, stream, X, first_pass)
    encoded = estimator._encode_targets(survey.to_learn(y_head), incremental=False)
    dtypes = estimator._acceptable_dtypes(first_pass)
    dtype = next((one for one in dtypes if one == X.dtype), dtypes[0])

    def encode(targets: Any, dtype: np.dtype) -> np.ndarray:
        checked = survey.checked(targets)
        if is_classifier:
            Y = positions_of_known(checked, estimator.classes_).reshape(-1, 1)
        else:
            Y = encoded_targets(estimator, checked)
        return targets_in(estimator._targets(Y), dtype)[0]

    converted = np.empty(X.shape, dtype)
    convert_rows(X, converted, where)
    require_room_for_noise(estimator.input_noise, converted)
    batch_size = 200 if estimator.batch_size == "auto" else estimator.batch_size
    samples = StreamedSamples(
        converted,
        encode(y_head, dtype),
        largest_target=survey.largest,
        source=source,
        encode=encode,
        transform=stream.transform,
        n_all=n_rows,
        block_rows=rows_of_block(
            stream.block_rows,
            n_rows,
            max(1, X.shape[1]) * dtype.itemsize,
            int(min(batch_size, n_rows)),
        ),
    )
    validation = given_samples(estimator, given, dtype) if given.is_there else None
    as_given = stream, None, None
    return Ready(samples, encoded, as_given, y_head, None, given, validation)


def _require_streamable(estimator: Any, y: Any, sample_weight: Any, given: Given) -> None:
    """Raise for what a stream cannot be trained with."""
    if y is not None:
        raise ValueError("y was given beside a Stream, which has the targets. Leave y out.")
    if sample_weight is not None:
        raise ValueError(
            "sample_weight was given beside a Stream, whose rows have no weights. Leave it "
            "out, or repeat rows."
        )
    name = type(estimator).__name__
    if estimator.solver == "lbfgs":
        raise ValueError(
            "solver='lbfgs' needs all samples at every step, which a Stream does not have in "
            "memory. Use another solver, such as 'adam'."
        )
    if estimator.n_members > 1:
        raise ValueError(
            f"n_members={estimator.n_members} networks do not train on one Stream. Fit "
            f"several {name} with n_members=1."
        )
    if getattr(estimator, "class_weight", None) is not None:
        raise ValueError(
            f"class_weight={estimator.class_weight!r} weighs samples, but those of a Stream "
            "have no weights. Use class_weight=None."
        )
    if estimator.early_stopping not in (False, "auto") and not given.is_there:
        raise ValueError(
            f"early_stopping={estimator.early_stopping!r} would hold out samples, which a "
            "Stream does not: give X_val and y_val to fit."
        )


class _Look:
    """Looks at rows before training: at targets, and at X where it has been read."""

    def __init__(self, stream: Stream, targets: "_Targets") -> None:
        self._stream, self._targets, self._n_features = stream, targets, -1

    def __call__(self, X: Any, y: Any, where: str) -> None:
        try:
            self._targets.add(self._targets.checked(y))
        except StreamError:
            raise
        except (ValueError, TypeError) as error:
            raise StreamError(f"{where}: {error}") from error
        if X is None:
            return
        matrix = matrix_of(X, where, self._stream.transform)
        if len(matrix) != len(y):
            raise StreamError(
                f"{where}: transform returned {len(matrix)} rows of {len(y)}. Return all."
            )
        if self._n_features < 0:
            self._n_features = matrix.shape[1]
        if matrix.shape[1] != self._n_features:
            raise StreamError(
                f"{where}: X has {matrix.shape[1]} columns, but the first rows have "
                f"{self._n_features}. Give all the same."
            )
        scratch = np.empty((min(len(matrix), 4096), matrix.shape[1]), np.float64)
        for first in range(0, len(matrix), len(scratch)):
            rows = matrix[first : first + len(scratch)]
            convert_rows(rows, scratch[: len(rows)], where)


class _Targets:
    """What is known of the targets of a stream."""

    largest = 0.0

    def checked(self, y: Any) -> np.ndarray:
        """Return targets as an array, if they can be some."""
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y.ravel()
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            row = int(np.argwhere(~np.isfinite(y))[0][0])
            raise ValueError(f"y is {y[row]} in row {row}. Leave such rows out.")
        return y

    def add(self, y: np.ndarray) -> None:
        """Take in some of them."""

    def to_learn(self, y: np.ndarray) -> np.ndarray:
        """Return targets from which an estimator learns what all of them are like."""
        return self.checked(y)


class _Numbers(_Targets):
    """Those of a regressor."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] | None = None

    def checked(self, y: Any) -> np.ndarray:
        y = super().checked(y)
        if y.dtype.kind not in "biuf" or y.ndim not in (1, 2):
            raise ValueError(
                f"y is of dtype {y.dtype} and has {y.ndim} dimensions, but must hold numbers "
                "in 1 or 2. Convert it."
            )
        return y

    def add(self, y: np.ndarray) -> None:
        if self._shape is None:
            self._shape = y.shape[1:]
        if y.shape[1:] != self._shape:
            n_targets, before = (
                shape[0] if shape else 1 for shape in (y.shape[1:], self._shape)
            )
            raise ValueError(
                f"y has {n_targets} targets a sample, but the first rows have {before}. Give "
                "as many."
            )
        self.largest = max(self.largest, -float(y.min()), float(y.max()))


class _Labels(_Targets):
    """Those of a classifier."""

    def __init__(self, stream: Stream) -> None:
        self._classes: np.ndarray | None = None
        self._given: np.ndarray | None = None
        if stream.classes is not None:
            self._given = np.unique(np.asarray(stream.classes))

    def checked(self, y: Any) -> np.ndarray:
        y = super().checked(y)
        if y.ndim != 1:
            raise ValueError(
                f"y has shape {y.shape}, but a Stream has one class a sample. Give labels of "
                "one dimension."
            )
        if y.dtype.kind == "f" and not (y == np.floor(y)).all():
            number = y[y != np.floor(y)][0]
            raise ValueError(
                f"y has {number}, which is no class. Give labels, or use a DNNRegressor."
            )
        return y

    def add(self, y: np.ndarray) -> None:
        found = np.unique(y)
        if self._given is not None:
            unknown = found[~np.isin(found, self._given)]
            if unknown.size > 0:
                raise ValueError(
                    f"y has the class {unknown.tolist()[0]!r}, which is not among classes="
                    f"{self._given.tolist()!r}. Add it there."
                )
        elif self._classes is None:
            self._classes = found
        else:
            of_text = [kind.dtype.kind not in "biuf" for kind in (found, self._classes)]
            if of_text[0] != of_text[1]:
                raise ValueError(
                    f"y is of dtype {y.dtype}, but that of the first rows is "
                    f"{self._classes.dtype}. Give all the same."
                )
            self._classes = np.union1d(self._classes, found)

    def to_learn(self, y: np.ndarray) -> np.ndarray:
        classes: Any = self._classes if self._given is None else self._given
        return np.tile(classes, 2)  # as of samples, which have a class more than once


def positions_of_known(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the position of each label among the classes.

    Raises
    ------
    ValueError
        If one is not there.
    """
    if y.dtype.kind in "iu" and classes.dtype.kind in "iu":
        is_known = bool(y.min() >= classes[0] and y.max() <= classes[-1])
    else:
        is_known = bool(np.isin(y, classes).all())
    if is_known:
        positions = positions_of(y, classes)
        if bool((classes[positions] == y).all()):
            return positions
    unknown = y[~np.isin(y, classes)].tolist()[0]
    raise ValueError(
        f"y has the class {unknown!r}, which it had not when the stream was first read. Give "
        "what has the same rows every time."
    )


def _head(source: Source, stream: Stream) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the first few rows."""
    where = source.name_of(0)
    source.require_unchanged(0)
    X, y = next(source.read(0))
    matrix = matrix_of(X, where, stream.transform)
    return np.asarray(matrix[:HEAD_ROWS]), np.array(np.asarray(y)[:HEAD_ROWS]), where


def _learn_features(
    estimator: Any, source: Source, stream: Stream, X: np.ndarray, first_pass: bool
) -> None:
    """Let the estimator learn the number of features, and their names; or compare them."""
    names = None
    if source.names is not None and stream.transform is None:
        names = np.asarray(source.names, dtype=object)
    if first_pass:
        estimator.__dict__.pop("feature_names_in_", None)
        estimator.n_features_in_ = X.shape[1]
        if names is not None:
            estimator.feature_names_in_ = names
        return
    if X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input. Give those of the first fit."
        )
    known = getattr(estimator, "feature_names_in_", None)
    if names is not None and known is not None and list(names) != list(known):
        raise ValueError(
            f"The columns {list(names)} are not those of the first fit, {list(known)}. Give "
            "the same ones, in the same order."
        )
