"""`TableEncoder`: from a table of numbers, categories and dates to numbers for a network."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import (
    _check_feature_names,
    check_consistent_length,
    check_is_fitted,
)

from fastdnn.tables.bins import bins_of, quantile_edges, tree_edges
from fastdnn.tables.categories import CategoryEncoder
from fastdnn.tables.columns import CATEGORY, DATE, NUMBER, Column, as_table, read_columns
from fastdnn.tables.dates import parts_of_dates
from fastdnn.tables.numbers import NumberEncoder
from fastdnn.tables.targets import TargetMeans

# Beyond so many columns of 0 and 1, the result is sparse where that is left open.
_MANY_COLUMNS = 512


class TableEncoder(TransformerMixin, BaseEstimator):
    """Encode a table of numbers, categories and dates as numbers for a neural network.

    Numbers become a robustly scaled, smoothly clipped copy, (x - median) / IQR =: u,
    u / sqrt(1 + (u / 3)**2); a 0/1 column where some are missing; and their piecewise-linear
    encoding (Gorishniy et al., 2022), by bins that quantiles or, for regression, a tree cut.
    Categories become a 0/1 column for each level that is common, what is missing being one,
    and one column for all others, also those that `fit` has not seen; where they have very
    many levels, means of the target as well. Dates become seconds, a number, and the month,
    the day of the week and the hour, categories. Columns that are constant, all missing, or
    equal to an earlier one are left out.

    Parameters
    ----------
    numeric_encoding : {'auto', 'quantile', 'tree', 'linear'}, default='auto'
        How numbers are cut into bins: by quantiles; by where a least-squares tree of the
        target splits; not at all ('linear'). 'auto' is 'tree' for regression, else 'quantile'.
    n_bins : int or 'auto', default='auto'
        Bins of a column at most; 'auto' is min(32, 1024 // columns of numbers, rows // 8).
    categorical_features : 'from_dtype', None or array-like, default='from_dtype'
        Which columns are categories, besides those of strings: those of a categorical dtype,
        none, or a mask, positions or names.
    max_levels : int, default=64
        Levels of a category that have a column, the most frequent ones. Where there are more,
        means of the target are added, over other folds in `fit_transform`, so that no row
        sees its own target.
    sparse_output : bool or 'auto', default='auto'
        Whether the result is a CSR matrix; 'auto': where categories make more than 512
        columns.
    dtype : {'float32', 'float64'}, default='float32'
        Of the result.
    random_state : int, RandomState instance or None, default=0
        Deals out the folds of `fit_transform`.

    Attributes
    ----------
    n_features_in_ : int
        Columns of the table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all are strings.
    n_features_out_ : int
        Columns of the result.
    dropped_ : dict of str to str
        The columns that are left out, and why.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastdnn.tables import TableEncoder
    >>> table = pd.DataFrame({"size": [1.0, 2.0, None, 4.0], "colour": ["red", "blue"] * 2})
    >>> encoder = TableEncoder(numeric_encoding="linear").fit(table)
    >>> list(encoder.get_feature_names_out())
    ['size', 'size_missing', 'colour_blue', 'colour_red', 'colour_infrequent']
    >>> encoder.transform(table).shape
    (4, 5)
    """

    _parameter_constraints: ClassVar[dict] = {
        "numeric_encoding": [StrOptions({"auto", "quantile", "tree", "linear"})],
        "n_bins": [StrOptions({"auto"}), Interval(Integral, 2, None, closed="left")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "max_levels": [Interval(Integral, 1, None, closed="left")],
        "sparse_output": ["boolean", StrOptions({"auto"})],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        numeric_encoding="auto",
        n_bins="auto",
        categorical_features="from_dtype",
        max_levels=64,
        sparse_output="auto",
        dtype="float32",
        random_state=0,
    ):
        self.numeric_encoding = numeric_encoding
        self.n_bins = n_bins
        self.categorical_features = categorical_features
        self.max_levels = max_levels
        self.sparse_output = sparse_output
        self.dtype = dtype
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "TableEncoder":
        """Learn how to encode a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets, for bins of trees and means of categories.

        Returns
        -------
        TableEncoder
            This encoder.

        Raises
        ------
        ValueError
            If a column cannot be encoded, or y does not fit X.
        """
        self._fit(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Learn how to encode a table, and encode it.

        Parameters
        ----------
        X, y
            As of `fit`.
        **fit_params
            None are known.

        Returns
        -------
        ndarray or CSR matrix of shape (n_samples, n_features_out_)
            As of `transform`, but for categories that are encoded by the target: those have
            means over other rows than their own fold's.
        """
        columns = self._fit(X, y)
        return self._encode(columns, y)

    def transform(self, X: Any) -> Any:
        """Encode a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            With the columns of the fit.

        Returns
        -------
        ndarray or CSR matrix of shape (n_samples, n_features_out_)
            Its numbers, of `dtype`.
        """
        check_is_fitted(self)
        return self._encode(self._read(X, reset=False), None)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of the result.

        Parameters
        ----------
        input_features : array-like of str, optional
            Has to be the names of the fit.

        Returns
        -------
        ndarray of str of shape (n_features_out_,)
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        if input_features is not None and names is not None:
            if not np.array_equal(np.asarray(input_features, dtype=object), names):
                raise ValueError("input_features is not equal to feature_names_in_")
        found = [name for _, encoder in self._encoders for name in encoder.names]
        return np.array(found, dtype=object)

    # -- how ----------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X: Any, y: Any) -> list[Column]:
        columns = self._read(X, reset=True)
        if y is not None:
            y = np.asarray(y)
            check_consistent_length(columns[0].values, y)
        self._kinds = [column.kind for column in columns]
        derived = _with_parts(columns)
        self.dropped_: dict[str, str] = {}
        used = _worth_encoding(derived, self.dropped_)
        numbers = [column for column in used if column.kind == NUMBER]
        n_rows = len(columns[0].values)
        n_bins = bins_of(n_rows, len(numbers)) if self.n_bins == "auto" else self.n_bins
        folds = check_random_state(self.random_state)
        target = _target_of_bins(self.numeric_encoding, y)
        self._encoders: list[tuple[str, Any]] = []
        for column in used:
            if column.kind == NUMBER:
                edges = self._edges(column.values, target, n_bins)
                encoder: Any = NumberEncoder(column.name, column.values, edges)
                self._encoders.append((column.name, encoder))
            else:
                encoder = CategoryEncoder(column.name, column.values, self.max_levels)
                self._encoders.append((column.name, encoder))
                if encoder.n_levels > self.max_levels and y is not None:
                    means = TargetMeans(column.name, column.values, y, folds)
                    self._encoders.append((column.name, means))
        self.n_features_out_ = sum(len(encoder.names) for _, encoder in self._encoders)
        if self.n_features_out_ == 0:
            raise ValueError(
                f"No column of X can be used: {self.dropped_}. Give a table whose columns "
                "have at least two different values."
            )
        n_levels = sum(
            len(e.names) for _, e in self._encoders if isinstance(e, CategoryEncoder)
        )
        is_many = n_levels > _MANY_COLUMNS
        self._is_sparse = is_many if self.sparse_output == "auto" else bool(self.sparse_output)
        return columns

    def _edges(self, x: np.ndarray, target: np.ndarray | None, n_bins: int) -> np.ndarray:
        if self.numeric_encoding == "linear":
            return np.zeros(0)
        present = ~np.isnan(x)
        if target is None:
            return quantile_edges(x[present], n_bins)
        return tree_edges(x[present], target[present], n_bins)

    def _read(self, X: Any, reset: bool) -> list[Column]:
        X = as_table(X)
        if reset:
            columns = read_columns(X, self.categorical_features)
        else:
            _check_feature_names(self, X, reset=False)
            categories = np.array([kind == CATEGORY for kind in self._kinds])
            if X.shape[1:] == categories.shape:
                columns = read_columns(X, categories)
            else:  # said below
                columns = read_columns(X, None)
        if not columns:
            raise ValueError(
                f"0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
            )
        n_rows = len(columns[0].values)
        if n_rows == 0 or (reset and n_rows < 2):
            raise ValueError(
                f"Found array with {n_rows} sample(s) (shape={(n_rows, len(columns))}) while "
                f"a minimum of {2 if reset else 1} is required."
            )
        if reset:
            _check_feature_names(self, X, reset=True)
            self.n_features_in_ = len(columns)
        elif len(columns) != self.n_features_in_:
            raise ValueError(
                f"X has {len(columns)} features, but TableEncoder is expecting "
                f"{self.n_features_in_} features as input"
            )
        for j, column in enumerate(columns):
            _require_finite(column)
            if not reset and column.kind != self._kinds[j]:
                columns[j] = _as_kind(column, self._kinds[j])
        return columns

    def _encode(self, columns: list[Column], y: Any) -> Any:
        """Encode columns; with y as those that it was fitted on."""
        by_name = {column.name: column.values for column in _with_parts(columns)}
        n_rows = len(columns[0].values)
        blocks, start = [], 0
        out = None
        if not self._is_sparse:
            out = np.empty((n_rows, self.n_features_out_), dtype=self.dtype)
        for name, encoder in self._encoders:
            width = len(encoder.names)
            if out is None and isinstance(encoder, CategoryEncoder):
                blocks.append(_one_hot(encoder.codes(by_name[name]), width, self.dtype))
                continue
            block = out[:, start : start + width] if out is not None else None
            if block is None:
                block = np.empty((n_rows, width), dtype=self.dtype)
            if y is not None and isinstance(encoder, TargetMeans):
                block[...] = encoder.of_other_folds
            else:
                encoder.write(by_name[name], block)
            if out is None:
                blocks.append(sparse.csr_matrix(block))
            start += width
        for _, encoder in self._encoders:
            if isinstance(encoder, TargetMeans):
                encoder.of_other_folds = None
        return out if out is not None else sparse.hstack(blocks, format="csr")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = []  # networks take float32, whatever comes
        return tags


def _one_hot(codes: np.ndarray, width: int, dtype: Any) -> sparse.csr_matrix:
    n_rows = len(codes)
    parts = np.ones(n_rows, dtype=dtype), codes, np.arange(n_rows + 1)
    return sparse.csr_matrix(parts, shape=(n_rows, width))


def _target_of_bins(numeric_encoding: str, y: np.ndarray | None) -> np.ndarray | None:
    """Return what trees are to predict, or None for bins by quantiles.

    Raises
    ------
    ValueError
        If trees are asked for, and there is no target.
    """
    if numeric_encoding == "quantile":
        return None
    if y is None:
        if numeric_encoding == "tree":
            raise ValueError("numeric_encoding='tree' needs y. Give it, or use 'quantile'.")
        return None
    if y.dtype.kind in "fiub" and type_of_target(y).startswith("continuous"):
        return y
    if numeric_encoding == "auto":
        return None
    classes, codes = np.unique(y, return_inverse=True)
    return np.eye(len(classes))[codes.ravel()] if len(classes) > 2 else codes.ravel()


def _with_parts(columns: list[Column]) -> list[Column]:
    derived = []
    for column in columns:
        derived += parts_of_dates(column) if column.kind == DATE else [column]
    return derived


def _worth_encoding(columns: list[Column], dropped: dict[str, str]) -> list[Column]:
    """Return the columns that tell something; note why others do not."""
    used: list[Column] = []
    seen: dict[bytes, str] = {}
    for column in columns:
        if column.kind == NUMBER:
            missing = np.isnan(column.values)
            present = column.values[~missing]
            if present.size == 0:
                dropped[column.name] = "all missing"
                continue
            if not missing.any() and present.min() == present.max():
                dropped[column.name] = "constant"
                continue
            key = column.values.tobytes()
            if key in seen:
                dropped[column.name] = f"equal to {seen[key]!r}"
                continue
            seen[key] = column.name
        elif len(set(column.values.tolist())) < 2:
            is_missing = column.values[0] is None
            dropped[column.name] = "all missing" if is_missing else "constant"
            continue
        used.append(column)
    return used


def _require_finite(column: Column) -> None:
    if column.kind != CATEGORY and np.isinf(column.values).any():
        raise ValueError(
            f"Column {column.name!r} of X has infinity in row "
            f"{int(np.flatnonzero(np.isinf(column.values))[0])}. Replace it, for instance by "
            "NaN, which is taken for missing."
        )


def _as_kind(column: Column, kind: str) -> Column:
    """Return a column as what it was in the fit."""
    values = column.values
    if column.kind != CATEGORY and np.isnan(values).all():
        return column._replace(kind=kind)
    if column.kind == CATEGORY and all(v is None for v in values):
        return Column(column.name, kind, np.full(len(values), np.nan))
    raise ValueError(
        f"Column {column.name!r} of X holds {column.kind} values, but held {kind} values in "
        "fit. Convert it to what it was."
    )
