"""Where compiled code is kept between processes: private, checked, named by its source.

numba's own cache looks only at the file that holds the function, so an edit in another
kernel file would run stale code. Here the cache folder is named after a hash of every
kernel source; it belongs to the user alone (the files are pickles); a damaged entry is
compiled again with a warning; and where no safe folder exists there is no cache.
"""

import functools
import hashlib
import logging
import os
import pickle
import stat
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numba
import numpy as np
from numba.core import caching, config
from numba.core.runtime import rtsys

logger = logging.getLogger("fastdnn")


class _SourceHashLocator(caching._CacheLocator):  # needs jit
    """Places the cache files of all entry points in one folder."""

    def __init__(self, py_func: Callable, py_file: str) -> None:
        self._py_file = py_file
        self._module = py_func.__module__

    @classmethod
    def from_function(cls, py_func: Callable, py_file: str) -> "_SourceHashLocator":
        return cls(py_func, py_file)

    def get_cache_path(self) -> str:
        return str(_cache_location())

    def get_source_stamp(self) -> str:
        return _source_hash()

    def get_disambiguator(self) -> str:
        return self._module


class _CacheImpl(caching.CompileResultCacheImpl):
    _locator_classes: ClassVar[list] = [_SourceHashLocator]


class _CheckedCacheFile(caching.IndexDataCacheFile):  # needs jit
    """Stores machine code behind its digest: a flipped bit must not run."""

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(content).digest() + content)

    def _load_data(self, name: str) -> Any:
        stored = Path(self._data_path(name)).read_bytes()
        digest, content = stored[:32], stored[32:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("the stored code does not match its digest")
        return pickle.loads(content)


class KernelCache(caching.FunctionCache):  # needs jit
    """numba's function cache, safe against other users, damage and full disks."""

    _impl_class = _CacheImpl

    def __init__(self, py_func: Callable) -> None:
        super().__init__(py_func)
        self._cache_file = _CheckedCacheFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        loaded = None
        if cache_directory() is not None:
            try:
                # numba would first load the tables that it compiles by, a third of the
                # time of a first fit. Machine code needs its runtime functions only.
                rtsys.initialize(target_context)
                loaded = self._load_overload(sig, target_context)
            except Exception as error:  # a damaged pickle can raise anything
                self._drop_index()
                warnings.warn(
                    f"fastdnn's compile cache in {self.cache_path} holds a damaged entry "
                    f"({type(error).__name__}: {error}); it is compiled again.",
                    RuntimeWarning,
                    stacklevel=2,
                )
        if loaded is None:
            _announce_compilation()
        return loaded

    def save_overload(self, sig: Any, data: Any) -> None:
        if cache_directory() is None:
            return
        try:
            super().save_overload(sig, data)
        except OSError as error:
            logger.warning("fastdnn could not store compiled code: %s", error)

    def _drop_index(self) -> None:
        try:
            os.unlink(self._cache_file._index_path)
        except OSError:
            pass


@functools.cache
def _source_hash() -> str:  # needs jit
    """Digest of all that the compiled code depends on besides the processor."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in [
        package / "_jit.py",
        package / "_kernel_compiler.py",
        Path(__file__),
        *sorted((package / "kernels").glob("*.py")),
    ]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    settings = (numba.__version__, np.__version__, sys.version_info[:3], config.BOUNDSCHECK)
    digest.update(repr(settings).encode())
    return digest.hexdigest()[:24]


def _cache_location() -> Path:  # needs jit
    """Return the folder for compiled code of this source; it may not exist yet."""
    chosen = os.environ.get("FASTDNN_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        base = Path(chosen)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fastdnn" / _source_hash()


@functools.cache
def cache_directory() -> Path | None:  # needs jit
    """Make the cache folder and return it, or None where there is no safe one."""
    try:
        directory = _cache_location()
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        for folder in (directory.parent, directory):
            if not _belongs_to_user_alone(folder):
                raise PermissionError(
                    f"{folder} can be written by other users; set FASTDNN_CACHE_DIR "
                    "to a folder of your own"
                )
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(f"{directory} is not writable")
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder
        logger.warning("fastdnn compiles without a cache: %s", error)
        return None
    return directory


def _belongs_to_user_alone(folder: Path) -> bool:  # needs jit
    if os.name != "posix":
        return True
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


_announced = threading.Event()


def _announce_compilation() -> None:  # needs jit
    if not _announced.is_set():
        _announced.set()
        logger.warning(
            "fastdnn is compiling for this machine: 10 to 30 seconds, once per version."
        )
