"""Tables: networks that are trained on raw columns, without tuning.

`encoder` has `TableEncoder`, which is public: `columns` reads a table of any library;
`numbers` encodes one column of numbers by the edges that `bins` finds, `categories` and
`targets` one of categories, `dates` makes columns of dates.

`classifier` and `regressor` have the estimators, which share `base`. A `recipe` says how
networks are trained; `members` trains some of them side by side; `selection` finds which of
their snapshots make the `ensemble`.

On top of all other rooms.
"""

from fastdnn.tables.classifier import TabularDNNClassifier
from fastdnn.tables.encoder import TableEncoder
from fastdnn.tables.regressor import TabularDNNRegressor

__all__ = ["TableEncoder", "TabularDNNClassifier", "TabularDNNRegressor"]
