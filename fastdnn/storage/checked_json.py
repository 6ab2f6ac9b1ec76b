"""JSON from untrusted files: parsed with limits, and checked against a schema."""

import json as _json
import math
import re
from typing import Any

# Depth at which a text cannot be one of ours: Python's parser is recursive.
_MOST_NESTED = 8
# Strings, whose brackets do not count, and brackets. Possessive: nothing is tried twice.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


def dump(value: Any) -> bytes:
    """Return the JSON text of a value, in ASCII and without spaces."""
    return _json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def parse(text: str) -> Any:
    """Return what a JSON text says.

    Raises
    ------
    ValueError
        If it is not JSON (NaN and Infinity are not), is nested deeply, or an object has a
        key twice.
    """
    depth = 0
    for token in _BRACKETS.finditer(text):
        first = text[token.start()]
        depth += (first in "[{") - (first in "]}")
        if depth > _MOST_NESTED:
            raise ValueError(f"it is nested more than {_MOST_NESTED} deep")
    return _json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it has {shown(key)} twice")
        found[key] = value
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def shown(value: Any) -> str:
    """Return a value for a message: in ASCII, so that nothing in it can disguise itself."""
    try:
        text = ascii(value)
    except ValueError:  # an integer of more digits than Python prints
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}..."


_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}


def check(value: Any, schema: dict, name: str) -> None:
    """Raise ValueError unless a parsed value agrees with a schema.

    Parameters
    ----------
    value : object
        From `parse`.
    schema : dict
        A JSON Schema of the keywords below. Integers are those without a point.
    name : str
        What the value is, for the message.

    Raises
    ------
    ValueError
        If it does not; the message says where.
    """
    if "anyOf" in schema:
        options, problems = schema["anyOf"], []
        # Of another type is no option that could have been meant, if there is one of this.
        meant = [option for option in options if type(value) in _TYPES[option["type"]]]
        for option in meant or options:
            try:
                check(value, option, name)
            except ValueError as problem:
                problems.append(str(problem))
            else:
                return
        raise ValueError("; or ".join(problems))
    if "type" in schema and type(value) not in _TYPES[schema["type"]]:
        raise ValueError(f"{name}={shown(value)} must be of type {schema['type']}")
    if "enum" in schema and value not in schema["enum"]:
        raise ValueError(f"{name}={shown(value)} must be one of {schema['enum']}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, schema, name)
    elif isinstance(value, str) and "pattern" in schema:
        if not re.fullmatch(schema["pattern"].removeprefix("^").removesuffix("$"), value):
            raise ValueError(f"{name}={shown(value)} must match {schema['pattern']}")
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            raise ValueError(f"{name} must have {schema['minItems']} items or more")
        if len(value) > schema.get("maxItems", len(value)):
            raise ValueError(f"{name} must have {schema['maxItems']} items or fewer")
        for position, item in enumerate(value):
            check(item, schema.get("items", {}), f"{name}[{position}]")
    elif isinstance(value, dict):
        _check_object(value, schema, name)


def _check_number(value: float, schema: dict, name: str) -> None:
    try:
        is_finite = schema.get("type") == "integer" or math.isfinite(value)  # 1e999 is not
    except OverflowError:
        is_finite = False
    if not is_finite:
        raise ValueError(f"{name}={shown(value)} is too large")
    if value < schema.get("minimum", value):
        raise ValueError(f"{name}={shown(value)} must be {schema['minimum']} or more")
    if value > schema.get("maximum", value):
        raise ValueError(f"{name}={shown(value)} must be {schema['maximum']} or less")


def _check_object(value: dict, schema: dict, name: str) -> None:
    properties = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in value:
            raise ValueError(f"{name} lacks {key!r}")
    for key, item in value.items():
        inner = properties.get(key, schema.get("additionalProperties"))
        if inner is False or inner is None:
            raise ValueError(f"{name} has {shown(key)}, which is unknown")
        check(item, inner, f"{name}.{key}" if key in properties else shown(key))
