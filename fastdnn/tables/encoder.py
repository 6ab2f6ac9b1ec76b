"""`TableEncoder`: from a table of numbers, categories and dates to numbers for a network."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import (
    _check_feature_names,
    check_consistent_length,
    check_is_fitted,
)

from fastdnn.models.decorators import validating
from fastdnn.models.documentation import DocumentationLink
from fastdnn.models.parameter_types import (
    Auto,
    Columns,
    Int,
    NumericEncoding,
    RandomState,
)
from fastdnn.tables.bins import bins_of, edges_of
from fastdnn.tables.categories import CategoryEncoder
from fastdnn.tables.columns import (
    CATEGORY,
    NUMBER,
    Column,
    Table,
    category_mask,
    require_no_text,
)
from fastdnn.tables.dates import parts_of
from fastdnn.tables.likeness import Seen, as_kind, require_alike, require_finite, words_of
from fastdnn.tables.names import names_out
from fastdnn.tables.numbers import NumberEncoder
from fastdnn.tables.pickles import EncoderPickles
from fastdnn.tables.targets import TargetMeans, is_continuous, numbers_of, target_of_bins

# Beyond so many columns of 0 and 1, the result is sparse where that is left open.
_MANY_COLUMNS = 512


class NothingToEncodeError(ValueError):
    """No column of a table tells anything."""


class TableEncoder(EncoderPickles, DocumentationLink, TransformerMixin, BaseEstimator):
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
        target splits; not at all ('linear'). 'auto' is 'tree' for numbers and three
        classes or more, else 'quantile'.
    n_bins : int or 'auto', default='auto'
        Bins of a column at most; 'auto' is min(32, 1024 // columns of numbers, rows // 8);
        of classes rows // 64, and none if that is below 8.
    categorical_features : 'from_dtype', None or array-like, default='from_dtype'
        Which columns are categories, besides those of strings: those of a categorical dtype,
        none, or a mask, positions or names.
    max_levels : int, default=64
        Levels of a category that have a column, the most frequent ones. Where there are more,
        means of the target are added, over other folds in `fit_transform`, so that no row
        sees its own target.
    target_type : {'auto', 'continuous', 'classes'}, default='auto'
        What y is, for 'auto' encodings and means of the target: numbers or classes. 'auto':
        numbers, if some have a fraction.
    sparse_output : bool or 'auto', default='auto'
        Whether the result is a CSR matrix; 'auto': where categories make more than 512
        columns, and `set_output` asks for no data frame.
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
        "target_type": [StrOptions({"auto", "continuous", "classes"})],
        "sparse_output": ["boolean", StrOptions({"auto"})],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        numeric_encoding: NumericEncoding = "auto",
        n_bins: Int | Auto = "auto",
        categorical_features: Columns = "from_dtype",
        max_levels: Int = 64,
        target_type: Literal["auto", "continuous", "classes"] = "auto",
        sparse_output: bool | Auto = "auto",
        dtype: Literal["float32", "float64"] = "float32",
        random_state: RandomState = 0,
    ) -> None:
        self.numeric_encoding = numeric_encoding
        self.n_bins = n_bins
        self.categorical_features = categorical_features
        self.max_levels = max_levels
        self.target_type = target_type
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
        self._forget_other_folds()
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Learn how to encode a table, and encode it.

        Parameters
        ----------
        X, y
            As of `fit`.

        Returns
        -------
        ndarray or CSR matrix of shape (n_samples, n_features_out_)
            As of `transform`, but for categories that are encoded by the target: those have
            means over other rows than their own fold's.
        """
        return self._encode(self._fit(X, y), is_fitted=y is not None)

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
        return self._encode(self._read(X, reset=False))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of the result.

        Parameters
        ----------
        input_features : array-like of str, optional
            The names of the fit, or of the columns of an array.

        Returns
        -------
        ndarray of str of shape (n_features_out_,)
        """
        check_is_fitted(self)
        pairs = zip(self._sources, self._encoders, strict=True)
        made = [(source.column, encoder.names) for source, (_, encoder) in pairs]
        known = getattr(self, "feature_names_in_", None)
        return names_out(made, self._names, known, input_features)

    # -- how ----------------------------------------------------------------------------

    @validating
    def _fit(self, X: Any, y: Any) -> Table:
        """Learn how to encode a table; return it, to be encoded as what it was learnt from."""
        table = self._read(X, reset=True)
        if y is not None:
            y = np.asarray(y)
            check_consistent_length(table, y)
        target = target_of_bins(self.numeric_encoding, self.target_type, y)
        mask = category_mask(self.categorical_features, table.names)
        by_dtype = isinstance(self.categorical_features, str)
        folds = check_random_state(self.random_state)
        self._names, self.dropped_ = table.names, {}
        kinds, words = [], []
        found: list[tuple[str, Source, Any]] = []
        seen = Seen()
        n_numbers, Y = 0, None
        for j, is_category in enumerate(mask.tolist()):
            column = table.column(j, is_category, by_dtype)
            require_no_text(column)
            require_finite(column, table)
            kinds.append(column.kind)
            words.append(words_of(column))
            for part, derived in enumerate(parts_of(column)):
                why = seen.why_to_drop(derived)
                if why is not None:
                    self.dropped_[derived.name] = why
                    continue
                source = Source(j, part)
                if derived.kind == NUMBER:
                    found.append((derived.name, source, None))
                    n_numbers += 1
                    continue
                of_levels = CategoryEncoder(derived.name, derived.values, int(self.max_levels))
                found.append((derived.name, source, of_levels))
                if of_levels.n_levels > self.max_levels and y is not None:
                    Y = numbers_of(y, self.target_type) if Y is None else Y
                    means = TargetMeans(derived.name, derived.values, Y, folds)
                    found.append((derived.name, source, means))
        self._kinds, self._words = kinds, words
        if not found:
            raise NothingToEncodeError(
                f"No column of X can be used: {_shown(self.dropped_)}. Give a table whose "
                "columns have at least two different values."
            )
        n_bins = self.n_bins
        if n_bins == "auto":
            are_numbers = y is not None and is_continuous(y, self.target_type)
            n_bins = bins_of(len(table), n_numbers, are_numbers)
        if self.numeric_encoding == "linear":
            n_bins = 0
        self._encoders: list[tuple[str, Any]] = []
        self._sources = [source for _, source, _ in found]
        for name, source, encoder in found:
            if encoder is None:
                x = self._parts(table, source.column)[source.part].values
                encoder = NumberEncoder(name, x, edges_of(x, target, int(n_bins)))
            self._encoders.append((name, encoder))
        self.n_features_out_ = sum(len(encoder.names) for _, encoder in self._encoders)
        n_levels = sum(
            len(e.names) for _, e in self._encoders if isinstance(e, CategoryEncoder)
        )
        self._is_sparse = n_levels > _MANY_COLUMNS
        return table

    def _read(self, X: Any, reset: bool) -> Table:
        """Return a table whose columns are those of the fit, or which decides of them."""
        table = X if isinstance(X, Table) else Table(X)
        n_rows, n_columns = table.shape
        if n_columns == 0:
            raise ValueError(
                f"0 feature(s) (shape={table.shape}) while a minimum of 1 is required."
            )
        if n_rows < 1 + reset:
            raise ValueError(
                f"Found array with {n_rows} sample(s) (shape={table.shape}) while a minimum "
                f"of {1 + reset} is required."
            )
        _check_feature_names(self, table.whole, reset=reset)
        if reset:
            self.n_features_in_ = n_columns
        elif n_columns != self.n_features_in_:
            raise ValueError(
                f"X has {n_columns} features, but TableEncoder is expecting "
                f"{self.n_features_in_} features as input"
            )
        return table

    def _parts(self, table: Table, j: int) -> list[Column]:
        """Return the parts of a column, which has to be like that of the fit."""
        kind = self._kinds[j]
        column = table.column(j, kind == CATEGORY, by_dtype=False)
        require_finite(column, table)
        if column.kind != kind:
            column = as_kind(column, kind)
        if kind == CATEGORY:
            require_alike(column, self._words[j])
        return parts_of(column)

    def _encode(self, table: Table, is_fitted: bool = False) -> Any:
        """Encode a table, be it that which it was fitted on."""
        n_rows = len(table)
        blocks, start = [], 0
        out = None
        if not self._makes_sparse():
            out = np.empty((n_rows, self.n_features_out_), dtype=self.dtype)
        for values, encoder in self._each(table):
            width = len(encoder.names)
            if out is None and isinstance(encoder, CategoryEncoder):
                blocks.append(encoder.sparse(values, self.dtype))
                continue
            block = out[:, start : start + width] if out is not None else None
            if block is None:
                block = np.empty((n_rows, width), dtype=self.dtype)
            if is_fitted and isinstance(encoder, TargetMeans):
                block[...] = encoder.of_other_folds
            else:
                encoder.write(values, block)
            if out is None:
                blocks.append(sparse.csr_matrix(block))
            start += width
        self._forget_other_folds()
        return out if out is not None else sparse.hstack(blocks, format="csr")

    def _makes_sparse(self) -> bool:
        if self.sparse_output != "auto":
            return bool(self.sparse_output)
        return self._is_sparse and _get_output_config("transform", self)["dense"] == "default"

    def _each(self, table: Table) -> Iterator[tuple[np.ndarray, Any]]:
        """Give each encoder with the values that it encodes, one column after the other."""
        parts, before = [], -1
        for source, (_, encoder) in zip(self._sources, self._encoders, strict=True):
            if source.column != before:
                parts, before = self._parts(table, source.column), source.column
            yield parts[source.part].values, encoder

    def _forget_other_folds(self) -> None:
        for _, encoder in self._encoders:
            if isinstance(encoder, TargetMeans):
                encoder.of_other_folds = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = []  # networks take float32, whatever comes
        return tags


class Source(NamedTuple):
    """Which column something is made of, or which part of one."""

    column: int
    part: int


def _shown(dropped: dict[str, str]) -> str:
    few = dict(list(dropped.items())[:10])
    return f"{few}{' and so on' * (len(dropped) > len(few))}"
