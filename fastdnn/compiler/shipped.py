"""Compiled code that the package itself brings, for kinds of processors: looked at first.

A wheel that was built for it (scripts/hatch_build.py) has a folder in this room: for each
kind an archive of entries as the cache has them, and a list of the kinds and of the versions
that they were made with. An entry's key names its kind, so nothing is taken for the code of
another. The files are a part of the package and as trusted as its source.
"""

import functools
import json
import logging
import pkgutil
import warnings
from typing import Any, NamedTuple

from fastdnn.compiler import entries
from fastdnn.compiler.assumptions import holds
from fastdnn.compiler.source_digest import source_digest
from fastdnn.compiler.target import Target

logger = logging.getLogger("fastdnn")

#: The folder.
FOLDER = "shipped"
_CONTENTS = "contents.json"
_ROOM = __name__.rpartition(".")[0]


class Kind(NamedTuple):
    """The code for a kind of processors.

    Attributes
    ----------
    target : Target
        The kind.
    file : str
        The archive, all entries one after the other.
    places : dict of str to pair of int
        Where in there the entry of a name begins and ends.
    """

    target: Target
    file: str
    places: dict[str, tuple[int, int]]

    def load(self, name: str, key: bytes, target_context: Any) -> Any:  # needs jit
        """Return the compiled function of an entry, or None where there is none that fits."""
        if name not in self.places:
            return None
        try:
            start, stop = self.places[name]
            code = entries.code_in(_opened(self.file)[start:stop], key)
            if code is None:
                return None
            loaded = entries.rebuild(code, target_context)
        except Exception as error:  # a damaged pickle can raise anything
            warnings.warn(
                f"fastdnn brings damaged compiled code ({name}, {type(error).__name__}: "
                f"{error}): it is not used. Install fastdnn again.",
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


def files(made: dict[Target, dict[str, bytes]]) -> dict[str, bytes]:  # needs jit
    """Return what to put into the folder for entries that are made here and now.

    Parameters
    ----------
    made : dict
        The entries of each kind, by their names.
    """
    import lzma

    found, kinds = {}, []
    for number, (target, parts) in enumerate(made.items()):
        places, stop = {}, 0
        for name, part in parts.items():
            places[name], stop = (stop, stop + len(part)), stop + len(part)
        kinds.append(Kind(target, f"{number}.xz", places))
        found[kinds[-1].file] = lzma.compress(b"".join(parts.values()), preset=9)
    contents = {
        "versions": entries.versions(),
        "source": source_digest(),
        "kinds": [kind._asdict() for kind in kinds],
    }
    return found | {_CONTENTS: json.dumps(contents).encode()}


@functools.cache
def kinds(here: Target) -> tuple[Kind, ...]:  # needs jit
    """Return the kinds of processors whose code may be used here, the best one first.

    Where there is code and none may be used, one line of the log says why.
    """
    text = _read(_CONTENTS)
    if text is None or not holds("linking"):
        return ()
    try:
        contents = json.loads(text)
        reason = _difference(contents["versions"], contents["source"])
        found = [
            Kind(Target(*kind["target"]), kind["file"], kind["places"])
            for kind in contents["kinds"]
        ]
    except (ImportError, ValueError, TypeError, KeyError) as error:
        reason, found = f"what it is cannot be read ({type(error).__name__}: {error})", []
    fitting = [kind for kind in found if kind.target.runs_on(here)]
    if not reason and not fitting:
        names = ", ".join(kind.target.processor for kind in found)
        reason = f"it was made for other processors ({names}) than this {here.processor}"
    if reason:
        logger.warning("fastdnn does not use the compiled code that it brings: %s.", reason)
        return ()
    fitting.sort(
        key=lambda kind: (kind.target.processor == here.processor, kind.target.n_features()),
        reverse=True,
    )
    return tuple(fitting)


def _difference(versions: dict[str, str], source: str) -> str:  # needs jit
    """Say how what code was made with differs from what there is here; '' if it does not."""
    here = entries.versions()
    for name in {**here, **versions}:
        if here.get(name) != versions.get(name):
            return f"it was made with {name} {versions.get(name)}, here is {here.get(name)}"
    return "" if source == source_digest() else "it was made from other source"


@functools.cache
def _opened(file: str) -> bytes:  # needs jit
    import lzma  # not all Pythons have it

    compressed = _read(file)
    if compressed is None:
        raise FileNotFoundError(f"{FOLDER}/{file} is missing")
    return lzma.decompress(compressed)


def _read(name: str) -> bytes | None:  # needs jit
    try:
        return pkgutil.get_data(_ROOM, f"{FOLDER}/{name}")
    except OSError:  # no such file; mostly there are none
        return None
