"""The one place that knows numba: its options, its compile cache, and whether it is on.

Four decorators make every compiled function of the package:

- `kernel`: called from other compiled code only; never cached alone, because the entry
  point that calls it carries its machine code;
- `loop_kernel`: a `kernel` that loops over arrays which do not overlap;
- `entry_point`: called from Python, so cached on disk;
- `strict_kernel`: a `kernel` whose floating-point expressions keep their order.

numba's own cache looks only at the file that holds the function, so an edit in another
kernel file would run stale code. Here the cache folder is named after a hash of every
kernel source; it belongs to the user alone (the files are pickles); a damaged entry is
compiled again with a warning; and where no safe folder exists there is no cache.
"""

import functools
import gc
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
from numba import _dynfunc
from numba.core import caching, compiler, config, types
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.runtime import rtsys
from numba.core.typed_passes import AnnotateTypes, NativeLowering
from numba.extending import intrinsic, overload

logger = logging.getLogger("fastdnn")

#: False under ``NUMBA_DISABLE_JIT=1``: every kernel is then plain Python.
JIT_ENABLED = not config.DISABLE_JIT
#: True under ``NUMBA_BOUNDSCHECK=1``: every array access is then checked.
BOUNDS_CHECKED = bool(config.BOUNDSCHECK)

# "nnan" and "ninf" are left out on purpose: they would let LLVM delete NaN checks.
_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
# Reassociation would cancel the compensated steps of the elementary functions.
_STRICT_OPTIONS = _OPTIONS | {"fastmath": {"contract", "nsz"}}


@register_pass(mutates_CFG=False, analysis_only=True)
class _StartUnfinishedLibrary(AnalysisPass):  # needs jit
    """Opens a code library that is neither optimised nor made into machine code.

    numba optimises every function, with all that it calls inlined, and then again as a
    part of each caller. A kernel is called from compiled code only, so once is enough: as
    a part of its entry point. Cold compilation takes less than half the time.
    """

    _name = "fastdnn_start_unfinished_library"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        codegen = state.targetctx.codegen()
        library = codegen.create_library(state.func_id.func_qualname)

        def keep_layout(module: Any) -> None:
            module.data_layout = codegen._data_layout

        def mark_finished() -> None:
            library._finalize_dynamic_globals()
            library._finalized = True

        library._optimize_functions = keep_layout
        library._optimize_final_module = lambda: None
        library._finalize_final_module = mark_finished
        state.library = library
        state.flags.no_compile = True
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class _OfferToCallers(AnalysisPass):  # needs jit
    """Registers the unfinished library under a function without machine code."""

    _name = "fastdnn_offer_to_callers"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        lowered = state["cr"]
        function = _dynfunc.make_function(
            lowered.fndesc.lookup_module(),
            state.func_id.func_name,
            "A kernel for compiled callers.",
            0,  # no machine code of its own: see _KernelDispatcher
            lowered.env,
            (state.library,),
        )
        state.library._ensure_finalized()
        state.targetctx.insert_user_function(function, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=function)
        return False


class _KernelCompiler(compiler.CompilerBase):  # needs jit
    _arrays_are_apart = False

    def define_pipelines(self) -> list:
        self.state.flags.noalias = self._arrays_are_apart
        pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(_StartUnfinishedLibrary, AnnotateTypes)
        pipeline.add_pass_after(_OfferToCallers, NativeLowering)
        pipeline.finalize()
        return [pipeline]


class _LoopCompiler(_KernelCompiler):
    _arrays_are_apart = True


