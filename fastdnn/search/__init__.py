"""Searches for hyperparameters whose networks train on, side by side on one X.

`halving` has `HalvingDNNSearchCV` and `plain` has `DNNSearchCV`; `base` is what they share,
from what a user gives to the best estimator. `rungs` says for how many epochs how many
candidates train. A `contest` is all candidates of one search, with the results so far; its
`candidates` are taken apart into a network and what comes before it. `inputs` are what those
of a fold share; in `lanes` each trains in one fold, from rung to rung, and `scoring` says how
it is scored. `pool` does all that side by side in threads, and `on_dask` as tasks of a
cluster.

Above the estimators, and Dask as `distributed` has it; called by users only.
"""

from fastdnn.search.halving import HalvingDNNSearchCV
from fastdnn.search.plain import DNNSearchCV

__all__ = ["DNNSearchCV", "HalvingDNNSearchCV"]
