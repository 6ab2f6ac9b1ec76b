"""The parameter `scoring`: what early stopping is decided by, and what is recorded."""

import pickle

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import average_precision_score, get_scorer, make_scorer, roc_auc_score

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.estimators.scorers import metrics_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(1)
X = RNG.normal(size=(240, 5))
Y = np.array(["no", "yes"])[(X[:, 0] + 0.5 * RNG.normal(size=240) > 0).astype(int)]
T = X[:, 0] - 0.5 * X[:, 1] ** 2
X_VAL, Y_VAL, T_VAL = X[200:], Y[200:], T[200:]
WIDE = np.zeros((240, 3))  # nothing looks at it
WEIGHT = RNG.uniform(0.0, 2.0, 40)
SMALL = dict(hidden_layer_sizes=(6,), random_state=0, batch_size=40, learning_rate_init=0.02)


def by_epoch(model, n_epochs, measure):
    """Return what is measured after each of some calls of partial_fit."""
    model, found = clone(model).set_params(early_stopping=False), []
    first = {"classes": np.unique(Y)} if isinstance(model, DNNClassifier) else {}
    for _ in range(n_epochs):
        model.partial_fit(X[:200], Y[:200] if first else T[:200], **first)
        found.append(measure(model))
    return found


@pytest.mark.parametrize("name", ["roc_auc", "neg_log_loss", "balanced_accuracy", "f1_macro"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix])
def test_scores_are_those_of_the_scorer_after_each_epoch(name, weight, as_given):
    model = DNNClassifier(**SMALL, shuffle=False, max_iter=5, scoring=name, dtype="float64")
    model.fit(
        as_given(X[:200]),
        Y[:200],
        X_val=as_given(X_VAL),
        y_val=Y_VAL,
        sample_weight_val=weight,
    )
    scorer, weights = get_scorer(name), {} if weight is None else {"sample_weight": weight}
    expected = by_epoch(model, 5, lambda m: scorer(m, X_VAL, Y_VAL, **weights))
    assert_allclose(model.validation_scores_, expected, rtol=1e-12)
    assert model.history_["validation_score"] == model.validation_scores_


@pytest.mark.slow_without_jit
@pytest.mark.parametrize(
    ("scoring", "sign", "measure"),
    [
        ("neg_mean_absolute_error", 1, lambda m: -np.abs(m.predict(X_VAL) - T_VAL).mean()),
        ("loss", -1, lambda m: 0.5 * np.square(m.predict(X_VAL) - T_VAL).mean()),
        (None, 1, lambda m: m.score(X_VAL, T_VAL)),
    ],
)
def test_training_stops_on_it_and_keeps_the_best(scoring, sign, measure):
    options = SMALL | dict(shuffle=False, max_iter=500, n_iter_no_change=4, tol=0.0)
    model = DNNRegressor(**options, early_stopping=True, scoring=scoring, dtype="float64")
    model.fit(X[:200], T[:200], X_val=X_VAL, y_val=T_VAL)
    assert model.n_iter_ < 500
    expected = by_epoch(model, model.n_iter_, measure)
    assert_allclose(sign * np.array(model.validation_scores_), expected, rtol=1e-10)
    best = max(model.validation_scores_)
    assert model.best_validation_score_ == best
    assert_allclose(sign * measure(model), best, rtol=1e-10)
    assert np.argmax(model.validation_scores_) == model.n_iter_ - 1 - 5


def test_of_several_the_first_decides_and_all_are_recorded():
    options = SMALL | dict(max_iter=300, n_iter_no_change=3, early_stopping=True)
    names = ["neg_log_loss", "accuracy", "loss", "roc_auc"]
    model = DNNClassifier(**options, scoring=names).fit(X, Y)
    alone = DNNClassifier(**options, scoring="neg_log_loss").fit(X, Y)
    assert model.validation_scores_ == alone.validation_scores_
    assert_array_equal(model.coefs_[0], alone.coefs_[0])
    table = model.history_
    assert list(table) == [
        *("epoch", "loss", "learning_rate", "seconds", "n_samples"),
        *("validation_loss", "validation_score", "validation_neg_log_loss"),
        *("validation_accuracy", "validation_roc_auc"),
    ]
    assert table["validation_neg_log_loss"] == model.validation_scores_
    assert_allclose(
        table["validation_loss"], -np.array(table["validation_neg_log_loss"]), rtol=1e-5
    )
    assert table["validation_loss"] == model.validation_loss_curve_


