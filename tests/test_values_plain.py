"""values_plain.py: what surely fits is what jsonschema takes."""

from __future__ import annotations

from typing import Any, Final

import pytest
from aoba_gen.values_plain import surely_fits
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

NAMES: Final = st.sampled_from("abc")
SCALARS: Final = st.sampled_from(
    [None, True, False, 0, 1, -3, 1.0, 0.5, 2**70, 1e300, "", "a", "ab", "é", "1"]
)
VALUES: Final = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
TYPES: Final = st.sampled_from("null boolean integer number string array object".split())
SMALL: Final = st.integers(0, 3)
BOUNDS: Final = st.sampled_from([-3, 0, 1, 0.5, 2**70])


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "required": st.lists(NAMES, max_size=2),
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(NAMES, inner, max_size=1),
            "items": inner | several,
            **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems"], SMALL),
            **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum"], BOUNDS),
            "pattern": st.sampled_from(["a", "^a$", "."]),
            "uniqueItems": st.booleans(),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            **dict.fromkeys(["allOf", "anyOf", "oneOf"], several),
            "not": inner,
        },
    )


SCHEMAS: Final = st.recursive(st.booleans() | TYPES.map(lambda name: {"type": name}), keywords, max_leaves=8)  # fmt: skip


@settings(max_examples=250)
@given(SCHEMAS, VALUES)
def test_what_surely_fits_is_valid(schema: Any, value: Any) -> None:
    if surely_fits(schema, value, lambda pointer: True):
        assert Draft7Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "required": ["a"], "properties": {"a": {"const": "x"}}}, {"a": "x"}),
        ({"type": "array", "items": {"$ref": "#/n"}, "maxItems": 2}, [1, 2.0]),
        ({"allOf": [{"type": ["string", "null"]}], "enum": ["a", None]}, None),
        ({"anyOf": [{"minLength": 2}, {"pattern": "^a"}]}, "a"),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": []}),
    ],
)
def test_plain_values_need_no_jsonschema(schema: Any, value: Any) -> None:
    assert surely_fits(schema, value, {"#/n": {"type": "integer", "minimum": 1}}.__getitem__)
