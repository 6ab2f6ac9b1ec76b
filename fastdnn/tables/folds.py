"""Members of other folds: each leaves a part of the rows out, which decides in its place."""

from typing import Any

import numpy as np

from fastdnn.data.folds import deal_out, others_than
from fastdnn.tables.control import Control
from fastdnn.tables.ensemble import Judge, ensemble_of, train_and_decide
from fastdnn.tables.given import Fitted, Given, LeftOut
from fastdnn.tables.members import Member
from fastdnn.tables.recipe import recipe_of
from fastdnn.tables.scoring import metric_of, score_by


def fit_by_folds(
    model: Any,
    rows: Given,
    seeds: list[int],
    random_state: np.random.RandomState,
    control: Control,
) -> Fitted:
    """Train a member without each fold, and decide by what they predict of these.

    So all rows decide, and no network decides by rows that it was trained on. They read one
    table, whose encoder has learnt of all rows; means of targets are those over other folds.

    Parameters
    ----------
    model : BaseTabularDNN
        Knows its targets.
    rows : Given
        The samples.
    seeds : list of int
        Of each member.
    random_state : RandomState
        Deals the rows out.
    control : Control
        What ends training before its time.
    """
    folds = deal_out(len(rows.y), len(seeds), random_state, model._classes_to_split(rows.y))
    encoder, recipe, samples = model._prepared(rows)
    fewest = samples.n_rows - max(map(len, folds))
    recipe, task = recipe_of(model, fewest)._replace(table=recipe.table), model._task()
    metric, score = metric_of(model), None
    if metric is not None:
        score = score_by(metric, model, *rows._replace(X=rows.X.native()))
    to_predict = samples.to_predict()
    members = [
        Member(recipe, samples.at(others_than(fold, samples.n_rows)), task.n_outputs, seed)
        for fold, seed in zip(folds, seeds, strict=True)
    ]

    def outputs() -> np.ndarray:
        out = np.empty((1, samples.n_rows, task.n_outputs), np.float32)
        for member, fold in zip(members, folds, strict=True):
            out[:, fold] = member.outputs(to_predict.at(fold))
        return out

    judge = Judge(model.early_stopping, score)
    done = train_and_decide(members, outputs, task, samples, control, model.n_threads, judge)
    ensemble = ensemble_of(done.members, done.decisions, task)
    left_out = []
    for position, member in enumerate(done.members):  # of an interrupted fit not all
        fold = folds[members.index(member)]
        predicted = ensemble.predict_member(position, to_predict.at(fold), model.n_threads)
        left_out.append(LeftOut(fold, predicted))
    n_epochs = recipe.n_epochs
    return Fitted(encoder, ensemble, done.decisions, n_epochs, done.is_complete, left_out)
