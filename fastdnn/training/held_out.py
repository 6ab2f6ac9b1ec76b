"""Samples that are held out of training, to score the network after every epoch."""

from collections.abc import Callable

import numpy as np
from sklearn.model_selection import train_test_split

from fastdnn.network.parameters import Parameters
from fastdnn.prediction.predictor import Predictor
from fastdnn.training.objective import Objective
from fastdnn.training.options import Options
from fastdnn.training.state import TrainingState


def hold_out(
    objective: Objective, options: Options, state: TrainingState, parameters: Parameters
) -> tuple[Objective, Callable[[], float]]:
    """Hold out some samples, drawn as scikit-learn does.

    Those whose scores count are `parameters`: of the state, or their average.

    Returns
    -------
    objective : Objective
        On the others.
    score : callable
        Returns their current score on those that are held out; NaN if an
        output is not finite.

    Raises
    ------
    ValueError
        If there would be fewer than two.
    ZeroDivisionError
        If all of them have a weight of zero.
    """
    samples = objective.samples
    if state.order is None:
        rows, held_out = train_test_split(
            np.arange(samples.n_rows, dtype=np.int64),
            random_state=state.random_state,
            test_size=options.validation_fraction,
            stratify=samples.Y.astype(bool) if objective.is_stratified else None,
        )
    else:
        rows, held_out = state.order, np.setdiff1d(np.arange(samples.n_rows), state.order)
    if held_out.size < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the "
            "size of your dataset."
        )
    Y = samples.Y[held_out]
    weight = None if samples.weight is None else samples.weight[held_out]
    if weight is not None and not weight.any():
        raise ZeroDivisionError(
            "Weights sum to zero, can't be normalized: sample_weight is zero in all of "
            f"the {held_out.size} samples held out for early stopping. Leave such samples "
            "out or raise validation_fraction."
        )
    predictor = Predictor(parameters, objective.network)
    validation = samples.at(held_out).to_predict()

    def score() -> float:
        outputs = predictor(validation, options.n_threads)
        if not np.isfinite(outputs).all():
            return np.nan
        return objective.score(outputs, Y, weight)

    return objective.on(samples.at(rows)), score
