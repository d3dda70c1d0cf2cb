"""The IR of a package's `calls.py`: which message says which signal of a voice call, and field by field how.

Signals and their fields are those of `aoba_runtime.signals`; everything else goes by the names that `build` chose.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A field on the way to a value, by its Python name."""

    python: str


@dataclass(frozen=True, slots=True)
class Argument:
    """What a constructor is given for the field `python`.

    `source` is the way from the signal ("candidate", "sdp_mid"), `variable` an object made before, `member` an enum's
    member, `value` a constant, which beside `source` stands in for what is left open there; `is_reason` says that
    `source` leads to an end reason, which has to be translated, `is_date_time`
    that it leads to milliseconds, which the document has as text.
    """

    python: str
    source: tuple[Step, ...] = ()
    variable: str | None = None
    member: str | None = None
    value: tuple[str | int | float | bool, ...] = ()
    is_reason: bool = False
    is_date_time: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """An object of the class `payload`, kept in `variable`: the message, or what it holds."""

    variable: str
    payload: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """An optional object on the way to a value: where it is absent, so is the value."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Where a message holds the signal's field `python`."""

    python: str
    steps: tuple[Step, ...]
    guards: tuple[Guard, ...] = ()
    is_reason: bool = False
    is_date_time: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """An end reason (`member` of `aoba_runtime.signals.EndReason`) and what the document calls it."""

    member: str
    enum_member: str | None
    value: str


@dataclass(frozen=True, slots=True)
class CallSignal:
    """A signal of a call as one message says it.

    `python` is the class of the signal and `snake` the same in a function's name; `payload` is the message's class,
    which is made as the last of `parts`; `method` sends it and `hook` takes it. `candidate` holds what makes up an
    ICE candidate, in the one signal that has one.
    """

    python: str
    snake: str
    payload: str
    method: str
    hook: str
    parts: tuple[Made, ...]
    reads: tuple[Read, ...]
    candidate: tuple[Read, ...] = ()


@dataclass(frozen=True, slots=True)
class Calls:
    """The nine signals, and the end reasons: `said` has each once, `heard` every word that the document has for one.

    `has_date_time` says whether any timestamp is text.
    """

    signals: tuple[CallSignal, ...]
    said: tuple[Reason, ...]
    heard: tuple[Reason, ...]
    reason_payload: str | None
    has_date_time: bool = False
