"""WireModel: what is on the wire is what was set, and null is never absent."""

from __future__ import annotations

import json
import warnings
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from aoba_runtime import BadMessage, Message, Nullable, Uuid, WireModel, new_uuid, now_milliseconds
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

ID = "3F2B8C1E-0d4a-4c6b-9e7f-5a1d2c3b4e5f"


class Inner(WireModel):
    count: int | None = None


class Sample(WireModel):
    kind: Literal["sample"] = "sample"
    sent_at: Annotated[int, Field(alias="sentAt")] = Field(default_factory=now_milliseconds)
    maybe: Annotated[int | None, Field(ge=0)] = None
    null_is_fine: Annotated[Nullable[str], Field(alias="nullIsFine")] = None
    must_be_there: Annotated[str | None, Field(alias="mustBeThere")]
    defaulted: list[str] = ["a"]
    inner: Inner = Field(default_factory=Inner)
    id: Uuid | None = None


SAMPLE = Message("Sample", pointer="#/components/messages/Sample", payload=Sample)
SMALLEST = {"kind": "sample", "sentAt": 1, "mustBeThere": None, "inner": {}}


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"maybe": 0},
        {"nullIsFine": None},
        {"nullIsFine": "x"},
        {"defaulted": ["a"]},
        {"defaulted": []},
        {"inner": {"count": 3}},
        {"id": ID},
        {"more": {"a": [None, 1.5, "\u2028"]}, "must_be_there": 1},
    ],
)
def test_what_was_decoded_is_encoded_again(extra: dict[str, object]) -> None:
    wire = SMALLEST | extra
    assert json.loads(SAMPLE.encode(SAMPLE.decode(json.dumps(wire)))) == wire


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"maybe": None}, "maybe"),
        ({"inner": {"count": None}}, "inner.count"),
        ({"maybe": -1}, "maybe"),
        ({"maybe": "1"}, "maybe"),
        ({"maybe": True}, "maybe"),
        ({"maybe": 1.5}, "maybe"),
        ({"kind": "other"}, "kind"),
        ({"defaulted": ["a", 1]}, "defaulted[1]"),
        ({"id": "not-a-uuid"}, "id"),
        ({"kind": ...}, "kind"),
        ({"sentAt": ...}, "sentAt"),
        ({"inner": ...}, "inner"),
        ({"mustBeThere": ...}, "mustBeThere"),
        ({"mustBeThere": ..., "must_be_there": "x"}, "mustBeThere"),
    ],
)
def test_what_the_schema_forbids_is_refused_with_its_place(
    change: dict[str, object], path: str
) -> None:
    wire = {name: value for name, value in (SMALLEST | change).items() if value is not ...}
    with pytest.raises(BadMessage) as refused:
        SAMPLE.decode(json.dumps(wire))
    assert [problem.path for problem in refused.value.problems] == [path]


def test_an_integer_may_be_written_with_a_fraction_of_zero() -> None:
    assert SAMPLE.decode(json.dumps(SMALLEST | {"maybe": 3.0})).maybe == 3
    with pytest.raises(BadMessage, match="maybe"):
        SAMPLE.decode(json.dumps(SMALLEST | {"sentAt": 3.0, "maybe": 3.5}))


@pytest.mark.parametrize("data", ["", "{", "nul", b"\xff", "[]", "null", "1", '"\ud800"', b"{}{}"])
def test_what_is_no_json_object_is_refused(data: bytes | str) -> None:
    with pytest.raises(BadMessage):
        SAMPLE.decode(data)


def test_a_constructor_fills_what_every_message_has() -> None:
    before = now_milliseconds()
    wire = json.loads(SAMPLE.encode(Sample(must_be_there=None)))
    assert before <= wire.pop("sentAt") <= now_milliseconds()
    assert wire == {"kind": "sample", "mustBeThere": None, "inner": {}}


def test_none_is_left_out_where_null_is_not_allowed() -> None:
    sample = Sample(must_be_there="x", maybe=None, null_is_fine=None, sent_at=1)
    sent = {"kind": "sample", "sentAt": 1, "nullIsFine": None, "mustBeThere": "x", "inner": {}}
    assert json.loads(SAMPLE.encode(sample)) == sent
    sample.maybe = 5
    assert json.loads(SAMPLE.encode(sample)) == sent | {"maybe": 5}
    assert json.loads(SAMPLE.encode(sample.model_copy(update={"maybe": None}))) == sent


class Optional(WireModel):
    kind: Literal["a"] | None = "a"


def test_a_constructor_fills_an_optional_constant_that_a_message_may_lack() -> None:
    optional = Message("Optional", pointer="#", payload=Optional)
    assert optional.encode(Optional()) == b'{"kind":"a"}'
    assert optional.encode(Optional(kind=None)) == b"{}"
    decoded = optional.decode("{}")
    assert decoded.kind is None
    assert optional.encode(decoded) == b"{}"
    with pytest.raises(BadMessage, match="kind"):
        optional.decode('{"kind":null}')


