"""Tables: networks that are trained on raw columns, without tuning.

`encoder` has `TableEncoder`, which is public: `columns` reads a table of any library, one
column at a time, and knows by `objects` what is missing, a number or a date; `likeness` says
whether a column tells anything, and whether a later one is like it. `numbers` encodes one
column of numbers by the edges that `bins` finds, `categories` and `targets` one of
categories, `dates` makes columns of dates; `names` are those of the result. `compact` is what
networks read of a table instead of the encoded one.

`classifier` and `regressor` have the estimators, which share `base` and the `declarations` of
their parameters; `given` are rows as users give them. A `recipe` says how networks are
trained; `members` trains some of them side by side, `shared_members` as one; `control` ends
that before its time, and tells how it goes, `tasks` tells it to scikit-learn's callbacks.
`splits` finds the rows that a pilot is validated on, `scoring` what predictions are worth;
`selection` finds which of the snapshots make the `ensemble`. `folds` trains members of other
folds, `calibration` keeps what they say of the rows that they left out. `plain` and
`plain_encoder` are what was fitted in files, and `pickles` in pickles and copies.

On top of all other rooms.
"""

from fastdnn.tables.classifier import TabularDNNClassifier
from fastdnn.tables.control import Progress
from fastdnn.tables.encoder import TableEncoder
from fastdnn.tables.regressor import TabularDNNRegressor

__all__ = ["Progress", "TableEncoder", "TabularDNNClassifier", "TabularDNNRegressor"]
