"""Rules of stopping, worked by hand: what counts as better, and what is done without it."""

import math

import pytest

from fastdnn.training.history import History
from fastdnn.training.options import Options
from fastdnn.training.schedules import SCHEDULES
from fastdnn.training.state import OptimizerState
from fastdnn.training.stopping import count_loss, count_score, epochs_until_stop, is_to_stop

OPTIONS = Options(tol=0.1, n_iter_no_change=2, max_iter=50, verbose=False)


def test_a_loss_is_better_if_it_is_lower_by_tol():
    history, counts = History(), []
    for loss in (1.0, 0.95, 0.8, 0.9, 0.75, 0.5):
        history.add_epochs([loss], 10, [0.1], 0.0)
        count_loss(history, loss, 0.1)
        counts.append(history.no_improvement_count)
    assert counts == [0, 1, 0, 1, 2, 0]
    assert history.best_loss == 0.5
    assert (history.n_iter, history.t) == (6, 60)


def test_a_score_is_better_if_it_is_higher_by_tol_and_the_best_if_it_is_higher():
    history, counts, are_best = History(early_stopping=True), [], []
    for score in (0.5, 0.55, 0.5, 0.75, 0.7):
        are_best.append(count_score(history, score, 0.1))
        counts.append(history.no_improvement_count)
    assert counts == [0, 1, 2, 0, 1]
    assert are_best == [True, True, False, True, False]
    assert history.best_validation_score == 0.75
    assert history.best_validation_score == 0.75


@pytest.mark.parametrize(
    ("no_improvement_count", "n_iter", "n_iter_no_change", "expected"),
    [(0, 0, 2, 3), (2, 10, 2, 1), (7, 10, 2, 1), (0, 48, 10, 2), (0, 0, math.inf, 50)],
)
def test_until_then_no_epoch_can_be_the_last(
    no_improvement_count, n_iter, n_iter_no_change, expected
):
    history = History(no_improvement_count=no_improvement_count, n_iter=n_iter)
    options = Options(**vars(OPTIONS) | {"n_iter_no_change": n_iter_no_change})
    assert epochs_until_stop(history, options, SCHEDULES["constant"]) == expected


@pytest.mark.parametrize(
    ("schedule", "rate", "stops", "rate_after", "says"),
    [
        ("constant", 0.5, True, 0.5, "Stopping."),
        ("invscaling", 0.5, True, 0.5, "Stopping."),
        ("adaptive", 0.5, False, 0.1, "Setting learning rate to 0.100000"),
        ("adaptive", 1e-6, True, 1e-6, "Learning rate too small. Stopping."),
    ],
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_epochs_without_improvement_stop_training_or_lower_the_rate(
    schedule, rate, stops, rate_after, says, early_stopping, capsys
):
    history = History(early_stopping, no_improvement_count=2)
    optimizer = OptimizerState("nesterov", None, rate)
    options = Options(**vars(OPTIONS) | {"verbose": True})
    assert not is_to_stop(history, options, SCHEDULES[schedule], optimizer)
    assert capsys.readouterr().out == ""
    history.no_improvement_count = 3
    assert is_to_stop(history, options, SCHEDULES[schedule], optimizer) == stops
    assert optimizer.learning_rate == rate_after
    assert history.no_improvement_count == (3 if stops else 0)
    subject = "Validation score" if early_stopping else "Training loss"
    assert capsys.readouterr().out == (
        f"{subject} did not improve more than tol=0.100000 for 2 consecutive epochs. {says}\n"
    )
