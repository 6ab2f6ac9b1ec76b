"""Teams: threads that work together, and on which processors.

`threads` starts and ends them; `cpus` says how many pay; `separation` keeps them apart;
`crowding` notices other programs; `blas` guards the threads of NumPy and SciPy.

Called by `data`, `prediction` and `training`. No result depends on anything here.
"""
