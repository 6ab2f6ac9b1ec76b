"""The hyperparameters of the estimators: what they are told, and who is told it.

`fastdnn.models.declarations` declares each of them once; the signatures, which are compared by
a test, the docstrings, the validation and the options of training all follow from that.
"""

import functools
import inspect
import textwrap
from typing import Any, TypeVar

from fastdnn.models.declarations import ROWS, Hyperparameter
from fastdnn.training.options import Options

_T = TypeVar("_T", bound=Any)
# Columns of a docstring, and what its lines are indented by.
_WIDTH, _INDENT = 90, "    "


@functools.cache
def hyperparameters_of(estimator: str) -> dict[str, Hyperparameter]:
    """Return the rows of an estimator, by its name, in the order of its signature."""
    return {row.name: row for row in ROWS if estimator in row.estimators}


def constraints_of(estimator: str) -> dict[str, list]:
    """Return which values the parameters of an estimator may have, for scikit-learn."""
    return {name: row.values.constraint for name, row in hyperparameters_of(estimator).items()}


@functools.cache
def options_told(solver: str) -> list[str]:
    """Return the names of what training with a solver is told."""
    told = "training", "lbfgs" if solver == "lbfgs" else "stochastic"
    return [row.name for row in ROWS if row.told in told]


def training_options(estimator: Any) -> Options:
    """Return what training is told of the parameters of an estimator."""
    names = options_told(estimator.solver)
    return Options(**{name: getattr(estimator, name) for name in names})


def documented(estimator: _T) -> _T:
    """Write what is declared of its hyperparameters into the docstring of a class.

    It takes the place of the line ``{parameters}``. The class has it as `_hyperparameters`.
    """
    if estimator.__doc__ is not None:  # there is none with python -OO
        lines = []
        for name, row in estimator._hyperparameters.items():
            lines.append(f"{_INDENT}{name} : {row.values.kind}, default={row.default!r}")
            lines += textwrap.wrap(
                row.text,
                _WIDTH,
                initial_indent=2 * _INDENT,
                subsequent_indent=2 * _INDENT,
                break_long_words=False,
                break_on_hyphens=False,
            )
        given = inspect.cleandoc(estimator.__doc__)
        given = textwrap.indent(given, _INDENT).strip()
        estimator.__doc__ = given.replace(f"{_INDENT}{{parameters}}", "\n".join(lines))
    return estimator
