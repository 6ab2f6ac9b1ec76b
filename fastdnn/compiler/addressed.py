"""Kernels that are compiled and cached on their own, and called by address.

The engine is compiled once, whatever activations, losses and optimisers there are. Those are
kernels of their own: compiled when a network first uses one, and called through the address
that the planner has written into the network's table of operations. Compiled code that takes
functions as arguments could not be cached; an address is a number.

Which arguments a kernel takes is said by its `Form`, once for all kernels that may stand in
the same place: the compiler compares the call with it, and compiles each kernel for it.

Without JIT an address is a position in a list of Python functions.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import cgutils, errors, types

from fastdnn.compiler.jit import JIT_ENABLED, alone, emitted


def vector_of(real: Any) -> Any:
    """Return numba's type of a vector of numbers."""
    return types.Array(real, 1, "C")


def matrix(real: Any) -> Any:
    """Return numba's type of a C-contiguous matrix of numbers."""
    return types.Array(real, 2, "C")


class Form:
    """What the kernels of one table take and return.

    Parameters
    ----------
    name : str
        Of the place that they are called in.
    types_of : callable
        Takes numba's type of the numbers that a network computes in, and returns the types
        of all arguments.
    returns : type, default=void
        What they return.

    Attributes
    ----------
    call : kernel
        ``call(address, (argument, ...))`` in compiled code.
    """

    def __init__(
        self, name: str, types_of: Callable[[Any], tuple], returns: Any = types.void
    ) -> None:
        self.name, self._types_of, self._returns = name, types_of, returns
        self.call = emitted(self._definition()) if JIT_ENABLED else _call_python

    def signature(self, real: Any) -> Any:  # needs jit
        """Return the types of arguments and result where a network computes in `real`."""
        return self._returns(*self._types_of(real))

    def _fitting(self, given: tuple) -> Any:  # needs jit
        """Return the signature for the arguments of a call."""
        for real in (types.float32, types.float64):
            signature = self.signature(real)
            pairs = list(zip(given, signature.args, strict=False))
            if len(given) == len(signature.args) and all(map(_fits, pairs)):
                return signature
        raise errors.TypingError(f"a kernel for {self.name} does not take {given}")

    def _definition(self) -> Callable:  # needs jit
        """Define `call` for arguments of some types."""

        def call(typingctx: Any, address: Any, arguments: Any) -> Any:
            wanted = self._fitting(arguments.types)

            def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                pairs = zip(arguments.types, wanted.args, strict=True)
                operands = [
                    context.cast(builder, value, *pair)
                    for value, pair in zip(
                        cgutils.unpack_tuple(builder, values[1]), pairs, strict=True
                    )
                ]
                convention = context.call_conv
                kind = convention.get_function_type(wanted.return_type, wanted.args)
                pointer = builder.inttoptr(values[0], kind.as_pointer())
                status, result = convention.call_function(
                    builder, pointer, wanted.return_type, wanted.args, operands
                )
                with cgutils.if_unlikely(builder, status.is_error):
                    convention.return_status_propagate(builder, status)
                return result

            return wanted.return_type(types.intp, arguments), codegen

        return call


def _fits(pair: tuple) -> bool:  # needs jit
    given, wanted = pair
    is_integer = isinstance(given, types.Integer | types.Boolean)
    return given == wanted or (is_integer and isinstance(wanted, types.Number))


class Addressed:
    """A kernel that the engine finds by its address.

    Parameters
    ----------
    form : Form
        What it takes.
    function : callable
        To compile. Its arrays may not overlap, but for pairs that are the same.
    name : str or None
        What its code is kept by between processes, different from all others; None for a
        function from outside the package: its code is not kept.
    """

    def __init__(self, form: Form, function: Callable, name: str | None) -> None:
        #: The function as Python runs it.
        self.function: Any = getattr(function, "py_func", function)
        self.form, self.name = form, name
        self._addresses: dict[Any, int] = {}
        self._compiled: Any = alone(self.function, name) if JIT_ENABLED else None

    def address(self, dtype: np.typing.DTypeLike) -> int:
        """Return where it lies for a network that computes in `dtype`; compile it first."""
        dtype = np.dtype(dtype)
        found = self._addresses.get(dtype)
        if found is None:
            found = self._addresses[dtype] = self._find(dtype)
        return found

    def _find(self, dtype: np.dtype) -> int:
        if not JIT_ENABLED:
            _functions.append(self.function)
            return len(_functions) - 1
        signature, compiled = self.form.signature(numba.from_dtype(dtype)), self._compiled
        compiled.compile(signature)
        result = compiled.overloads[signature.args]
        return result.library.get_pointer_to_function(result.fndesc.mangled_name)


# Without JIT: the functions by their addresses. Nobody is at 0, which stands for no kernel.
_functions: list[Callable | None] = [None]


def _call_python(address: int, arguments: tuple) -> Any:
    function: Any = _functions[address]
    return function(*arguments)
