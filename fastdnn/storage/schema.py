"""The schema of what a model file says about its model: format version 2.

Files of released versions are everywhere and stay readable: they agree with this schema, too.
So whatever is added, be it a value of a parameter, is a new format version: another file
beside this one's.
"""

import functools
import json
from importlib import resources
from typing import Any

FORMAT = "fastdnn"
#: The format version that is written; older ones are read.
FORMAT_VERSION = 2


@functools.cache
def _document() -> dict[str, Any]:
    """Read the file beside this one when it is first needed, also from an archive."""
    file = resources.files(__package__) / f"model_file_{FORMAT_VERSION}.schema.json"
    return json.loads(file.read_text(encoding="utf-8"))


def metadata_schema() -> dict[str, Any]:
    """Return the schema of the texts beside the tensors."""
    return _document()["$defs"]["__metadata__"]


@functools.cache
def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each class of model, by its name."""
    found = _document()["anyOf"]
    return {schema["properties"]["class"]["enum"][0]: schema for schema in found}
