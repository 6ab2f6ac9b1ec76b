"""What the Dask estimators share: parameters, fit, predictions, and the local network."""

import copy
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from fastdnn.distributed.client import WithClient
from fastdnn.distributed.cluster import OnCluster
from fastdnn.distributed.collections import Partitions, partitions_of
from fastdnn.distributed.dask_imports import client_or_default
from fastdnn.distributed.predictions import predicted
from fastdnn.distributed.shards import made_shard
from fastdnn.distributed.training import Timetable, Training, finished, give
from fastdnn.models.hyperparameters import training_options
from fastdnn.training.random_states import random_state_of
from fastdnn.training.state import TrainingState

# Parameters of a network that training on a cluster has no use for, and what they must be.
_NOT_THERE = {
    "early_stopping": (False, "auto"),
    "warm_start": (False,),
    "checkpoint": (None,),
    "max_time": (None,),
    "max_norm": (None,),
    "ema_decay": (None,),
    "swa_start": (None,),
    "n_members": (1,),
    "bagging": (None,),
    "scoring": (None,),
}


class DaskDNN(WithClient, BaseEstimator):
    """A network that a Dask cluster trains; see the subclasses."""

    _kind: ClassVar[Any]
    _of_cluster: ClassVar[tuple[str, ...]] = (
        *("n_shards", "sync_epochs", "rounds_per_epoch", "outer_momentum"),
    )
    _has_classes: ClassVar[bool]
    n_shards: int | None
    sync_epochs: float
    rounds_per_epoch: int
    outer_momentum: float

    def __init__(
        self,
        *,
        client: Any = None,
        n_shards: int | None = None,
        sync_epochs: float = 0.1,
        rounds_per_epoch: int = 10,
        outer_momentum: float = 0.3,
        **network: Any,
    ) -> None:
        defaults = self._kind().get_params()
        for name in network:
            if name not in defaults:
                raise TypeError(
                    f"{type(self).__name__} has no parameter {name!r}. It has client, "
                    f"{', '.join(self._of_cluster)} and those of {self._kind.__name__}."
                )
        self.__dict__.update(defaults | network)
        self.client = client
        self.n_shards, self.sync_epochs = n_shards, sync_epochs
        self.rounds_per_epoch, self.outer_momentum = rounds_per_epoch, outer_momentum

    @classmethod
    def _get_param_names(cls) -> list[str]:
        # A client can be neither copied nor pickled: as a connection, it is no parameter.
        return sorted([*cls._kind._get_param_names(), *cls._of_cluster])

    def __sklearn_is_fitted__(self) -> bool:
        return "_local" in vars(self)

    def __getattr__(self, name: str) -> Any:
        """Return what is fitted of the local network."""
        if name.endswith("_") and not name.startswith("_") and "_local" in vars(self):
            return getattr(vars(self)["_local"], name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network on the workers that have the data.

        Parameters
        ----------
        X : Dask array or data frame of shape (n_samples, n_features)
            Samples, in chunks of whole rows.
        y : Dask array, data frame or series of shape (n_samples,) or (n_samples, n_outputs)
            Targets, in chunks as those of X. A partition need not have all classes.
        sample_weight : Dask array or series of shape (n_samples,), default=None
            Weight of each sample, in such chunks.

        Returns
        -------
        DaskDNNClassifier or DaskDNNRegressor
            This estimator.

        Raises
        ------
        ImportError
            If Dask is not installed.
        ValueError
            Before training, if there is no client, the collections do not fit each other, or
            a partition is empty, or of another kind than the others; later if training
            diverges.
        TypeError
            If X or y is no Dask collection.
        """
        network = self._network()
        client = client_or_default(self.client)
        partitions = partitions_of(client, (X, y, sample_weight), self._has_classes)
        names, n_features = partitions.facts[0].names, partitions.facts[0].n_features
        targets = self._first_targets(partitions)
        network.initialize(_table(len(targets), n_features, names), targets)
        self._settle(network, partitions)
        team = OnCluster(client, self._shards(client, network, partitions), network.n_threads)
        state: TrainingState = network._state
        seed = int(random_state_of(network.random_state).randint(2**31 - 1))
        training = Training(
            team, state.copy(), training_options(network), self._timetable(), seed
        )
        notices = training.run()
        network._state = finished(training.state)
        vars(network).pop("_resumable", None)
        network._publish()
        network.set_params(**{n: getattr(self, n) for n in network.get_params()})
        self._local, self.n_rounds_ = network, training.n_rounds
        give(notices, stacklevel=2)
        return self

    def _network(self) -> Any:
        """Return a local network with these parameters, which were checked."""
        network = self._kind(**{n: getattr(self, n) for n in self._kind._get_param_names()})
        network._validate_params()
        if network.solver == "lbfgs":
            raise ValueError(
                "solver='lbfgs' has no steps that shards could take. Use another solver, such "
                "as 'adam'."
            )
        for name, allowed in _NOT_THERE.items():
            value = getattr(network, name)
            if not any(value is one or value == one for one in allowed):
                raise ValueError(
                    f"{name}={value!r} is not supported on a cluster. Use "
                    f"{name}={allowed[0]!r}."
                )
        for name, kind, low, high in (
            ("n_shards", Integral, 1, np.inf),
            ("sync_epochs", Real, 0, np.inf),
            ("rounds_per_epoch", Integral, 1, np.inf),
            ("outer_momentum", Real, 0, 0.99),
        ):
            value = getattr(self, name)
            if name == "n_shards" and value is None:
                continue
            is_number = isinstance(value, kind) and not isinstance(value, bool)
            if not is_number or not low <= value <= high:
                what = "an integer" if kind is Integral else "a number"
                upto = "" if high == np.inf else f" and at most {high}"
                raise ValueError(f"{name}={value!r} must be {what} of at least {low}{upto}.")
        return network

    def _timetable(self) -> Timetable:
        return Timetable(
            float(self.sync_epochs), int(self.rounds_per_epoch), float(self.outer_momentum)
        )

    def _first_targets(self, partitions: Partitions) -> np.ndarray:
        """Return targets that tell a network all that it has to know of them."""
        raise NotImplementedError

    def _settle(self, network: Any, partitions: Partitions) -> None:
        """Let the network know what only all partitions together can tell."""

    def _shards(self, client: Any, network: Any, partitions: Partitions) -> list[Any]:
        """Let shards be made where their partitions are."""
        model = client.submit(_itself, network, pure=False)
        X, y, weight = partitions.X, partitions.y, partitions.weight
        return [
            client.submit(made_shard, model, k, X[at], y[at], weight[at], pure=False)
            for k, at in enumerate(partitions.groups(self.n_shards))
        ]

    def to_local(self) -> Any:
        """Return the fitted network as a `DNNClassifier` or `DNNRegressor`.

        Returns
        -------
        DNNClassifier or DNNRegressor
            A copy, which needs no Dask: it predicts, is saved, and goes on in `partial_fit`.
        """
        return copy.copy(self._fitted())

    def _fitted(self) -> Any:
        if "_local" not in vars(self):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' before."
            )
        return self._local

    def predict(self, X: Any) -> Any:
        """Return predictions.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Dask array or ndarray
            As of the local network; of a Dask collection lazy, and with its chunks.
        """
        return predicted(self._fitted(), "predict", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score of the local network: accuracy, or R2.

        Parameters
        ----------
        X, y : Dask collection or array-like
            Samples and targets.
        sample_weight : Dask collection or array-like, default=None
            Weights.

        Returns
        -------
        float
        """
        compute = [
            value.compute() if hasattr(value, "compute") else value
            for value in (self.predict(X), y, sample_weight)
        ]
        return self._score(*compute)

    @staticmethod
    def _score(predicted: Any, y: Any, sample_weight: Any) -> float:
        raise NotImplementedError


def _itself(network: Any) -> Any:
    return network


def _table(n_rows: int, n_features: int, names: tuple[str, ...] | None) -> Any:
    """Return rows of zeros, with names if there are some."""
    rows = np.zeros((n_rows, n_features))
    if names is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=list(names))
