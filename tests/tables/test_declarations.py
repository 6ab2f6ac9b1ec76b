"""The declaration of the table estimators' hyperparameters."""

import inspect
import re

import pytest

from fastdnn.models.valid_values import require_valid
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from fastdnn.tables.declarations import hyperparameters_of, require_callables

BOTH = pytest.mark.parametrize("Estimator", [TabularDNNClassifier, TabularDNNRegressor])


@BOTH
def test_signatures_are_what_is_declared(Estimator):
    signature = inspect.signature(Estimator).parameters.values()
    declared = hyperparameters_of(Estimator.__name__)
    assert [(p.name, p.default) for p in signature] == [
        (name, row.default) for name, row in declared.items()
    ]


@BOTH
def test_docstrings_say_what_is_declared(Estimator):
    said = inspect.getdoc(Estimator).split("----------\n", 1)[1].split("Attributes\n---")[0]
    declared = "\n".join(
        f"{name} : {row.values.kind}, default={row.default!r}\n    {row.text}"
        for name, row in hyperparameters_of(Estimator.__name__).items()
    )
    assert re.sub(r"\s+", " ", said).strip() == re.sub(r"\s+", " ", declared)
    assert "{" not in re.sub(r"\{'[^}]*\}", "", inspect.getdoc(Estimator))


@BOTH
def test_defaults_are_valid(Estimator):
    require_valid(Estimator())


def test_only_classifiers_have_class_weights():
    both = [
        set(hyperparameters_of(f"TabularDNN{kind}")) for kind in ("Classifier", "Regressor")
    ]
    assert both[0] - both[1] == {"class_weight"}
    assert both[1] - both[0] == set()


def test_callbacks_can_be_called():
    assert require_callables(None) == []
    assert require_callables((print,)) == [print]
    with pytest.raises(ValueError, match="callbacks has 3, which cannot be called"):
        require_callables([print, 3])