def test_a_changed_field_is_checked() -> None:
    sample = Sample(must_be_there=None)
    with pytest.raises(ValidationError):
        sample.maybe = -1
    with pytest.raises(ValidationError):
        sample.model_copy(update={"maybe": -1})


def test_a_uuid_keeps_its_text_and_may_be_given_as_one() -> None:
    assert Sample(must_be_there=None, id=ID).id == ID
    assert Sample.model_validate({"must_be_there": None, "id": UUID(ID)}).id == ID.lower()
    assert Sample(must_be_there=None, id=new_uuid()).id


class Loose(WireModel):
    anything: Any = None
    number: float | None = None
    tags: list[str] = ["a"]
    table: dict[str, int] = {}
    inner: Inner = Inner()
    others: list[Loose] = []


LOOSE = Message("Loose", pointer="#/components/messages/Loose", payload=Loose)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "wire", ['{"number": %s}', '{"more": %s}', '{"anything": [%s]}', '{"tags": ["NaN"], "x": [%s]}']
)
def test_what_json_has_no_number_for_is_refused(number: str, wire: str) -> None:
    with pytest.raises(BadMessage, match="should be JSON|not a Loose"):
        LOOSE.decode(wire % number)
    with pytest.raises(ValueError):
        LOOSE.encode(Loose.model_validate({"extra": [float(number)]}))
    with pytest.raises(ValidationError):
        Loose(number=float(number))
    with pytest.raises(ValueError, match="this Loose cannot be sent"):
        LOOSE.encode(Loose(anything=float(number)))


def test_text_may_speak_of_numbers_that_json_has_not() -> None:
    wire = {"anything": "NaN", "tags": ["-Infinity"]}
    assert json.loads(LOOSE.encode(LOOSE.decode(json.dumps(wire)))) == wire


def test_a_default_that_was_changed_in_place_is_sent() -> None:
    loose = Loose(others=[Loose()])
    assert json.loads(LOOSE.encode(loose)) == {"others": [{}]}
    loose.others[0].tags.append("b")
    loose.table["x"] = 1
    loose.inner.count = 3
    sent = {"others": [{"tags": ["a", "b"]}], "table": {"x": 1}, "inner": {"count": 3}}
    assert json.loads(LOOSE.encode(loose)) == sent
    assert json.loads(LOOSE.encode(Loose())) == {}
    loose = Loose(anything={"deep": [Loose()]})
    loose.anything["deep"][0].tags.clear()
    assert json.loads(LOOSE.encode(loose)) == {"anything": {"deep": [{"tags": []}]}}


def test_what_was_changed_into_what_the_schema_forbids_is_a_value_error() -> None:
    garbage: Any
    around: list[object] = []
    around.append(around)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for garbage in (3, object(), "\ud800", None, b"\xff", float("nan")):
            loose = Loose()
            loose.tags.append(garbage)
            with pytest.raises(ValueError) as refused:
                LOOSE.encode(loose)
            assert type(refused.value) is ValueError
        for garbage in (object(), "\ud800", b"\xff", around, {object(): 1}):
            with pytest.raises(ValueError, match="this Loose cannot be sent") as refused:
                LOOSE.encode(Loose.model_validate({"extra": garbage}))
            assert type(refused.value) is ValueError


class Constants(WireModel):
    yes: Literal[True] = True
    one: Literal[1] | None = None
    either: list[Literal[False, 2]] = []


CONSTANTS = Message("Constants", pointer="#/components/messages/Constants", payload=Constants)


@pytest.mark.parametrize(
    "wire",
    [{"yes": 1}, {"yes": 1.0}, {"yes": True, "one": True}, {"yes": True, "either": [0]}],
)
def test_a_constant_is_no_boolean_for_a_number(wire: dict[str, object]) -> None:
    with pytest.raises(BadMessage, match="Input should be"):
        CONSTANTS.decode(json.dumps(wire))
    with pytest.raises(ValidationError):
        Constants.model_validate(wire)


def test_a_constant_may_be_written_with_a_fraction_of_zero() -> None:
    found = CONSTANTS.decode('{"yes": true, "one": 1.0, "either": [false, 2.0]}')
    assert found == Constants(one=1, either=[False, 2])
    assert type(found.one) is int


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text().filter(lambda name: name not in Sample.model_fields), json_values))
def test_unknown_fields_survive(extra: dict[str, object]) -> None:
    wire = extra | SMALLEST
    if "nullIsFine" in extra or "mustBeThere" in extra:
        return
    assert json.loads(SAMPLE.encode(SAMPLE.decode(json.dumps(wire)))) == wire
