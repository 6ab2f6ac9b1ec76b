"""`DaskDNNRegressor`: a regressor that a Dask cluster trains."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from fastdnn.distributed.base import DaskDNN
from fastdnn.distributed.collections import Partitions
from fastdnn.estimators.regressor import DNNRegressor


class DaskDNNRegressor(RegressorMixin, DaskDNN):
    """A `DNNRegressor` that the workers of a Dask cluster train together.

    How, is said of `DaskDNNClassifier`.

    Parameters
    ----------
    client : distributed.Client, default=None
        Of the cluster; None for the one that was made last. It is no parameter to search
        over, and is not pickled.
    n_shards : int, default=None
        Parts that the data is cut into; None for as many as there are partitions.
    sync_epochs : float, default=0.1
        Epochs whose steps are synchronous.
    rounds_per_epoch : int, default=10
        How often parameters are averaged in each epoch after that.
    outer_momentum : float, default=0.3
        Nesterov's momentum of the step from one average to the next.
    **network
        The parameters of `DNNRegressor`, of which `batch_size` is that of all shards
        together. Not supported is what `DaskDNNClassifier` does not support.

    Attributes
    ----------
    n_rounds_ : int
        Rounds of the last fit.
    coefs_, loss_curve_, history_ and others
        Of the local network.

    See Also
    --------
    fastdnn.DNNRegressor : On one machine.

    Examples
    --------
    >>> from fastdnn.distributed import DaskDNNRegressor
    >>> from distributed import Client  # doctest: +SKIP
    >>> import dask.array as da  # doctest: +SKIP
    >>> client = Client(n_workers=4, threads_per_worker=1)  # doctest: +SKIP
    >>> X = da.random.standard_normal((100_000, 20), chunks=(25_000, 20))  # doctest: +SKIP
    >>> y = X[:, 0] - X[:, 1]  # doctest: +SKIP
    >>> model = DaskDNNRegressor(max_iter=20, random_state=0).fit(X, y)  # doctest: +SKIP
    >>> model.predict(X), model.to_local()  # doctest: +SKIP
    """

    _kind, _has_classes = DNNRegressor, False
    score = DaskDNN.score  # which takes collections; scikit-learn's mixin comes before it

    def _first_targets(self, partitions: Partitions) -> np.ndarray:
        _, n_columns = partitions.facts[0].target
        return np.zeros((2, n_columns)) if n_columns else np.zeros(2)

    @staticmethod
    def _score(predicted: Any, y: Any, sample_weight: Any) -> float:
        return float(r2_score(np.asarray(y), predicted, sample_weight=sample_weight))
