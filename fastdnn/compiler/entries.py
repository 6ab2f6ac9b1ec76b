"""One stored piece of compiled code: what it is the code of, and how it is read back.

An entry is the mark, a digest of what follows, the length of the key, the key, the code. The
key says in words all that the code depends on, so that no entry is taken for another.
"""

import functools
import hashlib
import pickle
import sys
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import compiler, config

from fastdnn._version import VERSION
from fastdnn.compiler.assumptions import find, holds

_MARK, _DIGEST_BYTES, _LENGTH_BYTES = b"fastdnn code 2\n", 32, 4

# What of numba's settings its code depends on; not all versions have all of them.
_SETTINGS = (
    *("BOUNDSCHECK", "OPT", "DEBUGINFO_DEFAULT"),
    *("LOOP_VECTORIZE", "SLP_VECTORIZE", "USING_SVML"),
)


def entry(key: bytes, code: bytes) -> bytes:  # needs jit
    """Return what is stored for the code of a key."""
    content = len(key).to_bytes(_LENGTH_BYTES, "big") + key + code
    return _MARK + hashlib.sha256(content).digest() + content


def parts_of(stored: bytes) -> tuple[bytes, bytes]:  # needs jit
    """Return the key and the code of an entry.

    Raises
    ------
    ValueError
        If the entry is damaged.
    """
    mark, rest = stored[: len(_MARK)], stored[len(_MARK) :]
    digest, content = rest[:_DIGEST_BYTES], rest[_DIGEST_BYTES:]
    if mark != _MARK or hashlib.sha256(content).digest() != digest:
        raise ValueError("the stored code does not match its digest")
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "big")
    return content[_LENGTH_BYTES:start], content[start:]


def code_in(stored: bytes, key: bytes) -> bytes | None:  # needs jit
    """Return the code of an entry, or None if it is that of another key.

    Raises
    ------
    ValueError
        If the entry is damaged.
    """
    found, code = parts_of(stored)
    return code if found == key else None


def rebuild(code: bytes, target_context: Any) -> Any:  # needs jit
    """Return what numba had compiled, ready to be called."""
    # numba would first load the tables that it compiles by, a third of the time of a first
    # fit. Machine code needs its runtime functions only.
    if holds("runtime"):
        find("numba.core.runtime.rtsys").initialize(target_context)
    else:
        target_context.refresh()
    return compiler.CompileResult._rebuild(target_context, *pickle.loads(code))


@functools.cache
def versions() -> dict[str, str]:  # needs jit
    """Return what code depends on beside its source, its types and the processor.

    Of Python and NumPy it is what has a binary interface of its own: code goes through it.
    """
    return {
        "fastdnn": VERSION,
        "Python": f"{sys.implementation.cache_tag}{getattr(sys, 'abiflags', '')}",
        "NumPy": ".".join(np.__version__.split(".")[:2]),
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        **{f"numba's {name}": repr(getattr(config, name, None)) for name in _SETTINGS},
    }