def test_scores_have_names_in_a_dict():
    def first(estimator, X, y):
        return 0.25

    scoring = {"mine": first, "auc": "roc_auc", "minus": "loss"}
    model = DNNClassifier(**SMALL, max_iter=2, scoring=scoring)
    model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    table = model.history_
    assert table["validation_mine"] == model.validation_scores_ == [0.25, 0.25]
    assert table["validation_minus"] == [-loss for loss in table["validation_loss"]]
    listed = DNNClassifier(**SMALL, max_iter=2, scoring=(first, "roc_auc"))
    listed.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert listed.history_["validation_first"] == [0.25, 0.25]
    assert listed.history_["validation_roc_auc"] == table["validation_auc"]


class Seen:
    """A scorer that notes what it is given."""

    def __init__(self):
        self.calls = []

    def __call__(self, estimator, X, y, sample_weight=None):
        self.calls.append((estimator, X, y, sample_weight, estimator.predict(X)))
        return float(len(self.calls))


def test_a_function_is_given_what_fit_was_and_a_network_that_predicts_anything():
    pd = pytest.importorskip("pandas")
    frame, frame_val = (pd.DataFrame(table, columns=list("abcde")) for table in (X, X_VAL))
    seen = Seen()
    model = DNNClassifier(**SMALL, max_iter=2, scoring=seen)
    model.fit(frame, Y, X_val=frame_val, y_val=Y_VAL, sample_weight_val=WEIGHT)
    assert len(seen.calls) == 2
    for view, given, y, weight, predicted in seen.calls:
        assert type(view) is DNNClassifier and given is frame_val
        assert_array_equal(y, Y_VAL)
        assert_array_equal(weight, WEIGHT)
        assert set(predicted) <= set(Y)
    # The network of the last epoch, on rows that are not those to validate on.
    view = seen.calls[-1][0]
    assert_array_equal(view.predict_proba(frame[:7]), model.predict_proba(frame[:7]))
    with pytest.raises(ValueError, match="feature names"):
        view.predict(frame[["a", "b", "c"]])


@pytest.mark.parametrize("given", [True, False], ids=["given", "held out"])
def test_validation_rows_are_validated_once(monkeypatch, given):
    seen, validate = [], DNNClassifier._validate_for_prediction

    def counting(self, table):
        seen.append(table)
        return validate(self, table)

    monkeypatch.setattr(DNNClassifier, "_validate_for_prediction", counting)
    model = DNNClassifier(**SMALL, max_iter=3, scoring=["roc_auc", "accuracy"])
    model.set_params(early_stopping=not given)
    model.fit(X, Y, **dict(X_val=X_VAL.tolist(), y_val=Y_VAL) if given else {})
    assert len(model.history_["validation_roc_auc"]) == 3
    assert not seen
    model.predict(X)
    assert len(seen) == 1


def test_held_out_rows_are_those_of_the_table_that_was_given():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(1000, 1240))
    seen = Seen()
    model = DNNRegressor(**SMALL, max_iter=2, scoring=seen, early_stopping=True)
    model.fit(frame, pd.Series(T, index=frame.index), sample_weight=np.arange(1.0, 241.0))
    view, given, y, weight, _ = seen.calls[0]
    assert list(given.columns) == list("abcde") and len(given) == 24
    rows = given.index.to_numpy() - 1000
    assert_allclose(y, T[rows])
    assert_allclose(weight, 1.0 + rows)
    assert_allclose(view.predict(given), model.predict(given), rtol=1e-3)


