"""A digest of the source that compiled code is made from, wherever Python has it.

The package may lie in files, in a zip archive, or be a frozen application that has no source
at all: so modules are asked of the import system, and where it has no text, what Python
compiled from it stands for it.
"""

import functools
import hashlib
import importlib.util
import pkgutil
import sys
import types
from typing import Any

_PACKAGE = __name__.partition(".")[0]
# All that compiled code is made from: rooms, and single modules of others.
_ROOMS = tuple(f"{_PACKAGE}.{room}" for room in ("machine", "products", "ops", "engine"))
_COMPILER = "addressed", "dispatching", "jit", "kernel_compiler", "remembering", "target"
_SINGLE = (
    *(f"{_PACKAGE}.compiler.{name}" for name in _COMPILER),
    *(f"{_PACKAGE}.textbook.{name}" for name in ("activations", "layers")),
)


@functools.cache
def source_digest() -> str:  # needs jit
    """Return the digest, as 24 hexadecimal digits.

    Raises
    ------
    ImportError
        If the import system does not find a module that it has imported.
    """
    digest = hashlib.sha256()
    for name in [*_SINGLE, *_ROOMS, *(_found_modules() or _imported_modules())]:
        digest.update(f"{name}\n".encode())
        digest.update(_content_of(name))
    return digest.hexdigest()[:24]


def take_digest_early() -> None:  # needs jit
    """Take the digest now if it can be, at import: files may be replaced afterwards.

    An application that hides its modules shows them when all of them have been imported.
    """
    try:
        if _found_modules():
            source_digest()
    except (ImportError, OSError):  # said when it is needed
        pass


@functools.cache
def _found_modules() -> tuple[str, ...]:  # needs jit
    """Return all modules of the rooms, or none where the import system cannot list them."""
    found: list[str] = []
    for room in _ROOMS:
        places = _specification_of(room).submodule_search_locations or []
        modules = sorted(info.name for info in pkgutil.iter_modules(places, f"{room}."))
        if not modules:
            return ()
        found += modules
    return tuple(found)


def _imported_modules() -> list[str]:  # needs jit
    prefixes = tuple(f"{room}." for room in _ROOMS)
    names = sorted(name for name in list(sys.modules) if name.startswith(prefixes))
    if not names:
        raise ImportError(f"no modules of {', '.join(_ROOMS)} are found")
    return names


def _specification_of(name: str) -> Any:  # needs jit
    try:
        specification = importlib.util.find_spec(name)
    except ValueError as error:  # a tool has removed it
        raise ImportError(f"the module {name} is not found: {error}") from error
    if specification is None:
        raise ImportError(f"the module {name} is not found")
    return specification


def _content_of(name: str) -> bytes:  # needs jit
    loader: Any = _specification_of(name).loader
    try:
        source = loader.get_source(name)
    except (OSError, ImportError, AttributeError):
        source = None
    if source is not None:
        return source.encode("utf-8", "surrogatepass")
    code = loader.get_code(name) if hasattr(loader, "get_code") else None
    if code is None:
        raise ImportError(f"the module {name} has neither source nor code")
    return code_digest(code)


def code_digest(code: types.CodeType) -> bytes:  # needs jit
    """Return a digest of a code object, the same in every process.

    What `marshal` makes of it depends on how often objects are referred to.
    """
    digest = hashlib.sha256(code.co_code)
    names = code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    digest.update(repr((names, counts, code.co_flags, code.co_exceptiontable)).encode())
    for constant in code.co_consts:
        digest.update(_constant_digest(constant))
    return digest.digest()


def _constant_digest(constant: Any) -> bytes:  # needs jit
    if isinstance(constant, types.CodeType):
        return code_digest(constant)
    if isinstance(constant, tuple):
        return b"(" + b",".join(map(_constant_digest, constant)) + b")"
    if isinstance(constant, frozenset):  # whose order differs from process to process
        return b"{" + b",".join(sorted(map(_constant_digest, constant))) + b"}"
    return f"{type(constant).__name__} {constant!r};".encode("utf-8", "surrogatepass")
