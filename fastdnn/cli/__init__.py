"""The command line: ``fastdnn``, or ``python -m fastdnn``.

`main` has the parser and what becomes of errors; `failures` what a user is told of. The
commands are `train`, with its `report`, `predict`, `info`, `warm_up` and `bench`; `files`
reads tables, whole or in parts, `sampled` some rows of them, and `targets` says what is
predicted.

On top of all other rooms, whose work it does: a command imports what it needs when it runs.
"""
