"""Compiles what the defaults of fitting and predicting call, for kinds of processors.

    python scripts/compile_kernels.py FOLDER

FOLDER is filled with what `fastdnn.compiler.shipped` reads. The kinds are this processor and,
on x86-64, those in `KINDS`, which this processor need not be able to run: for them nothing is
called.

With ``--kind``, it compiles for the processor that numba is told to, see `compile_again`.
"""

import ast
import gc
import importlib
import os
import pickle
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import llvmlite.binding as llvm
from numba.core import serialize
from numba.core.dispatcher import Dispatcher

from fastdnn.compiler import shipped
from fastdnn.compiler.cache import KernelCache
from fastdnn.compiler.entries import entry, parts_of
from fastdnn.compiler.target import Target

#: x86-64's levels 3 and 4: AVX2, and what all processors with AVX-512 but the first have.
_LEVEL_3 = (
    "64bit avx avx2 bmi bmi2 cmov crc32 cx16 cx8 f16c fma fxsr lzcnt mmx movbe popcnt sahf "
    "sse sse2 sse3 sse4.1 sse4.2 ssse3 xsave"
).split()
_LEVEL_4 = sorted([*_LEVEL_3, *(f"avx512{part}" for part in ("bw", "cd", "dq", "f", "vl"))])
#: LLVM's names of processors to compile for, with their features. Zen 4 has level 4, and
#: vectors that are taken in halves.
KINDS = {"x86-64-v3": _LEVEL_3, "x86-64-v4": _LEVEL_4, "znver4": _LEVEL_4}

# Where these are in what numba stores of a function, and in the lines of an entry's key.
_LIBRARY, _DESCRIPTION, _SIGNATURE, _ANNOTATION = 0, 1, 3, 6
_TARGET = 3

_SECONDS = 1800


def main() -> None:
    """Compile for each kind in a process of its own, and gather what they have made."""
    if sys.argv[1] == "--kind":
        compile_again(Path(sys.argv[2]))
        return
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        own = Path(temporary, "own")
        run_python("-c", "from fastdnn import _warmup; _warmup.use_defaults()", cache=own)
        caches = [own]
        if platform.machine() in ("x86_64", "AMD64"):
            for name, features in KINDS.items():
                caches.append(Path(temporary, name))
                kind = {
                    "NUMBA_CPU_NAME": name,
                    "NUMBA_CPU_FEATURES": ",".join(f"+{feature}" for feature in features),
                }
                run_python(__file__, "--kind", str(own), cache=caches[-1], **kind)
        pack(caches, folder)


def run_python(*arguments: str, cache: Path, **variables: str) -> None:
    """Run Python as it is without settings of numba's, with a cache of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
    environment |= {"FASTDNN_CACHE_DIR": str(cache), "PYTHONPATH": path, **variables}
    command = [sys.executable, *arguments]
    subprocess.run(command, env=environment, check=True, timeout=_SECONDS)


def entries_of(cache: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield the name, the key and the code of each entry."""
    for path in sorted(cache.rglob("*.code")):
        yield path.name, *parts_of(path.read_bytes())


def compile_again(cache: Path) -> None:
    """Compile what another cache holds for the processor of this process, and call nothing."""
    importlib.import_module("fastdnn._warmup")  # and with it all that is compiled
    functions = {
        tuple(function._cache.identity()): function
        for function in gc.get_objects()
        if isinstance(function, Dispatcher) and isinstance(function._cache, KernelCache)
    }
    for _, key, code in entries_of(cache):
        name, made_from, types, *_ = key.decode().split("\n")
        signature = pickle.loads(code)[_SIGNATURE]
        given = [each for each in (signature, signature.args) if repr(each) == types]
        functions[name, made_from].compile(given[0])


def pack(caches: list[Path], folder: Path) -> None:
    """Write what caches hold, without what only compilers need, as the package reads it."""
    made: dict[Target, dict[str, bytes]] = {}
    for cache in caches:
        for name, key, code in entries_of(cache):
            target = Target(*ast.literal_eval(key.decode().split("\n")[_TARGET]))
            made.setdefault(target, {})[name] = entry(key, without_bitcode(code))
    for name, content in shipped.files(made).items():
        folder.joinpath(name).write_bytes(content)


def without_bitcode(code: bytes) -> bytes:
    """Return compiled code with the names of its functions in the place of their bitcode.

    That is twice as long as the machine code, and there for other compiled code to be linked
    with. The words that say how types were found go, too: they name files.
    """
    parts = list(pickle.loads(code))
    name, kind, (machine_code, bitcode) = parts[_LIBRARY]
    described = parts[_DESCRIPTION]
    names = {
        described.mangled_name,
        described.llvm_cpython_wrapper_name,
        described.llvm_cfunc_wrapper_name,
    }
    functions = [
        f'define void @"{function.name}"() {{ unreachable }}'
        for function in llvm.parse_bitcode(bitcode).functions
        if not function.is_declaration and function.name in names
    ]
    named = llvm.parse_assembly("\n".join(functions)).as_bitcode()
    parts[_LIBRARY] = name, kind, (machine_code, named)
    parts[_ANNOTATION] = ""
    return serialize.dumps(tuple(parts))


if __name__ == "__main__":
    main()
