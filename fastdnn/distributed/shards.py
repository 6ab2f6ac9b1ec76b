"""A shard: some of the rows, as the engine takes them, with the network that they are for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from fastdnn.data.samples import Samples
from fastdnn.estimators.ready import made_ready
from fastdnn.estimators.validation_sets import NOTHING_GIVEN
from fastdnn.models.hyperparameters import training_options
from fastdnn.models.transaction import twin_of
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.training.options import Options


@dataclass
class Shard:
    """Rows of one part of the data, which stay where they are.

    Attributes
    ----------
    number : int
        Which one it is.
    samples : Samples
        Its rows.
    network : Network
        What is trained.
    parameters : Parameters
        Of such a network: their order.
    options : Options
        Hyperparameters.
    """

    number: int
    samples: Samples
    network: Network
    parameters: Parameters
    options: Options


def made_shard(
    model: Any, number: int, X: Sequence[Any], y: Sequence[Any], weight: Sequence[Any]
) -> Shard:
    """Make a shard of partitions; where they are, as a task.

    Parameters
    ----------
    model : DNNClassifier or DNNRegressor
        Initialised: it knows features and classes.
    number : int
        Which one it is.
    X, y, weight : sequence of array-like
        The partitions; no weights if there are none.

    Raises
    ------
    ValueError
        If they are not valid.
    """
    own = twin_of(model)
    rows, targets = _joined(X), np.asarray(_joined(y))
    if targets.dtype.kind in "OT":  # as `facts.facts_of` has seen them
        targets = targets.astype(str)
    ready = made_ready(
        own, rows, targets, _joined(weight) if weight else None, NOTHING_GIVEN, True, False
    )
    parameters = own._state.parameters
    options = training_options(own)
    return Shard(number, ready.samples, own._network(parameters), parameters, options)


def copied(shard: Shard) -> Shard:
    """Return a shard, for a task that is to bring it to another worker."""
    return shard


def size_of(shard: Shard) -> int:
    """Return how many rows a shard has."""
    return shard.samples.n_rows


def _joined(parts: Sequence[Any]) -> Any:
    """Return partitions as one table."""
    if len(parts) == 1:
        return parts[0]
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format="csr")
    if hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts)
    return np.concatenate(parts)
