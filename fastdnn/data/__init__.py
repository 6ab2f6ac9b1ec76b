"""Data: samples as the engine takes them, and the way there from float64.

`samples` holds rows, targets and weights; `conversion` converts and checks large matrices;
`plain_arrays` looks whether an array is one that needs no more validation; `folds` deals out
rows. Of streams, which are read while they are trained on, `sources` are what they read:
arrays and chunks, `file_rows` for arrays that lie in files, `arrow_files` for Parquet;
`blocks` makes blocks of rows for the engine of what was read.

Called by `planning`, `prediction`, `training` and the estimators.
"""
