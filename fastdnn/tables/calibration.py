"""What a table estimator keeps of rows that its networks were not trained on."""

from typing import Any

import numpy as np

from fastdnn.estimators.conformal import sorted_scores
from fastdnn.tables.given import Fitted, Given, LeftOut

#: The attributes that hold it.
CALIBRATION = "oof_prediction_", "oof_score_", "_calibration"


def calibrate(
    model: Any,
    fitted: Fitted,
    rows: Given,
    validation: Given | None,
    sample_weight: Any,
) -> None:
    """Give an estimator what its networks say of rows that they were not trained on.

    Parameters
    ----------
    model : BaseTabularDNN
        Fitted.
    fitted : Fitted
        What the fit has come to.
    rows : Given
        What it was trained on.
    validation : Given or None
        What it was validated on, if the user gave that.
    sample_weight : array-like or None
        The weights of all rows that the user gave: those of none were left out.
    """
    for name in CALIBRATION:  # of another fit
        vars(model).pop(name, None)
    if fitted.left_out is not None:
        weight, counts = None, np.ones(len(rows.y), dtype=bool)
        if np.ndim(sample_weight) > 0:
            weight = np.asarray(sample_weight, np.float64)
            counts = weight > 0.0
            weight = weight[counts]
        of_rows = _take_left_out(model, fitted.left_out, rows.y, weight)
        predictions = np.full((len(counts), of_rows.shape[1]), np.nan)
        predictions[counts] = of_rows  # the others no member has left out
        model.oof_prediction_ = model._as_predicted(predictions)
    elif validation is not None:
        predictions = model._predictions(validation.X.native()).mean(axis=0)
        scores = model._conformal_scores(predictions, validation.y)
        model._calibration = {"of_members": False, "scores": [sorted_scores(scores, None)]}


def _take_left_out(
    model: Any, left_out: list[LeftOut], y: np.ndarray, weight: np.ndarray | None
) -> np.ndarray:
    """Set the scores of what members have left out; return what they predict of it.

    It is NaN where nobody does, after an interrupted fit.
    """
    scores = []
    predictions = np.full((len(y), left_out[0].predictions.shape[1]), np.nan)
    for places, predicted in left_out:
        predictions[places] = predicted
        scores.append(sorted_scores(model._conformal_scores(predicted, y[places]), None))
    model._calibration = {"of_members": True, "scores": scores}
    is_known = np.isfinite(predictions).all(axis=1)
    of_known = None if weight is None else weight[is_known]
    model.oof_score_ = model._score_predictions(predictions[is_known], y[is_known], of_known)
    return predictions


def plain_calibration(model: Any, n_columns: int) -> tuple[dict[str, Any], np.ndarray]:
    """Return what a model file says of it: how many scores of each group, and all scores.

    What was predicted of single rows is not stored.
    """
    known = getattr(model, "_calibration", {"of_members": False, "scores": []})
    said = {
        "calibrated": [len(scores) for scores in known["scores"]],
        "is_calibrated_by_members": known["of_members"],
    }
    groups = [scores.reshape(-1, n_columns) for scores in known["scores"]]
    return said, np.concatenate([np.empty((0, n_columns)), *groups])


def take_calibration(model: Any, fitted: dict[str, Any], scores: np.ndarray) -> None:
    """Give an estimator what `plain_calibration` returned.

    Raises
    ------
    ValueError
        If it is not what a fit comes to.
    """
    counts, of_members = fitted["calibrated"], fitted["is_calibrated_by_members"]
    if not counts:
        return
    n_groups = fitted["n_members"] if of_members else 1
    if len(counts) != n_groups:
        raise ValueError(f"it has scores of {len(counts)} groups, but there are {n_groups}")
    groups = np.split(scores.copy(), np.cumsum(counts)[:-1])
    if not all((group[:-1] <= group[1:]).all() for group in groups):
        raise ValueError("the scores of its calibration are not in ascending order")
    if "classes" in fitted:
        groups = [group.ravel() for group in groups]
    model._calibration = {"of_members": of_members, "scores": groups}