class Keeping:
    """A scorer that pickles what it is given."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, estimator, X, y):
        path = self.folder / f"{len(list(self.folder.iterdir()))}.pickle"
        path.write_bytes(pickle.dumps(estimator))
        return 0.0


def test_a_scorer_may_save_what_it_is_given(tmp_path):
    model = DNNClassifier(**SMALL, max_iter=3, scoring=Keeping(tmp_path))
    model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    last = pickle.loads((tmp_path / "2.pickle").read_bytes())
    assert_array_equal(last.predict_proba(X), model.predict_proba(X))
    assert "_validate_for_prediction" not in vars(last)


def test_metrics_without_weights_are_asked_without():
    def gap(y_true, y_pred):
        return float(np.abs(y_true - y_pred).max())

    scorer = make_scorer(gap, greater_is_better=False)
    model = DNNRegressor(**SMALL, shuffle=False, max_iter=3, scoring=scorer, dtype="float64")
    model.fit(X[:200], T[:200], X_val=X_VAL, y_val=T_VAL, sample_weight_val=WEIGHT)
    expected = by_epoch(model, 3, lambda m: -np.abs(m.predict(X_VAL) - T_VAL).max())
    assert_allclose(model.validation_scores_, expected)


def test_scorers_work_with_metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        model = DNNClassifier(**SMALL, shuffle=False, max_iter=3, scoring="roc_auc")
        model.set_params(dtype="float64")
        model.fit(X[:200], Y[:200], X_val=X_VAL, y_val=Y_VAL, sample_weight_val=WEIGHT)
    expected = by_epoch(
        model,
        3,
        lambda m: roc_auc_score(Y_VAL, m.decision_function(X_VAL), sample_weight=WEIGHT),
    )
    assert_allclose(model.validation_scores_, expected)


def test_several_labels_and_several_targets_are_scored():
    labels = (X[:, :3] > 0).astype(int)
    model = DNNClassifier(**SMALL, max_iter=3, scoring="average_precision")
    model.fit(X, labels, X_val=X_VAL, y_val=labels[200:])
    found = average_precision_score(labels[200:], model.predict_proba(X_VAL))
    assert_allclose(model.validation_scores_[-1], found)
    targets = np.column_stack([T, X[:, 1]])
    model = DNNRegressor(**SMALL, max_iter=3, scoring="r2", early_stopping=True)
    model.fit(X, targets, X_val=X_VAL, y_val=targets[200:])
    assert_allclose(model.best_validation_score_, model.score(X_VAL, targets[200:]), rtol=1e-6)


# -- what cannot be ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        ("foo", r"scoring='foo': there is no scorer 'foo'"),
        (["accuracy", "foo"], r"there is no scorer 'foo'"),
        ([3], r"scoring=\[3\]: 3 is no scorer"),
        ([], r"scoring=\[\] must have one score at least"),
        ({}, r"scoring={} must have one score at least"),
        (["accuracy", "accuracy"], r"a name of its own for each score"),
        ({1: "accuracy"}, r"which is a string, got 1"),
        ({"loss": "accuracy"}, r"may not call a score 'loss'"),
        ({"score": "accuracy"}, r"may not call a score 'score'"),
        (3, r"The 'scoring' parameter of DNNClassifier must be"),
    ],
)
def test_what_is_no_scoring_is_refused_before_any_work(scoring, message):
    model = DNNClassifier((3,), scoring=scoring)
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=message):
            fit(WIDE, Y)
    assert not hasattr(model, "classes_")


def _failing(estimator, X, y):
    raise ZeroDivisionError("no luck")


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (
            _failing,
            r"scoring=<function _failing.*failed on the 24 .*DivisionError: no luck",
        ),
        (lambda estimator, X, y: "much", r"must return a number, got 'much'"),
        (lambda estimator, X, y: np.nan, r"is nan on the 24 validation samples"),
        (["accuracy", _failing], r"'_failing' failed on the 24"),
    ],
)
def test_a_scorer_that_fails_is_named(scorer, message):
    model = DNNClassifier(**SMALL, max_iter=2, early_stopping=True, scoring=scorer)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)
    assert not hasattr(model, "coefs_")


def test_a_score_that_does_not_decide_may_be_undefined():
    scoring = {"accuracy": "accuracy", "other": lambda estimator, X, y: np.float32(np.nan)}
    model = DNNClassifier(**SMALL, max_iter=2, early_stopping=True, scoring=scoring)
    assert np.isnan(model.fit(X, Y).history_["validation_other"]).all()


def test_interrupts_of_a_scorer_end_training_as_others_do():
    calls = []

    def interrupted(estimator, X, y):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.5

    model = DNNClassifier(**SMALL, max_iter=9, scoring=interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert model.n_iter_ == len(model.validation_scores_) == len(model.history_["loss"]) == 2


def test_metrics_have_names():
    assert [metric.name for metric in metrics_of(None)] == ["score"]
    assert [metric.name for metric in metrics_of(["r2", "loss", len])] == ["r2", "loss", "len"]
    assert metrics_of({"a": "loss"})[0].scorer == "loss"
