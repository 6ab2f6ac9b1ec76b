"""What fastdnn relies on of numba's inside, each with what it gains and what is done without.

numba promises none of it. `ASSUMPTIONS` is the list. Each row is looked at once in a process,
before it is first relied on, and all when something is first compiled: what it names has to be
there, and its probe, if it has one, to succeed. A row that fails costs a line of the log and
its gain, but no fit.

What is not in the list numba documents, or there would be no compiled code at all without it:
`njit`, `intrinsic`, `overload`, types, and the tools that intrinsics emit instructions with.
"""

import functools
import importlib
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numba

logger = logging.getLogger("fastdnn")

_CODEGEN = "numba.core.codegen.CPUCodeLibrary"


class Assumption(NamedTuple):
    """Something that numba does not promise.

    Attributes
    ----------
    what : str
        What is assumed.
    names : tuple of str
        What has to be there.
    gains : str
        What relying on it gains.
    without : str
        What is done where it does not hold, for the log.
    probe : callable or None
        Raises where it does not hold.
    """

    what: str
    names: tuple[str, ...]
    gains: str
    without: str
    probe: Callable[[], object] | None = None


_SLOW = "Kernels are compiled as numba does it, which takes several times as long"

#: The rows. Those whose names begin with "kernels" hold together or not at all.
ASSUMPTIONS = {
    "kernels without machine code": Assumption(
        "a library's methods optimise and finish it, and it keeps what it is linked with",
        (
            *(f"{_CODEGEN}._optimize_{what}" for what in ("functions", "final_module")),
            *(f"{_CODEGEN}._finalize_{what}" for what in ("final_module", "dynamic_globals")),
            f"{_CODEGEN}._ensure_finalized",
            "numba.core.codegen.JITCodeLibrary",
            "numba.core.compiler.Flags.no_compile",
        ),
        "kernels are optimised once, as a part of their entry point, and not twice",
        _SLOW,
    ),
    "kernels offered to callers": Assumption(
        "a function without machine code can be made and offered to compiled callers",
        (
            "numba._dynfunc.make_function",
            "numba.core.base.BaseContext.insert_user_function",
            "numba.core.base.BaseContext.subtarget",
            "numba.core.compiler._LowerResult._replace",
        ),
        "as above: without machine code there is nothing that numba would offer by itself",
        _SLOW,
    ),
    "kernels in numba's order of passes": Assumption(
        "types are annotated, then code is made; passes can be added behind both",
        (
            "numba.core.typed_passes.AnnotateTypes",
            "numba.core.typed_passes.NativeLowering",
            "numba.core.compiler_machinery.PassManager.add_pass_after",
            "numba.core.compiler_machinery.AnalysisPass",
            "numba.core.compiler_machinery.register_pass",
            "numba.core.compiler.DefaultPassBuilder.define_nopython_pipeline",
            "numba.core.compiler.Flags.noalias",
        ),
        "as above, and loops that need not compare the addresses of their arrays",
        _SLOW,
    ),
    "kernels of types, not constants": Assumption(
        "a dispatcher finds by get_call_template what to call for types and constants",
        (
            "numba.core.dispatcher.Dispatcher.get_call_template",
            "numba.core.types.misc.unliteral",
            "numba.core.types.containers.Tuple",
        ),
        "a kernel is not compiled anew for each constant that it is called with",
        _SLOW,
    ),
    "kernels compiled both ways are the same": Assumption(
        "what fastdnn changes in numba's compiler changes no bit of a result",
        (),
        "nothing: it is what all of the above have to fulfil",
        _SLOW,
        lambda: _get("fastdnn.compiler.kernel_probe.compare")(),
    ),
    "signatures": Assumption(
        "a copy of the typing context shares its tables and may find functions its own way",
        (
            "numba.core.typing.Context.resolve_value_type",
            "numba.core.types.Function.get_call_type",
        ),
        "what numba finds out about an operator it finds out once for some types",
        "Compilation takes longer",
        lambda: _get("fastdnn.compiler.remembering.probe")(),
    ),
    "passes": Assumption(
        "a pipeline's passes are pairs that begin with the pass, and some have known names",
        ("numba.core.compiler.StateDict",),
        "passes for what kernels do not contain are left out",
        "Compilation takes longer",
        lambda: _get("fastdnn.compiler.kernel_compiler.probe_passes")(),
    ),
    "stored code": Assumption(
        "what a dispatcher's _cache is given can be stored by _reduce and read by _rebuild",
        (
            "numba.core.compiler.CompileResult._reduce",
            "numba.core.compiler.CompileResult._rebuild",
            "numba.core.serialize.dumps",
        ),
        "later processes compile nothing",
        "Nothing is stored: each process compiles what it calls",
    ),
    "runtime": Assumption(
        "numba's runtime can be started alone",
        ("numba.core.runtime.rtsys.initialize",),
        "a process that loads compiled code does not load what numba compiles by: 0.6 s",
        "Processes start more slowly",
    ),
    "linking": Assumption(
        "a library gives what callers are linked with by _get_module_for_linking",
        (f"{_CODEGEN}._get_module_for_linking",),
        "wheels can bring machine code without LLVM's bitcode, which is twice as long",
        "Compiled code that a wheel has brought is not used",
    ),
    "lock": Assumption(
        "numba's compilations wait for each other by an RLock",
        ("numba.core.compiler_lock.global_compiler_lock._lock.acquire",),
        "a compilation that waits for another can be interrupted, and a child process that is "
        "forked during one can compile",
        "Interrupts may wait for a compilation, and processes forked meanwhile may hang",
    ),
}
# What only kernels in the quick way rely on, but they need not.
_OF_KERNELS = "signatures", "passes"


def find(name: str, otherwise: Any = None) -> Any:  # needs jit
    """Return an object by the name of its module and its own, or `otherwise`."""
    try:
        return _get(name)
    except (ImportError, AttributeError):
        return otherwise


def _get(name: str) -> Any:  # needs jit
    """Return an object by its full name.

    Raises
    ------
    ImportError, AttributeError
        If there is none.
    """
    parts = name.split(".")
    found, n_parts = importlib.import_module(parts[0]), 1
    for n_parts, part in enumerate(parts[1:], start=2):
        if not hasattr(found, part):
            try:
                importlib.import_module(".".join(parts[:n_parts]))
            except ModuleNotFoundError:
                pass  # then it has to be an attribute
        found = getattr(found, part)
    return found


@functools.cache
def holds(name: str) -> bool:  # needs jit
    """Whether a row holds, which is looked at once; where not, the log says so."""
    row = ASSUMPTIONS[name]
    try:
        for each in row.names:
            _get(each)
        if row.probe is not None:
            row.probe()
    except Exception as error:  # a probe compiles: anything can go wrong
        logger.warning(
            "numba %s is not what fastdnn relies on, that %s (%s: %s). %s.",
            *(numba.__version__, row.what, type(error).__name__, error, row.without),
        )
        return False
    return True


def kernels_hold() -> bool:  # needs jit
    """Whether kernels can be compiled in the quick way."""
    return all(holds(name) for name in ASSUMPTIONS if name.startswith("kernels"))


@functools.cache
def examine() -> None:  # needs jit
    """Look at all rows, before something is compiled."""
    left_out = () if kernels_hold() else _OF_KERNELS
    for name in ASSUMPTIONS:
        if not name.startswith(("kernels", *left_out)):
            holds(name)
