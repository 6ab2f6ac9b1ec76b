"""Where compiled code is kept between processes: each entry names what it is the code of.

numba's own cache looks only at the file that holds the function, so an edit in another kernel
file would run stale code; it unpickles an index before anything is checked; and two processes
that store at the same time may leave an entry that holds the other's code. Here every entry
is a file of its own, named by the digest of all that it depends on, which is also written in
it and compared, behind a digest of the whole (`fastdnn.compiler.entries`). A damaged entry is
compiled again with a warning; where no safe folder exists there is no cache. What the package
itself brings is looked at first.
"""

import functools
import hashlib
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core import serialize

from fastdnn.compiler import entries, shipped
from fastdnn.compiler.assumptions import examine, holds
from fastdnn.compiler.cache_folder import Folder
from fastdnn.compiler.source_digest import code_digest, source_digest, take_digest_early
from fastdnn.compiler.target import Target

logger = logging.getLogger("fastdnn")


class KernelCache:  # needs jit
    """The cache of one function, in the form in which numba's dispatchers use it.

    Parameters
    ----------
    py_func : callable
        The function.
    name : str, optional
        What tells it from others; by default the name of the function. Functions that are
        made from others need one: what they are made from is not looked at.
    """

    def __init__(self, py_func: Callable, name: str | None = None) -> None:
        take_digest_early()
        self._function, self._is_enabled, self._given_name = py_func, True, name
        if name is None:
            name = f"{py_func.__module__.rpartition('.')[2]}.{py_func.__qualname__}"
        self._prefix = re.sub(r"[^\w.]", "_", f"{name}.")

    @property
    def cache_path(self) -> str:
        """Where entries are kept, or would be."""
        folder = _open_folder()
        return str(folder.path) if folder is not None else ""

    def enable(self) -> None:
        """Load and store from now on."""
        self._is_enabled = True

    def disable(self) -> None:
        """Neither load nor store from now on."""
        self._is_enabled = False

    def flush(self) -> None:
        """Remove the entries of this function."""
        folder = _open_folder()
        if folder is not None:
            folder.remove(self._prefix)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled function for the types `sig`, or None."""
        loaded = None
        if self._is_enabled and holds("stored code"):
            loaded = self._load_shipped(sig, target_context)
            if loaded is None:
                loaded = self._load_stored(sig, target_context)
        if loaded is None:
            _announce_compilation()
            examine()
        return loaded

    def _load_shipped(self, sig: Any, target_context: Any) -> Any:
        """Return what the package itself brings for the types `sig`, or None."""
        for kind in shipped.kinds(Target.of(target_context.codegen())):
            key = self._key(sig, kind.target)
            loaded = kind.load(self._name(key), key, target_context)
            if loaded is not None:
                return loaded
        return None

    def _load_stored(self, sig: Any, target_context: Any) -> Any:
        """Return what the folder holds for the types `sig`, or None."""
        folder = _open_folder()
        if folder is None:
            return None
        key = self._key(sig, Target.of(target_context.codegen()))
        name, loaded = self._name(key), None
        try:
            stored = folder.read(name)
            code = None if stored is None else entries.code_in(stored, key)
            if code is not None:
                loaded = entries.rebuild(code, target_context)
        except Exception as error:  # a damaged pickle can raise anything
            folder.remove(name)
            kind = "an untrusted" if isinstance(error, PermissionError) else "a damaged"
            warnings.warn(
                f"fastdnn's compile cache in {folder.path} holds {kind} entry "
                f"({type(error).__name__}: {error}); it is compiled again.",
                RuntimeWarning,
                stacklevel=2,
            )
        if loaded is not None:
            _in_use[name] = None
        return loaded

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store what was compiled for the types `sig`, where that is possible."""
        folder = _open_folder()
        if folder is None or not self._is_enabled or not holds("stored code"):
            return
        if data.library.has_dynamic_globals or any(not x.can_cache for x in data.lifted):
            return
        key = self._key(sig, Target.of(data.codegen))
        name, code = self._name(key), serialize.dumps(data._reduce())
        try:
            folder.write(name, entries.entry(key, code))
            _in_use[name] = None
        except OSError as error:  # read-only, or full
            reason = error.strerror or str(error)
            if not any(list(_in_use.values())):
                logger.warning(
                    "fastdnn cannot store compiled code in %s: %s", folder.path, reason
                )
            _in_use[name] = reason

    def identity(self) -> list[str]:
        """Return two lines: which function this is, and a digest of what it was made from."""
        function = self._function
        of_function = code_digest(function.__code__).hex()
        cells = []
        if self._given_name is None:
            cells = [cell.cell_contents for cell in function.__closure__ or ()]
        return [
            f"{self._given_name} {function.__module__}.{function.__qualname__} {of_function}",
            hashlib.sha256(serialize.dumps(cells)).hexdigest() if cells else "",
        ]

    def _key(self, sig: Any, target: Target) -> bytes:
        """Return in words all that the code of this function for these types depends on."""
        parts = [
            *self.identity(),
            repr(sig),
            repr(tuple(target)),
            source_digest(),
            repr(entries.versions()),
        ]
        return "\n".join(parts).encode("utf-8", "surrogatepass")

    def _name(self, key: bytes) -> str:
        return f"{self._prefix}{hashlib.sha256(key).hexdigest()[:32]}.code"


def _location() -> Path:  # needs jit
    """Return the folder below which code is kept."""
    chosen = os.environ.get("FASTDNN_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base.absolute()


@functools.cache
def _open_folder() -> Folder | None:  # needs jit
    """Return the folder of this source's code, made at the first call; None if unsafe."""
    # One that is named for the purpose may be a group's; what is below any that is named, as
    # in an image, others may read.
    is_chosen = bool(os.environ.get("FASTDNN_CACHE_DIR"))
    is_named = is_chosen or bool(os.environ.get("NUMBA_CACHE_DIR"))
    try:
        names = ("fastdnn", source_digest())
        return Folder(_location(), names, is_public=is_named, trusts_groups=is_chosen)
    except ImportError as error:
        logger.warning("fastdnn compiles without a cache: %s", error)
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder
        logger.warning(
            "fastdnn compiles without a cache: %s. Set FASTDNN_CACHE_DIR to a folder that "
            "you alone can write to.",
            str(error).rstrip("."),
        )
    return None


def cache_directory() -> Path | None:  # needs jit
    """Return the folder that holds compiled code, or None where there is no safe one."""
    folder = _open_folder()
    return None if folder is None else folder.path


# The entries that this process has loaded or made, with why one could not be stored.
_in_use: dict[str, str | None] = {}


def missing_entries() -> dict[str, str | None]:  # needs jit
    """Return what of the code in use a later process would not find, and why if known."""
    folder = _open_folder()
    return {
        name: reason
        for name, reason in list(_in_use.items())
        if reason is not None or folder is None or not folder.has(name)
    }


_announced = threading.Event()


def _announce_compilation() -> None:  # needs jit
    if not _announced.is_set():
        _announced.set()
        logger.warning(
            "fastdnn is compiling for this machine: 10 to 30 seconds, once per version."
        )
