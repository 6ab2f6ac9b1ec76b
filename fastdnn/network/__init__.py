"""A network: what it is, and its parameters in one flat vector.

`description` says what layers and loss it has, found to fit each other, and
`table_input` what the columns of a table stand for; `parameters` cuts the
vector into views and draws initial values.

Called by every room above. Where a parameter lies in the vector is known here alone.
"""
