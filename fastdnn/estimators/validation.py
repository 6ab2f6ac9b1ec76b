"""Validation of what users give: scikit-learn's, and less of it for plain NumPy arrays.

scikit-learn's validation knows every kind of table, and looks for each of them: for a few
thousand numbers that takes as long as an epoch. The functions here know one kind, and pass
everything else on; also what is wrong, so that scikit-learn's message is the one to see.
"""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from fastdnn.data.conversion import is_to_convert
from fastdnn.data.plain_arrays import is_plain_target, plain_matrix
from fastdnn.data.samples import CheckedRows, Samples
from fastdnn.estimators.validation_sets import require_valid_validation
from fastdnn.models.valid_combinations import require_fitting
from fastdnn.models.valid_values import require_valid
from fastdnn.training.stream import Stream

# Up to so many numbers, scikit-learn's validation takes longer than predicting them.
_NUMBERS_TO_PREDICT = 100_000

_SPARSE_FORMATS = ["csr", "csc"]

_FOR_TABLES = (
    "TabularDNNClassifier and TabularDNNRegressor of fastdnn.tables take missing values, "
    "categories and dates as they are."
)


class ValidatingEstimator(BaseEstimator):
    """What `BaseDNN` inherits: the validation of parameters and of samples."""

    def _keep(self, arguments: dict[str, Any]) -> None:
        """Make the arguments of `__init__` attributes, as scikit-learn wants them."""
        self.__dict__.update((name, v) for name, v in arguments.items() if name != "self")

    @classmethod
    def _get_param_names(cls) -> list[str]:
        # scikit-learn reads them from the signature at every call; this, when it is another.
        known = vars(cls).get("_names_of_parameters")
        if known is None or known[0] is not cls.__init__:
            known = cls.__init__, tuple(super()._get_param_names())
            cls._names_of_parameters = known
        return list(known[1])

    def _validate_params(self) -> None:
        require_valid(self)
        require_fitting(self)
        require_valid_validation(self)

    def _acceptable_dtypes(self, first_pass: bool) -> tuple[np.dtype, ...]:
        """Return the dtype, or the acceptable dtypes, to convert X to in a fit."""
        if not first_pass:
            return (self._state.dtype,)
        if self.dtype == "auto":
            return np.dtype(np.float64), np.dtype(np.float32)
        return (np.dtype(self.dtype),)

    def _validate_for_prediction(self, X: Any) -> Samples:
        if isinstance(X, CheckedRows):
            return X.samples
        dtype = self._state.dtype
        plain = plain_matrix(X, (dtype,), _NUMBERS_TO_PREDICT)
        if plain is not None and self._has_my_features(plain):
            return Samples(plain)
        if is_to_convert(X, dtype):  # piece by piece, when it is predicted
            return Samples(self._validated(X, dtype=None, ensure_all_finite=False))
        return Samples(_rows_in_order(self._validated(X, dtype=dtype)))

    def _validated_to_fit(self, X: Any, y: Any, first_pass: bool) -> tuple[Any, Any]:
        """Return X as the engine takes it, and y as an array of as many targets.

        In a first pass X decides about ``n_features_in_`` and ``feature_names_in_``; later
        it has to agree with them.
        """
        dtypes = self._acceptable_dtypes(first_pass)
        is_plain = type(X) is np.ndarray and X.ndim == 2 and is_plain_target(y, len(X))
        if is_plain and (first_pass or self._has_my_features(X)):
            plain = plain_matrix(X, dtypes, n_threads=self.n_threads)
            if plain is not None:
                if first_pass:
                    self.__dict__.pop("feature_names_in_", None)
                    self.n_features_in_ = plain.shape[1]
                return plain, y
        X, y = self._validated(
            X,
            y,
            dtype=dtypes,
            multi_output=True,
            y_numeric=self._y_is_numeric,
            reset=first_pass,
        )
        return _rows_in_order(X), y.toarray() if sparse.issparse(y) else y

    def _validated_features(self, X: Any, dtype: np.dtype) -> Any:
        """Return X as the engine takes it, with the features of the fit."""
        plain = plain_matrix(X, (dtype,), n_threads=self.n_threads)
        if plain is not None and self._has_my_features(plain):
            return plain
        return _rows_in_order(self._validated(X, dtype=dtype))

    def _has_my_features(self, X: np.ndarray) -> bool:
        """Whether scikit-learn has no error and no warning about the columns of a matrix."""
        return X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_")

    def _validated(self, X: Any, y: Any = "no_validation", **options: Any) -> Any:
        """Do scikit-learn's validation."""
        if isinstance(X, Stream):
            raise ValueError(
                "X is a Stream, which fit takes, and nothing else. Give one block after the "
                "other as an array."
            )
        _refuse_dates_and_text(X)
        options = {"accept_sparse": _SPARSE_FORMATS, "order": "C", "reset": False} | options
        with np.errstate(over="ignore"):  # a number too large is reported as such
            try:
                return validate_data(self, X, y, **options)
            except ValueError as error:
                # scikit-learn's message is kept, for whoever looks for it.
                if "X contains NaN" in str(error) or (
                    "could not convert string to float" in str(error) and _has_words(X)
                ):
                    error.add_note(_FOR_TABLES)
                raise


def _dtypes_of(X: Any) -> list[Any]:
    """Return the dtypes of the columns of a table; none of a list."""
    return [X.dtype] if hasattr(X, "dtype") else list(getattr(X, "dtypes", ()))


def _has_words(X: Any) -> bool:
    """Whether a table may hold strings; errors about those of y are not about it."""
    return any(not isinstance(dtype, np.dtype) or dtype.kind == "O" for dtype in _dtypes_of(X))


def _refuse_dates_and_text(X: Any) -> None:
    """Raise for columns that NumPy would take for numbers without a word."""
    for dtype in _dtypes_of(X):
        if isinstance(dtype, np.dtype) and dtype.kind in "mMUSV":
            raise ValueError(
                f"X has values of dtype {dtype}, but must hold numbers. Convert them, for "
                f"instance dates to days since a first one. {_FOR_TABLES}"
            )


def _rows_in_order(X: Any) -> Any:
    """Return X with its rows one after the other in memory: C-contiguous, or CSR."""
    return X.tocsr() if sparse.issparse(X) else np.ascontiguousarray(X)