_KERNEL_OPTIONS = {
    "pipeline_class": _KernelCompiler,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_LOOP_OPTIONS = _KERNEL_OPTIONS | {"pipeline_class": _LoopCompiler}


class _KernelDispatcher(Dispatcher):  # needs jit
    """A compiled function that Python cannot call, since it has no machine code."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"the kernel {self.py_func.__qualname__} can be called from compiled code only"
        )


def _compile(function: Callable, options: dict) -> Any:
    dispatcher = numba.njit(**options)(function)
    if JIT_ENABLED:  # needs jit
        dispatcher.__class__ = _KernelDispatcher
    return dispatcher


def kernel(function: Callable) -> Any:
    """Compile `function` for use inside other compiled functions only."""
    return _compile(function, _OPTIONS | _KERNEL_OPTIONS)


def loop_kernel(function: Callable) -> Any:
    """Compile a `kernel` whose array arguments do not overlap, as LLVM is then told.

    Without that word every loop starts with a comparison of all addresses. Not for code
    that other threads write to in between.
    """
    return _compile(function, _OPTIONS | _LOOP_OPTIONS)


def strict_kernel(function: Callable) -> Any:
    """Compile `function` like `kernel`, keeping the order of its operations."""
    return _compile(function, _STRICT_OPTIONS | _KERNEL_OPTIONS)


def entry_point(function: Callable) -> Any:
    """Compile `function` at its first call from Python and cache the result on disk."""
    dispatcher = numba.njit(**_OPTIONS)(function)
    if JIT_ENABLED:  # needs jit
        dispatcher._cache = _KernelCache(function)
        dispatcher.compile = _without_collector(dispatcher.compile)
    return dispatcher


def _without_collector(compile_: Callable) -> Callable:  # needs jit
    """Keep Python's garbage collector from walking through a compilation's many objects."""

    @functools.wraps(compile_)
    def compile_quickly(*args: Any, **kwargs: Any) -> Any:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return compile_(*args, **kwargs)
        finally:
            if was_enabled:
                gc.enable()

    return compile_quickly


def emitted(definition: Callable) -> Any:  # needs jit
    """Make a function of compiled code whose LLVM instructions `definition` emits."""
    return intrinsic(definition)


def by_precision(single: Any, double: Any) -> Any:
    """Join a float32 and a float64 scalar kernel under one name.

    The choice is made from the argument's type when the caller is compiled.
    """

    def choose(x):
        return single(x) if isinstance(x, np.float32) else double(x)

    if JIT_ENABLED:  # needs jit

        @overload(choose, jit_options=_STRICT_OPTIONS | _KERNEL_OPTIONS)
        def _choose(x):
            return single.py_func if x == types.float32 else double.py_func

    return choose


def select(kernels: list) -> Any:
    """Join `kernels` into one that takes the position of the one to call first.

    Compiled code cannot be cached when it receives functions as arguments, so a table of
    kernels becomes a chain of comparisons, made once from the table, four to a link.
    """
    return _link(list(kernels), 0)


def _link(kernels: list, position: int) -> Any:
    first, second, third, *rest = kernels + kernels[-1:] * 3
    last = _link(rest[:-3], position + 3) if len(kernels) > 4 else rest[0]
    at_end = len(kernels) <= 4  # a constant of the closure: numba drops one branch

    def call(code, *args):
        if code == position:
            return first(*args)
        if code == position + 1:
            return second(*args)
        if code == position + 2:
            return third(*args)
        if at_end:
            return last(*args)
        return last(code, *args)

    return kernel(call)


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


class _KernelCacheImpl(caching.CompileResultCacheImpl):
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


class _KernelCache(caching.FunctionCache):  # needs jit
    """numba's function cache, safe against other users, damage and full disks."""

    _impl_class = _KernelCacheImpl

    def __init__(self, py_func: Callable) -> None:
        super().__init__(py_func)
        self._cache_file = _CheckedCacheFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        loaded = None
        if _cache_directory() is not None:
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
        if _cache_directory() is None:
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
    for path in [Path(__file__), *sorted((package / "kernels").glob("*.py"))]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    settings = (numba.__version__, np.__version__, sys.version_info[:3], BOUNDS_CHECKED)
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
def _cache_directory() -> Path | None:  # needs jit
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
            "fastdnn is compiling for this machine: about ten seconds, once per version."
        )
