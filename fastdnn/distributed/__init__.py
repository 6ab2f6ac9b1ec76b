"""One network on a cluster: Dask tasks beside the data, with the same bits for any workers.

`classifier` and `regressor` have the estimators, and `base` what both share. `collections`
takes Dask arrays and data frames apart into partitions, and `facts` says whether these fit
each other. Some partitions are a shard of the data (`shards`); `rounds` is what is done with
one, a gradient or some steps of its own, and `sums` adds up what comes of it in the order of
the shards. `training` is the loop over rounds, which `local` does in this process and
`cluster` by tasks on workers, as `places` says on which. `predictions` are made chunk by
chunk. `client` is what clones share and pickles leave out, and `dask_imports` imports Dask,
which fastdnn does without elsewhere.

On top of the estimators; called by users, and for its clients by searches.
"""

from fastdnn.distributed.classifier import DaskDNNClassifier
from fastdnn.distributed.regressor import DaskDNNRegressor

__all__ = ["DaskDNNClassifier", "DaskDNNRegressor"]
