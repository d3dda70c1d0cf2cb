"""Checks: what JSON Schema says beyond Python types, held against the jsonschema library."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeAlias

import jsonschema
import pytest
from aoba_runtime import BadMessage, Checks, Message, Nullable, WireModel
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

KEYWORDS: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "const": ({"const": 1}, [1, 1.0], [True, "1", None]),
    "const of an object": ({"const": {"a": [1, True]}}, [{"a": [1.0, True]}], [{"a": [1, 1]}, {}]),
    "enum": ({"enum": [None, 0, "a", [False]]}, [None, 0, 0.0, "a", [False]], [False, [0], "b"]),
    "type": ({"type": "integer"}, [1, 1.0, -0.0, 10**30, 1e300], [1.5, True, "1"]),
    "types": ({"type": ["string", "null"]}, ["", None], [0, []]),
    "multipleOf": ({"multipleOf": 0.01}, [1.15, 0.07, 1e22, 3, "x"], [0.005, 1e-3]),
    "multipleOf of large numbers": ({"multipleOf": 3}, [3 * 10**40, 3e300], [10**40]),
    "uniqueItems": ({"uniqueItems": True}, [[1, True, "1"], [], {}], [[1, 1.0], [{"a": 1}, {"a": 1.0}]]),
    "minimum": ({"minimum": 1, "exclusiveMinimum": True}, [1.1, True], [1, 1.0, 0]),
    "exclusiveMaximum": ({"exclusiveMaximum": 3}, [2.9, "x"], [3, 3.0]),
    "minLength": ({"minLength": 2}, ["\U0001f600x", 1], ["\U0001f600"]),
    "lookahead": ({"pattern": r"^(?!x-)[a-z-]+$"}, ["ab", 5], ["x-a", "a\n"]),
    "backreference": ({"pattern": r"^(?<q>['\"]).*\k<q>$"}, ["'a'"], ["'a\""]),
    "a property of Unicode": ({"pattern": r"^\p{Lu}$"}, ["\u00c4"], ["\u00e4"]),
    "not": ({"not": {"required": ["a"]}}, [{}], [{"a": None}, 1]),
    "if": (
        {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}, "else": False},
        [{"a": 1, "b": 2}, {"b": 0}, []],
        [{"a": 2}, {"a": 1}, {}],
    ),
    "contains": ({"contains": {"const": 1}}, [[0, 1.0], {}], [[], [True]]),
    "maxContains": ({"contains": {"type": "null"}, "minContains": 0, "maxContains": 1}, [[], [None]], [[None, None]]),
    "oneOf": ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, [1, 2.5], [3, 1.5]),
    "anyOf": ({"anyOf": [{"type": "string"}, {"minimum": 2}]}, ["", 2, []], [1]),
    "dependencies": (
        {"dependencies": {"a": ["b"], "c": {"maxProperties": 1}}},
        [{"a": 1, "b": 2}, {"c": 1}],
        [{"a": 1}, {"c": 1, "d": 1}],
    ),
    "propertyNames": ({"propertyNames": {"maxLength": 1}}, [{"a": 1}, []], [{"ab": 1}]),
    "patternProperties": (
        {"properties": {"a": True}, "patternProperties": {"^x": {"type": "null"}}, "additionalProperties": False},
        [{"a": 1, "x1": None}],
        [{"x1": 1}, {"y": 1}],
    ),
    "prefixItems": ({"prefixItems": [{"type": "null"}], "items": False}, [[None], []], [[1], [None, 1]]),
    "a tuple of draft 7": ({"items": [{"type": "null"}], "additionalItems": False}, [[None], []], [[1], [None, 1]]),
    "a reference": (
        {"$ref": "#/$defs/tree", "$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}, "maxItems": 1}}},
        [[[[]]], 3],
        [[[[], []]]],
    ),
    "nullable": ({"nullable": True, "type": "string"}, [None, ""], [1]),
    "a property that is false": ({"properties": {"a": False}}, [{}, {"b": 1}], [{"a": 1}]),
    "a repeated repetition that only re could run": ({"pattern": "(?=a)(a+)+$"}, ["b", "a" * 64 + "b"], []),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_keyword(name: str) -> None:
    schema, good, bad = KEYWORDS[name]
    checks = Checks(schema)
    assert [value for value in good if checks.failures(value)] == []
    assert [value for value in bad if not checks.failures(value)] == []


class Light(WireModel):
    lumens: int = 0
    place: Annotated[Nullable[str], Field(alias="Place"), Checks({"pattern": "^(?!x)"})] = None
    tags: Annotated[list[str] | None, Checks({"uniqueItems": True})] = None
    __checks__ = Checks({"dependentRequired": {"lumens": ["Place"]}})


class Lamp(Light):
    watts: float = 0
    inner: list[Lamp] = []
    __checks__ = Checks({"properties": {"watts": {"multipleOf": 0.1}}, "maxProperties": 3})


class Sensor(WireModel):
    watts: int


LAMP = Message("Lamp", pointer="#/l", payload=Lamp)
Either: TypeAlias = Annotated[
    Lamp | Sensor, Checks({"oneOf": [{"maxProperties": 1}, {"required": ["inner"]}]})
]
EITHER: Message[list[Either]] = Message("Either", pointer="#/e", payload=list[Either])


@pytest.mark.parametrize(
    ("wire", "places"),
    [
        ({}, []),
        ({"lumens": 1, "Place": None}, []),
        ({"lumens": 1}, ["Place: is required where lumens is there"]),
        ({"Place": "xy"}, ["Place: should be text with a match of ^(?!x)"]),
        ({"tags": ["a", "a"]}, ["tags[1]: should not be the same as [0]"]),
        ({"tags": None}, ["tags: Input should be a valid array, not null"]),
        ({"inner": [{}, {"watts": 0.25}]}, ["inner[1].watts: should be a multiple of 0.1"]),
        ({"inner": [{"lumens": 1}]}, ["inner[0].Place: is required where lumens is there"]),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, ["the message: should be an object whose number of"]),
    ],
)
def test_checks_are_run_on_messages(wire: dict[str, object], places: list[str]) -> None:
    if not places:
        assert json.loads(LAMP.encode(LAMP.decode(json.dumps(wire)))) == wire
        return
    with pytest.raises(BadMessage) as refused:
        LAMP.decode(json.dumps(wire))
    found = [str(problem) for problem in refused.value.problems]
    assert [text[: len(place)] for text, place in zip(found, places, strict=True)] == places


def test_checks_are_run_on_what_is_sent_but_not_on_what_is_built() -> None:
    lamp = Lamp(lumens=1)
    with pytest.raises(ValueError, match="this Lamp cannot be sent: .*Place: is required"):
        LAMP.encode(lamp)
    lamp.place = "a"
    assert LAMP.encode(lamp) == b'{"lumens":1,"Place":"a"}'


def test_checks_hold_for_any_type() -> None:
    assert EITHER.decode('[{"watts": 1}, {"watts": 1, "inner": []}]')
    with pytest.raises(
        BadMessage, match=r"\[1\]: should be exactly one of the 2 things that oneOf lists"
    ):
        EITHER.decode('[{"watts": 1}, {"watts": 1, "lumens": 1, "Place": ""}]')
    with pytest.raises(BadMessage, match=r"\[0\].*both number 1 and 2"):
        EITHER.decode('[{"inner": []}]')


small = st.sampled_from([0, 1, 1.0, 2, -3, 2.5, True, False, None, "", "a", "ab", "x1"])
names = st.sampled_from(["a", "b", "x1"])
values = st.recursive(
    small, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)
count = st.integers(0, 2)
leaves = st.one_of(
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["integer", "number", "string", "object", ["array", "null"]]),
            "const": values,
            "enum": st.lists(values, min_size=1, max_size=3),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "minimum": st.integers(-3, 3),
            "exclusiveMaximum": st.integers(-3, 3),
            "minLength": count,
            "maxItems": count,
            "minProperties": count,
            "maxProperties": count,
            "uniqueItems": st.booleans(),
            "required": st.lists(names, max_size=2),
            "pattern": st.sampled_from(["^a", "(?!a)x", "b$"]),
            "dependentRequired": st.dictionaries(names, st.lists(names, max_size=2), max_size=2),
        },
    ),
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    table = st.dictionaries(names, inner, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "allOf": some,
            "anyOf": some,
            "oneOf": some,
            "items": inner,
            "prefixItems": some,
            "contains": inner,
            "minContains": count,
            "maxContains": count,
            "properties": table,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "1"]), inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "dependentSchemas": table,
        },
    )


@settings(max_examples=400, deadline=None)
@given(st.recursive(leaves, nested, max_leaves=6), values)
def test_the_verdict_is_that_of_jsonschema(schema: Any, value: Any) -> None:
    expected = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (not Checks(schema).failures(value)) == expected
