"""The schemas of what a model file says about its model, one for each format version.

Files of released versions are everywhere and stay readable: each agrees with the schema of its
version, and has all that this asks for. So whatever is added, be it a value of a parameter, is
a new format version: another file beside this one's.
"""

import functools
import json
from importlib import resources
from typing import Any

FORMAT = "fastdnn"
#: The format version that is written; older ones are read.
FORMAT_VERSION = 2


# The first version that knows table estimators, which have a file of their own.
_WITH_TABLE_MODELS = 2


@functools.cache
def _document(version: int, name: str = "model_file") -> dict[str, Any]:
    """Read a file beside this one when it is first needed, also from an archive."""
    file = resources.files(__package__) / f"{name}_{version}.schema.json"
    return json.loads(file.read_text(encoding="utf-8"))


def metadata_schema(version: int = FORMAT_VERSION) -> dict[str, Any]:
    """Return the schema of the texts beside the tensors."""
    return _document(version)["$defs"]["__metadata__"]


@functools.cache
def schemas(version: int = FORMAT_VERSION) -> dict[str, dict[str, Any]]:
    """Return the schema of each class of model, by its name."""
    found = list(_document(version)["anyOf"])
    if version >= _WITH_TABLE_MODELS:
        found += _document(version, "table_model")["anyOf"]
    return {schema["properties"]["class"]["enum"][0]: schema for schema in found}
