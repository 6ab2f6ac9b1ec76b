"""Which rows are held out of training, to validate the network after every epoch."""

import numpy as np
from sklearn.model_selection import train_test_split

from fastdnn.training.objective import Objective
from fastdnn.training.options import Options
from fastdnn.training.state import TrainingState


def hold_out(
    objective: Objective, options: Options, state: TrainingState
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of X to train on, and those that are held out.

    They are those of a split that was given, or drawn as scikit-learn does; of a state that
    goes on, those that it began with.

    Parameters
    ----------
    objective : Objective
        On all samples.
    options : Options
        Hyperparameters.
    state : TrainingState
        Keeps which rows are held out.

    Raises
    ------
    ValueError
        If fewer than two would be.
    ZeroDivisionError
        If all of them have a weight of zero.
    """
    samples, all_rows = objective.samples, objective.samples.rows
    if all_rows is None:
        all_rows = np.arange(samples.n_rows, dtype=np.int64)
    if state.order is not None:
        rows, held_out = state.order, state.held_out
        if held_out is None:
            held_out = np.setdiff1d(all_rows, rows)
    elif objective.split is not None:
        rows, held_out = objective.split
    else:
        rows, held_out = train_test_split(
            all_rows,
            random_state=state.random_state,
            test_size=options.validation_fraction,
            stratify=samples.Y[all_rows].astype(bool) if objective.is_stratified else None,
        )
    if held_out.size < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the "
            "size of your dataset."
        )
    if samples.weight is not None and not samples.weight[held_out].any():
        raise ZeroDivisionError(
            "Weights sum to zero, can't be normalized: sample_weight is zero in all of "
            f"the {held_out.size} samples held out for early stopping. Leave such samples "
            "out or raise validation_fraction."
        )
    state.held_out = held_out
    return rows, held_out
