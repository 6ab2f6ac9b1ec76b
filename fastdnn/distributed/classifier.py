"""`DaskDNNClassifier`: a classifier that a Dask cluster trains."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from fastdnn.distributed.base import DaskDNN
from fastdnn.distributed.collections import Partitions
from fastdnn.distributed.facts import all_classes
from fastdnn.distributed.predictions import predicted
from fastdnn.estimators.classifier import DNNClassifier


class DaskDNNClassifier(ClassifierMixin, DaskDNN):
    """A `DNNClassifier` that the workers of a Dask cluster train together.

    The data is cut into shards, of one partition each or of as many as give `n_shards`, which
    stay on the workers. A batch has rows of all of them. At first their gradients are
    averaged at each step; then each shard takes steps of its own, and `rounds_per_epoch`
    times in an epoch what they have come to is averaged in the order of the shards. The
    network has the same bits for any number of workers, whichever of them die and join.

    Parameters
    ----------
    client : distributed.Client, default=None
        Of the cluster; None for the one that was made last. It is no parameter to search
        over, and is not pickled.
    n_shards : int, default=None
        Parts that the data is cut into; None for as many as there are partitions. It is
        part of the result; workers beyond that number have nothing to do.
    sync_epochs : float, default=0.1
        Epochs whose steps are synchronous: the only steps that are those of one machine, up
        to rounding, and each as long as a round.
    rounds_per_epoch : int, default=10
        How often parameters are averaged in each epoch after that.
    outer_momentum : float, default=0.3
        Nesterov's momentum of the step from one average to the next.
    **network
        The parameters of `DNNClassifier`, of which `batch_size` is that of all shards
        together. Not supported are ``solver='lbfgs'``, validation, `warm_start`, members,
        checkpoints, `max_time`, `max_norm` and averages of the parameters.

    Attributes
    ----------
    n_rounds_ : int
        Rounds of the last fit.
    classes_, coefs_, loss_curve_, history_ and others
        Of the local network.

    See Also
    --------
    fastdnn.DNNClassifier : On one machine.

    Examples
    --------
    >>> from fastdnn.distributed import DaskDNNClassifier
    >>> from distributed import Client  # doctest: +SKIP
    >>> import dask.array as da  # doctest: +SKIP
    >>> client = Client(n_workers=4, threads_per_worker=1)  # doctest: +SKIP
    >>> X = da.random.standard_normal((100_000, 20), chunks=(25_000, 20))  # doctest: +SKIP
    >>> y = (X[:, 0] > X[:, 1]).astype(int)  # doctest: +SKIP
    >>> model = DaskDNNClassifier(max_iter=20, random_state=0).fit(X, y)  # doctest: +SKIP
    >>> model.predict(X), model.to_local()  # doctest: +SKIP
    """

    _kind, _has_classes = DNNClassifier, True
    score = DaskDNN.score  # which takes collections; scikit-learn's mixin comes before it

    def _first_targets(self, partitions: Partitions) -> np.ndarray:
        kind, n_columns = partitions.facts[0].target
        if n_columns > 1:
            if kind[:4] not in ("bool", "int8") and not kind.startswith(("int", "uint")):
                raise ValueError(
                    f"y has {n_columns} columns of dtype {kind}. On a cluster give the class "
                    "of each sample, or integers 0 and 1 of several labels: probabilities of "
                    "classes are not supported."
                )
            return np.repeat([[0], [1]], n_columns, axis=1)
        if n_columns == 1:
            raise ValueError("y has 2 dimensions and one column. Give it one dimension.")
        classes, _ = all_classes(partitions.facts)
        return np.repeat(classes, 2)

    def _settle(self, network: Any, partitions: Partitions) -> None:
        if not isinstance(network.class_weight, str):
            return
        if partitions.weight or partitions.facts[0].target[1]:
            raise ValueError(
                f"class_weight={network.class_weight!r} is not supported on a cluster with "
                "sample_weight or with several labels. Give a dict with the weight of each "
                "class."
            )
        classes, counts = all_classes(partitions.facts)
        balanced = counts.sum() / (len(classes) * counts)
        network.class_weight = dict(zip(classes.tolist(), balanced.tolist(), strict=True))

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Dask array or ndarray of shape (n_samples, n_classes)
            As of the local network; of a Dask collection lazy, and with its chunks.
        """
        return predicted(self._fitted(), "predict_proba", X)

    @staticmethod
    def _score(predicted: Any, y: Any, sample_weight: Any) -> float:
        return float(accuracy_score(np.asarray(y), predicted, sample_weight=sample_weight))
