"""Activations and losses of users' own: two compiled scalar functions, checked when made."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from fastdnn.compiler.jit import kernel
from fastdnn.compiler.users_functions import (
    ImportPath,
    as_kernel,
    imported,
    path_of,
    python_function,
    require_compiled,
    stored,
)
from fastdnn.ops import activations, losses

# Differences are taken over such steps, about the cube root of eps, at so many points of a
# range that activations work in. None of the points is a round number, where kinks are.
_STEP, _N_POINTS, _RANGE = 6e-6, 61, 7.3
# What a derivative may differ by, and of what the rounding of values adds, how often.
_TOLERANCE, _ROUNDINGS = 1e-6, 8.0
# Outputs and targets that a loss is looked at, for each output activation.
_NUMBERS = (-2.71, -1.13, -0.37, 0.23, 0.59, 1.41, 3.17)
_POSITIVE = tuple(x for x in _NUMBERS if x > 0)
_PROBABILITIES = (0.013, 0.171, 0.439, 0.683, 0.897, 0.991)
# A loss may be defined for some targets only, such as positive ones.
_LEAST_DEFINED = 0.2


class OwnFunctions:
    """What `Activation` and `Loss` share: two functions of numbers, value and derivative.

    Objects are equal if functions and names are. Copies are the object itself.
    """

    _arguments: ClassVar[tuple[str, ...]]
    _also: ClassVar[tuple[str, ...]] = ()

    value: Callable
    derivative: Callable
    name: str

    def __init__(self, value: Callable, derivative: Callable, name: str | None) -> None:
        for role, function in (("value", value), ("derivative", derivative)):
            require_compiled(type(self).__name__, role, function)
        if name is not None and (not isinstance(name, str) or not name):
            raise ValueError(f"name={name!r} must be a string that is not empty, or None.")
        python: Any = python_function(value)
        self.__dict__.update(value=value, derivative=derivative, name=name or python.__name__)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{name!r} of {self!r} cannot be set: make a new {type(self).__name__}."
        )

    def _parts(self) -> tuple:
        return (
            self.value,
            self.derivative,
            self.name,
            *(getattr(self, x) for x in self._also),
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        also = "".join(f", {name}={getattr(self, name)!r}" for name in self._also)
        value, derivative = (python_function(f).__name__ for f in self._parts()[:2])
        return f"{type(self).__name__}({value}, {derivative}, name={self.name!r}{also})"

    def __copy__(self) -> "OwnFunctions":
        return self

    def __deepcopy__(self, memo: dict) -> "OwnFunctions":
        return self

    def __reduce__(self) -> tuple:
        functions = tuple(stored(function) for function in self._parts()[:2])
        return _restored, (type(self), *functions, *self._parts()[2:])

    def description(self) -> dict[str, str]:
        """Return what a file says of it: its name, and where its functions are."""
        about = {"name": self.name}
        for role, function in zip(("value", "derivative"), self._parts()[:2], strict=True):
            about[role] = path_of(function)
        return about | {name: getattr(self, name) for name in self._also}

    def _check(self, points: Iterator[tuple[float, ...]], least_defined: float) -> None:
        """Compare the derivative by the first argument with differences of the value.

        Where a value has a kink, the derivative may be anything from the difference to the
        left to that to the right.
        """
        n_points = n_defined = 0
        for first, *others in points:
            n_points += 1
            below, here, above = (
                self._number("value", (first + step, *others)) for step in (-_STEP, 0.0, _STEP)
            )
            slope = self._number("derivative", (first, *others))
            if not np.isfinite([below, here, above, slope]).all():
                continue
            n_defined += 1
            sides = (here - below) / _STEP, (above - here) / _STEP
            rounding = _ROUNDINGS * np.finfo(float).eps * max(abs(below), abs(above)) / _STEP
            margin = _TOLERANCE * max(1.0, abs(slope)) + rounding
            if not min(sides) - margin <= slope <= max(sides) + margin:
                where = self._where((first, *others))
                raise ValueError(
                    f"{self!r}: at {where} the value is {here:g} and the derivative "
                    f"{slope:g}, but differences of the value give "
                    f"{(above - below) / (2 * _STEP):g}, which is "
                    f"{abs((above - below) / (2 * _STEP) - slope):.2g} away. Correct one of "
                    "the two functions."
                )
        if n_defined < least_defined * n_points or n_defined == 0:
            raise ValueError(
                f"{self!r}: value and derivative are NaN or infinite at "
                f"{n_points - n_defined} of {n_points} points, the last at "
                f"{self._where((first, *others))}. Both must be finite there."
            )

    def _number(self, role: str, arguments: tuple[float, ...]) -> float:
        function = getattr(self, role)
        try:
            with np.errstate(all="ignore"):
                return float(function(*map(np.float64, arguments)))
        except ArithmeticError:  # a division by zero, which kernels make infinite
            return np.nan
        except Exception as error:
            # numba's messages are long; their first line says what it is about.
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ValueError(
                f"{self!r}: {role} does not return a number for {self._where(arguments)}: "
                f"{said} It must be a function of {len(arguments)} number"
                f"{'s'[: len(arguments) - 1]} that numba compiles in nopython mode."
            ) from error

    def _where(self, arguments: tuple[float, ...]) -> str:
        pairs = zip(self._arguments, arguments, strict=True)
        return ", ".join(f"{name}={x:g}" for name, x in pairs)


class Activation(OwnFunctions):
    """An activation of your own, for the parameter ``activation``: as fast as a built-in one.

    Parameters
    ----------
    value : function
        Compiled by ``numba.njit``, from a number z to the activation.
    derivative : function
        Compiled by ``numba.njit``, from the same z to the derivative.
    name : str, default=None
        What it is called in messages and files; None for the name of the function `value`.

    Raises
    ------
    ValueError
        If a function is not compiled, or the derivative is not that of the value: both are
        compared with each other at points from -7.3 to 7.3 when the object is made.

    Notes
    -----
    The functions are given float32 or float64 numbers, whichever the network computes in. A
    constant such as ``0.5`` is a float64 number, and what it is combined with becomes one:
    write ``type(z)(0.5)`` for the speed of float32. Functions of ``math`` and ``numpy`` differ
    in their last bits between systems; those of ``fastdnn.ops.elementary``, such as ``exp``,
    ``tanh`` and ``sigmoid``, do not, and are faster.

    Objects are pickled by the import path of their functions where they have one, and
    otherwise with their code. Each process compiles them when a network first uses them, in
    about half a second. A model file says their names only:
    ``fastdnn.load(path, own=[...])`` is given the objects.

    Examples
    --------
    >>> import numba
    >>> import fastdnn
    >>> @numba.njit
    ... def cube(z):
    ...     return z * z * z
    >>> @numba.njit
    ... def cube_prime(z):
    ...     return type(z)(3) * z * z
    >>> activation = fastdnn.Activation(cube, cube_prime)
    >>> fastdnn.DNNClassifier(activation=activation).activation.name
    'cube'
    """

    _arguments = ("z",)

    def __init__(
        self, value: Callable, derivative: Callable, *, name: str | None = None
    ) -> None:
        super().__init__(value, derivative, name)
        numbers = np.linspace(-_RANGE, _RANGE, _N_POINTS) + 1e-3
        self._check(((float(z),) for z in numbers), least_defined=1.0)

    @property
    def row(self) -> activations.Activation:
        """What the planner reads, as of a row of the table of activations."""
        return _row_of_activation(self.value, self.derivative)


class Loss(OwnFunctions):
    """A loss of your own, for the parameter ``loss``: as fast as a built-in one.

    The loss of a sample is the sum over its outputs.

    Parameters
    ----------
    value : function
        Compiled by ``numba.njit``, from an output a and its target y to the loss.
    derivative : function
        Compiled by ``numba.njit``, from the same numbers to the derivative by a.
    name : str, default=None
        What it is called in messages and files; None for the name of the function `value`.
    output : {'identity', 'exp', 'softplus', 'probability'}, default='identity'
        What outputs are. 'identity', 'exp' and 'softplus' are functions of what the output
        layer adds up, for `fastdnn.DNNRegressor`, which predicts them. 'probability' is for
        `fastdnn.DNNClassifier`: the probability of each class or label, with a target of 1
        where it is right, else 0; of two classes the probability of the second.

    Raises
    ------
    ValueError
        If a function is not compiled, `output` is unknown, or the derivative is not that of
        the value: both are compared with each other at some outputs and targets when the
        object is made. A loss may be NaN or infinite at most of them, if it is for others,
        such as positive targets.

    See Also
    --------
    Activation : Says how functions are best written, and what is stored of them.

    Examples
    --------
    >>> import numba
    >>> import fastdnn
    >>> @numba.njit
    ... def quartic(a, y):
    ...     return (a - y) ** 4
    >>> @numba.njit
    ... def quartic_prime(a, y):
    ...     return 4 * (a - y) ** 3
    >>> fastdnn.DNNRegressor(loss=fastdnn.Loss(quartic, quartic_prime)).loss.name
    'quartic'
    """

    _arguments = ("a", "y")
    _also = ("output",)

    output: str

    def __init__(
        self,
        value: Callable,
        derivative: Callable,
        *,
        name: str | None = None,
        output: str = "identity",
    ) -> None:
        if not isinstance(output, str) or output not in _LOOKED_AT:
            raise ValueError(f"output={output!r} must be one of {list(_LOOKED_AT)}.")
        self.__dict__["output"] = output
        super().__init__(value, derivative, name)
        outputs, targets = _LOOKED_AT[output]
        points = ((a, y) for a in outputs for y in targets)
        self._check(points, least_defined=_LEAST_DEFINED)

    def __str__(self) -> str:
        return self.name

    @property
    def row(self) -> losses.Loss:
        """What the planner reads, as of a row of the table of losses."""
        return _row_of_loss(self.value, self.derivative, self.output == "probability")


_LOOKED_AT: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "identity": (_NUMBERS, (*_NUMBERS[:-1], 2.0)),
    "exp": (_POSITIVE, (*_NUMBERS[:-1], 0.0, 2.0)),
    "softplus": (_POSITIVE, (*_NUMBERS[:-1], 0.0, 2.0)),
    "probability": (_PROBABILITIES, (0.0, 1.0)),
}


# -- rows of the tables -------------------------------------------------------------------


# Rows are kept as long as the process: the engine may be in the middle of their code.
@functools.cache
def _row_of_activation(value: Any, derivative: Any) -> activations.Activation:
    g, g_prime = as_kernel(value), as_kernel(derivative)

    def activation(z):
        return type(z)(g(z))

    def activation_prime(z):
        return type(z)(g_prime(z))

    return activations.from_input(None, kernel(activation), kernel(activation_prime))


@functools.cache
def _row_of_loss(value: Any, derivative: Any, of_classes: bool) -> losses.Loss:
    f, f_prime = as_kernel(value), as_kernel(derivative)

    def loss(a, y, c):
        return type(a)(f(a, y))

    def loss_prime(a, y, c):
        return type(a)(f_prime(a, y))

    kernels = losses.of_outputs(None, kernel(loss), kernel(loss_prime))
    return losses.Loss({}, kernels, of_classes=of_classes)


def _restored(kind: "type[OwnFunctions]", *parts: Any) -> OwnFunctions:
    """Make an object anew, without looking at its functions again."""
    made: Any = object.__new__(kind)
    functions = [
        imported(part) if isinstance(part, ImportPath) else part for part in parts[:2]
    ]
    names = ("value", "derivative", "name", *kind._also)
    made.__dict__.update(zip(names, (*functions, *parts[2:]), strict=True))
    return made
