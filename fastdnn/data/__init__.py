"""Data: samples as the engine takes them, and the way there from float64.

`samples` holds rows, targets and weights; `conversion` converts and checks large matrices;
`plain_arrays` looks whether an array is one that needs no more validation; `folds` deals out
rows.

Called by `planning`, `prediction`, `training` and the estimators.
"""
