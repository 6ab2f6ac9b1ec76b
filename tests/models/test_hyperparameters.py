"""The declaration of hyperparameters, and values as users give them."""

import inspect
import re
from numbers import Real

import numpy as np
import pytest
from sklearn.utils._param_validation import Interval

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.models import hyperparameters, valid_values
from fastdnn.models.declarations import ROWS
from fastdnn.models.hyperparameters import hyperparameters_of, options_told
from fastdnn.models.valid_values import hidden_units, require_valid
from fastdnn.training.options import Options, rows_of_batch

# -- one declaration ----------------------------------------------------------------------

BOTH = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])


@BOTH
def test_signatures_are_what_is_declared(Estimator):
    signature = inspect.signature(Estimator).parameters.values()
    declared = hyperparameters_of(Estimator.__name__)
    assert {p.name: p.default for p in signature} == {
        name: row.default for name, row in declared.items()
    }
    assert [p.name for p in signature] == list(declared)


@BOTH
def test_docstrings_say_what_is_declared(Estimator):
    said = inspect.getdoc(Estimator).split("----------\n", 1)[1].split("Attributes\n---")[0]
    declared = "\n".join(
        f"{name} : {row.values.kind}, default={row.default!r}\n    {row.text}"
        for name, row in hyperparameters_of(Estimator.__name__).items()
    )
    assert re.sub(r"\s+", " ", said).strip() == re.sub(r"\s+", " ", declared), declared


def test_defaults_are_valid():
    for Estimator in (DNNClassifier, DNNRegressor):
        require_valid(Estimator())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_each_is_told_to_whom_it_concerns(monkeypatch, tmp_path):
    """Solvers ask for all that they are told, and for nothing else, which they have not."""
    asked = set()

    class Recording(Options):
        def __getattribute__(self, name):
            asked.add(name)
            return super().__getattribute__(name)

    monkeypatch.setattr(hyperparameters, "Options", Recording)
    X = np.arange(600.0).reshape(300, 2) / 600.0
    for solvers in (["lbfgs"], ["adam", "sgd"]):
        asked.clear()
        for solver in solvers:
            ways = [{"learning_rate": "invscaling"}, {"early_stopping": True}]
            if solver != "lbfgs":
                schedules = "plateau", "steps"
                ways += [{"learning_rate": schedule} for schedule in schedules]
                ways.append({"checkpoint": tmp_path / "checkpoint"})
            for more in ways:
                options = {"solver": solver, "max_iter": 2, "alpha": 0.0} | more
                DNNRegressor(hidden_layer_sizes=(2,), **options).fit(X, X[:, 0])
        asked.discard("horizon")  # no hyperparameter: searches set it
        assert asked == set(options_told(solvers[0]))


def test_no_row_is_told_to_nobody():
    assert {row.told for row in ROWS} == {
        *("network", "training", "stochastic", "lbfgs", "estimator"),
    }


# -- values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "units"),
    [(3, [3]), ((4, 2), [4, 2]), ([], []), (np.array([5, 6]), [5, 6]), (np.int64(7), [7])],
)
def test_hidden_layers_are_given_in_many_ways(sizes, units):
    found = hidden_units(sizes)
    assert found == units
    assert all(type(size) is int for size in found)


@pytest.mark.parametrize("sizes", [0, (3, -1), (2.5,), ("4",)])
def test_hidden_layers_have_units(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0, got"):
        hidden_units(sizes)


@pytest.mark.parametrize(
    ("batch_size", "n_rows", "rows"), [("auto", 50, 50), ("auto", 900, 200), (7, 9, 7)]
)
def test_a_batch_has_at_most_all_rows(batch_size, n_rows, rows):
    assert rows_of_batch(batch_size, n_rows) == rows


def test_a_batch_that_is_too_large_is_clipped_with_a_warning():
    with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger"):
        assert rows_of_batch(10, 9) == 9


def test_that_warning_is_given_at_the_line_that_called_fit():
    with pytest.warns(UserWarning, match="Got `batch_size`") as caught:
        DNNClassifier((2,), batch_size=10).partial_fit(np.eye(3), [0, 1, 1], classes=[0, 1])
    assert caught[0].filename == __file__


@pytest.fixture
def nothing_remembered(monkeypatch):
    monkeypatch.setattr(valid_values, "_satisfied", {})


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("alpha", 0.0, -1.0),
        ("shuffle", True, 1.0),  # equal, but of another type
        ("max_iter", 1, 1.0),
        ("n_threads", None, 0),
        ("beta_1", np.float32(0.5), np.nan),
        ("hidden_layer_sizes", (3,), "three"),
        ("random_state", np.random.RandomState(0), "seed"),
    ],
)
def test_a_value_that_was_valid_once_excuses_no_other(
    nothing_remembered, name, valid, invalid
):
    for _ in range(2):
        require_valid(DNNClassifier(**{name: valid}))
        with pytest.raises(
            ValueError, match=f"The '{name}' parameter of DNNClassifier must be"
        ):
            require_valid(DNNClassifier(**{name: invalid}))


def test_values_are_validated_once(nothing_remembered, monkeypatch):
    seen = []

    def validate(constraints, parameters, owner):
        seen.extend(parameters)

    monkeypatch.setattr(valid_values, "validate_parameter_constraints", validate)
    require_valid(DNNClassifier(alpha=0.5))
    assert "alpha" in seen
    assert "n_threads" in seen
    seen.clear()
    require_valid(DNNClassifier(alpha=0.5, beta_1=0.25))
    assert "beta_1" in seen
    assert "alpha" not in seen


def test_few_values_are_remembered(nothing_remembered, monkeypatch):
    monkeypatch.setattr(valid_values, "_MOST_REMEMBERED", 30)
    for alpha in np.linspace(0.0, 1.0, 50):
        require_valid(DNNClassifier(alpha=alpha))
        assert len(valid_values._satisfied) <= 30


def test_values_are_validated_again_for_other_constraints(nothing_remembered):
    class Narrow(DNNClassifier):
        _parameter_constraints = DNNClassifier._parameter_constraints | {
            "alpha": [Interval(Real, 0, 1, closed="both")]
        }

    require_valid(DNNClassifier(alpha=5.0))
    with pytest.raises(ValueError, match="The 'alpha' parameter of Narrow must be"):
        require_valid(Narrow(alpha=5.0))


@pytest.mark.parametrize("value", [np.void(b"abc"), [0.1], {}], ids=str)
def test_values_without_a_hash_have_scikit_learns_message(value):
    with pytest.raises(ValueError, match="The 'alpha' parameter of DNNClassifier must be"):
        require_valid(DNNClassifier(alpha=value))
