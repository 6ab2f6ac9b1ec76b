"""The schema of what a model file says about its model: format version 1.

Files of this version are everywhere and stay readable. So whatever is added, be it a value of
a parameter, is a new format version: another file beside this one's.
"""

import json
from pathlib import Path

FORMAT = "fastdnn"
#: The format version that is written; older ones are read.
FORMAT_VERSION = 1

_FILE = Path(__file__).with_name(f"model_file_{FORMAT_VERSION}.schema.json")
_DOCUMENT = json.loads(_FILE.read_text(encoding="utf-8"))

#: The schema of the texts beside the tensors.
METADATA_SCHEMA: dict = _DOCUMENT["$defs"]["__metadata__"]

#: The schema of each class of model, by its name.
SCHEMAS: dict[str, dict] = {
    schema["properties"]["class"]["enum"][0]: schema for schema in _DOCUMENT["anyOf"]
}
