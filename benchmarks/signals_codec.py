"""Encode and decode one signal: the generated client against `json`, and against pydantic models written by hand."""

from __future__ import annotations

import json
import statistics
import timeit
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from aoba_runtime import Message
from aoba_voice_call_signaling import messages
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel
from signals_made import CALL_ID, KINDS, SDP, TIMESTAMP, model, signal

CODEC_CALLS = 5000


class Own(BaseModel):
    """What one would write by hand: pydantic, wire names by alias, the messages told apart by `type`."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class OwnCandidatePayload(Own):
    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None


class OwnCandidate(Own):
    type: Literal["call:ice-candidate"] = "call:ice-candidate"
    call_id: str
    timestamp: int
    payload: OwnCandidatePayload


class OwnOfferPayload(Own):
    type: Literal["offer", "answer"]
    sdp: str


class OwnOffer(Own):
    type: Literal["call:offer"] = "call:offer"
    call_id: str
    timestamp: int
    payload: OwnOfferPayload


OWN: TypeAdapter[OwnCandidate | OwnOffer] = TypeAdapter(
    Annotated[OwnCandidate | OwnOffer, Field(discriminator="type")]
)


def own_model(kind: str, number: int) -> OwnCandidate | OwnOffer:
    """A signal as a model written by hand."""
    if kind == "candidate":
        line = f"candidate:1 1 udp 2122260223 10.0.0.1 {number:08} typ host"
        candidate = OwnCandidatePayload(candidate=line, sdp_mid="0", sdp_m_line_index=0)
        return OwnCandidate(call_id=CALL_ID, timestamp=TIMESTAMP + number, payload=candidate)
    offer = OwnOfferPayload(type="offer", sdp=SDP)
    return OwnOffer(call_id=CALL_ID, timestamp=TIMESTAMP + number, payload=offer)


def microseconds(functions: list[Callable[[], object]], rounds: int) -> list[float]:
    """What a call of each takes: medians of rounds in which they take turns."""
    timers = [timeit.Timer(function) for function in functions]
    found: list[list[float]] = [[] for _ in timers]
    for _ in range(rounds):
        for timer, times in zip(timers, found, strict=True):
            times.append(1e6 * timer.timeit(CODEC_CALLS) / CODEC_CALLS)
    return [statistics.median(times) for times in found]


def codec_rows(kind: str, rounds: int) -> Iterator[str]:
    """The rows of one kind of signal, after a check that all three say the same."""
    plain = signal(kind, 0)
    data = json.dumps(plain).encode()
    own, ours = own_model(kind, 0), model(kind, 0)
    message: Message[Any] = messages.CALL_OFFER if kind == "offer" else messages.CALL_ICE_CANDIDATE
    assert (
        json.loads(message.encode(ours)) == plain == json.loads(own.model_dump_json(by_alias=True))
    )
    assert messages.decode(data) == ours and OWN.validate_json(data) == own
    work: dict[str, list[Callable[[], object]]] = {
        "build and encode": [
            lambda: json.dumps(signal(kind, 0)).encode(),
            lambda: own_model(kind, 0).model_dump_json(by_alias=True).encode(),
            lambda: message.encode(model(kind, 0)),
        ],
        "encode": [
            lambda: json.dumps(plain).encode(),
            lambda: own.model_dump_json(by_alias=True).encode(),
            lambda: message.encode(ours),
        ],
        "decode": [
            lambda: json.loads(data),
            lambda: OWN.validate_json(data),
            lambda: messages.decode(data),
        ],
    }
    for what, functions in work.items():
        by_json, by_hand, by_us = microseconds(functions, rounds)
        yield (
            f"| {kind}, {len(data)} B | {what} | {by_json:.1f} | {by_hand:.1f} | {by_us:.1f} "
            f"| {by_us / by_json:.1f} | {by_us / by_hand:.1f} |"
        )


def codec(rounds: int) -> str:
    """Encode and decode of one signal; the table."""
    lines = [
        "| signal | what | json µs | pydantic by hand µs | ours µs | to json | to pydantic |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        lines += codec_rows(kind, rounds)
    return "\n".join(lines)
