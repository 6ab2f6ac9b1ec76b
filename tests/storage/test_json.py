"""JSON that is checked before it is believed: depth, and what a schema says."""

import json
import sys

import pytest

from fastdnn.storage import checked_json


def test_depth_counts_brackets_but_not_those_in_strings():
    text = json.dumps({"a": "[" * 100, "b": '\\"[[[[' * 9, "c": [["]}"]]})
    assert checked_json.parse(text) == json.loads(text)


def test_depth_does_not_depend_on_the_recursion_limit():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(ValueError, match="nested"):
            checked_json.parse("[" * 500_000)
        with pytest.raises(ValueError, match=r"nested|JSON|Expecting|Unterminated"):
            checked_json.parse('"\\"' + "[" * 500_000)
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "integer"}, [0, -1, 2**80], [True, 1.0, "1", None, [1]]),
        ({"type": "integer", "minimum": 3, "maximum": 5}, [3, 5], [2, 6]),
        ({"type": "number"}, [0, 0.5, -1e308], [True, "1", float("inf"), 10**400]),
        ({"type": "number", "minimum": 0}, [0, 0.5], [-0.5, -1]),
        ({"type": "boolean"}, [True, False], [0, 1, "true"]),
        ({"type": "null"}, [None], [0, False, ""]),
        ({"type": "string", "enum": ["a", "inf"]}, ["a", "inf"], ["A", "", None, ["a"], {}]),
        ({"type": "string", "pattern": "^[a-f]{1,2}$"}, ["a", "ff"], ["g", "abc", "a\n", 1]),
        ({"type": "array", "items": {"type": "null"}}, [[], [None]], [[1], {}, None]),
        ({"type": "array", "minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, [None, "a"], [1, []]),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "null"}, "b": {"type": "null"}},
                "required": ["a"],
                "additionalProperties": False,
            },
            [{"a": None}, {"a": None, "b": None}],
            [{}, {"b": None}, {"a": 1}, {"a": None, "c": None}, [], ["a"]],
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            [{}, {"a": "b"}],
            [{"a": 1}, "a"],
        ),
    ],
)
def test_a_schema_is_kept_to(schema, right, wrong):
    for value in right:
        checked_json.check(value, schema, "value")
    for value in wrong:
        with pytest.raises(ValueError, match=r"value|'a'"):
            checked_json.check(value, schema, "value")
