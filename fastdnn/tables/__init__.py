"""Tables: from raw columns to what a network is trained on.

`encoder` has `TableEncoder`, which is public. `columns` reads a table of any library;
`numbers` encodes one column of numbers by the edges that `bins` finds, `categories` and
`targets` one of categories, `dates` makes columns of dates.

On top of all other rooms.
"""

from fastdnn.tables.encoder import TableEncoder

__all__ = ["TableEncoder"]
