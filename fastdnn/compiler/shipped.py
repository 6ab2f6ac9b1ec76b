"""Compiled code that the package itself brings, for kinds of processors: looked at first.

A wheel that was built for it (scripts/hatch_build.py) has entries as the cache has them in the
folder `FOLDER`, beside a list of the kinds and of the versions that they were made with. An
entry's key names its kind, so nothing is taken for the code of another. The files are a part
of the package and as trusted as its source.
"""

import functools
import json
import logging
import pkgutil
import warnings
from typing import Any

from fastdnn.compiler import entries
from fastdnn.compiler.source_digest import source_digest
from fastdnn.compiler.target import Target

logger = logging.getLogger("fastdnn")

#: Where it lies in this room, and the file in there that says what there is.
FOLDER, CONTENTS = "shipped", "contents.json"
_ROOM = __name__.rpartition(".")[0]


def contents(kinds: list[Target]) -> bytes:  # needs jit
    """Return the list of what is made here and now for some kinds of processors."""
    made = {
        "versions": entries.versions(),
        "source": source_digest(),
        "kinds": [kind._asdict() for kind in kinds],
    }
    return json.dumps(made, indent=1).encode()


@functools.cache
def targets(here: Target) -> tuple[Target, ...]:  # needs jit
    """Return the kinds of processors whose code may be used here, the best one first.

    Where there is code and none may be used, one line of the log says why.
    """
    text = _read(CONTENTS)
    if text is None:
        return ()
    try:
        found = json.loads(text)
        reason = _difference(found["versions"], found["source"])
        kinds = [Target(**kind) for kind in found["kinds"]]
    except (ImportError, OSError, ValueError, TypeError, KeyError) as error:
        reason, kinds = f"what it is cannot be read ({type(error).__name__}: {error})", []
    fitting = [kind for kind in kinds if kind.runs_on(here)]
    if not reason and not fitting:
        names = ", ".join(kind.processor for kind in kinds)
        reason = f"it was made for other processors ({names}) than this {here.processor}"
    if reason:
        logger.warning("fastdnn does not use the compiled code that it brings: %s.", reason)
        return ()
    fitting.sort(key=lambda kind: (kind.processor == here.processor, kind.n_features()))
    return tuple(fitting[::-1])


def load(name: str, key: bytes, target_context: Any) -> Any:  # needs jit
    """Return the compiled function of an entry, or None where there is none that fits."""
    stored = _read(name)
    try:
        code = None if stored is None else entries.code_in(stored, key)
        if code is None:
            return None
        loaded = entries.rebuild(code, target_context)
    except Exception as error:  # a damaged pickle can raise anything
        warnings.warn(
            f"fastdnn brings damaged compiled code ({name}, {type(error).__name__}: {error}): "
            "it is not used. Install fastdnn again.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    loaded.library._get_module_for_linking = _refuse_to_be_linked
    return loaded


def _refuse_to_be_linked() -> Any:  # needs jit
    raise RuntimeError(
        "The compiled code that fastdnn brings is called from Python or by its address; it is "
        "not there for other compiled code to be linked with."
    )


def _difference(versions: dict[str, str], source: str) -> str:  # needs jit
    """Say how what code was made with differs from what there is here; '' if it does not."""
    here = entries.versions()
    for name in {**here, **versions}:
        if here.get(name) != versions.get(name):
            return f"it was made with {name} {versions.get(name)}, here is {here.get(name)}"
    return "" if source == source_digest() else "it was made from other source"


def _read(name: str) -> bytes | None:  # needs jit
    try:
        return pkgutil.get_data(_ROOM, f"{FOLDER}/{name}")
    except OSError:  # no such file; mostly there are none
        return None
