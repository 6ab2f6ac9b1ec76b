"""Teams: threads that work together, and on which processors.

`threads` starts and ends them; `cpus` says how many pay; `separation` keeps them apart; `jobs`
does side by side what knows nothing of each other, such as fits; `crowding` notices other
programs; `blas` guards the threads of NumPy and SciPy.

Called by `data`, `prediction` and `training`, and for jobs by the estimators. No result
depends on anything here.
"""
