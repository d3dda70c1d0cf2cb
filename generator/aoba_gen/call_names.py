"""The table of usual names: what APIs call the signals of a voice call, their fields and the reasons for which calls end.

`docs/calls.md` shows it to users, and a test holds the two together. Names are compared without case and separators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from . import names


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a signal: `source` is its way in `aoba_runtime.signals`, `key` its name in `x-aoba-call`.

    `otherwise` is sent where the document requires what the signal leaves open; `said` are values such as calls say there,
    the odd ones among them, which the document must take.
    """

    source: tuple[str, ...]
    key: str
    kind: Literal["text", "integer", "boolean"]
    usual: tuple[str, ...]
    is_required: bool = True
    is_reason: bool = False
    otherwise: str | int = ""
    said: tuple[str | int | bool, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalKind:
    """A signal: its class in `aoba_runtime.signals`, its `key` in `x-aoba-call`, what it is usually called."""

    python: str
    key: str
    usual: tuple[str, ...]
    fields: tuple[Field, ...]


_CALL_ID: Final = Field(
    ("call_id",),
    "callId",
    "text",
    ("callId", "callUuid", "sessionId", "sessionUuid", "conversationId", "sid", "id"),
    said=("3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f",),
)
_TIMESTAMP: Final = Field(
    ("timestamp",),
    "timestamp",
    "integer",
    ("timestamp", "timestampMs", "sentAt", "createdAt", "time", "ts", "at"),
    said=(1_767_623_406_731,),
)
COMMON: Final = (_CALL_ID, _TIMESTAMP)
"""The fields that every signal has."""

_SDP: Final = Field(
    ("sdp",),
    "sdp",
    "text",
    ("sdp", "sessionDescription", "description"),
    said=("v=0\r\n" + "a=candidate:1 1 udp 2130706431 192.0.2.17 54609 typ host\r\n" * 40,),
)


def _kind(python: str, key: str, usual: tuple[str, ...], *fields: Field) -> SignalKind:
    return SignalKind(python, key, usual, (*COMMON, *fields))


SIGNALS: Final = (
    _kind(
        "Initiate",
        "initiate",
        ("initiate", "invite", "start", "ring", "request", "setup"),
        Field(
            ("caller_name",),
            "callerName",
            "text",
            ("callerName", "displayName", "senderName", "fromName"),
            is_required=False,
            otherwise="Unknown",
        ),
    ),
    _kind("Accept", "accept", ("accept", "accepted", "pickup")),
    _kind("Reject", "reject", ("reject", "rejected", "decline", "declined", "refuse")),
    _kind("Offer", "offer", ("offer", "sdpOffer"), _SDP),
    _kind("Answer", "answer", ("answer", "sdpAnswer"), _SDP),
    _kind(
        "IceCandidate",
        "ice-candidate",
        ("iceCandidate", "candidate", "ice", "trickle"),
        Field(
            ("candidate", "candidate"),
            "candidate",
            "text",
            ("candidate", "iceCandidate", "line"),
            said=("candidate:1 1 udp 2130706431 192.0.2.17 54609 typ host", ""),
        ),
        Field(
            ("candidate", "sdp_mid"),
            "sdpMid",
            "text",
            ("sdpMid", "mid"),
            is_required=False,
            otherwise="0",
            said=("0",),
        ),
        Field(
            ("candidate", "sdp_mline_index"),
            "sdpMLineIndex",
            "integer",
            ("sdpMLineIndex", "mLineIndex", "lineIndex"),
            is_required=False,
            otherwise=0,
            said=(0,),
        ),
        Field(
            ("candidate", "username_fragment"),
            "usernameFragment",
            "text",
            ("usernameFragment", "ufrag", "iceUfrag"),
            is_required=False,
            said=("Zk3f",),
        ),
    ),
    _kind(
        "Hangup",
        "hangup",
        ("hangup", "end", "ended", "terminate", "bye", "leave"),
        Field(
            ("reason",), "reason", "text", ("reason", "endReason", "cause", "code"), is_reason=True
        ),
        Field(
            ("duration",),
            "duration",
            "integer",
            ("duration", "durationSeconds", "callDuration", "seconds"),
            is_required=False,
            otherwise=0,
            said=(0, 3600),
        ),
    ),
    _kind("Busy", "busy", ("busy", "userBusy", "occupied")),
    _kind(
        "MuteChange",
        "mute-change",
        ("muteChange", "muteChanged", "mute", "muteState", "muteStatus"),
        Field(
            ("muted",),
            "muted",
            "boolean",
            ("muted", "isMuted", "mute", "micMuted", "microphoneMuted", "audioMuted"),
            said=(True, False),
        ),
    ),
)
"""The nine signals in the order in which the spec lists them; the first usual name is the spec's own."""

REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "completed": ("completed", "complete", "normal", "hangup", "ended", "finished"),
    "rejected": ("rejected", "reject", "declined", "decline", "refused"),
    "timeout": ("timeout", "noAnswer", "unanswered", "missed", "expired"),
    "busy": ("busy", "userBusy"),
    "failed": ("failed", "failure", "error", "connectionFailed", "networkError"),
    "cancelled": ("cancelled", "canceled", "cancel", "aborted"),
}
"""Why a call ends, and what it is usually called."""

_NOISE: Final = frozenset("call voice audio webrtc rtc session signal signaling message".split())


def squeezed(name: str) -> str:
    """`name` without case and separators: "session_id", "sessionId" and "SESSION-ID" are one."""
    return "".join(names.words(name)).lower()


def matches(name: str, usual: tuple[str, ...]) -> int | None:
    """Which of the `usual` names `name` is, the first being the best; `None` where it is none."""
    spelled = [squeezed(each) for each in usual]
    word = squeezed(name)
    return spelled.index(word) if word in spelled else None


def signal_of(name: str) -> tuple[SignalKind, int] | None:
    """The signal that a message's discriminating value or name stands for, and how good a name that is for it.

    Words that only say what it is about are left aside: "call:offer", "webrtc.sdp_offer" and "OfferMessage" are an offer.
    """
    words = names.words(name)
    while words and words[0].lower() in _NOISE:
        words = words[1:]
    while words and words[-1].lower() in _NOISE:
        words = words[:-1]
    for kind in SIGNALS:
        if (rank := matches("".join(words), kind.usual)) is not None:
            return kind, rank
    return None
