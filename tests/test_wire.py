"""WireModel: what is on the wire is what was set, and null is never absent."""

from __future__ import annotations

import json
from typing import Annotated, Literal
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
