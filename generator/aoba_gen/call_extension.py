"""What a document says itself of its calls: `x-aoba-call` on a message, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .call_names import REASONS, SIGNALS, Field, SignalKind
from .diagnostics import Location, Report, shown, suggestion
from .load import Json
from .resolve import Place

EXTENSION: Final = "x-aoba-call"
_KINDS: Final[Mapping[str, SignalKind]] = {kind.key: kind for kind in SIGNALS}
_FIELDS: Final[Mapping[str, Field]] = {each.key: each for kind in SIGNALS for each in kind.fields}
_KEYS: Final = ("signal", *_FIELDS, "reasons", "values")


@dataclass(frozen=True, slots=True)
class Wish:
    """A value of the extension, and where it stands."""

    value: Json
    location: Location


@dataclass(frozen=True, slots=True)
class Extension:
    """What `x-aoba-call` says of one message.

    `kind` is the signal it stands for, `paths` where its fields lie in the payload ("payload.sessionId"), `reasons` what
    end reasons are called, `values` what required fields that no signal knows are set to. `is_none`: it is no signal.
    """

    is_there: bool = False
    is_none: bool = False
    kind: SignalKind | None = None
    paths: Mapping[str, Wish] = field(default_factory=dict)
    reasons: Mapping[str, Wish] = field(default_factory=dict)
    values: Mapping[str, Wish] = field(default_factory=dict)


def read_extension(message: Place, report: Report) -> Extension:
    """The extension of a message; what is wrong in it is reported as an error."""
    place = message.raw(EXTENSION)
    if place is None:
        return Extension()
    if place.value() is False:
        return Extension(is_there=True, is_none=True)
    if not isinstance(place.value(), dict):
        _complain(report, place, f"{EXTENSION} is {shown(place.value())}, expected an object")
        return Extension(is_there=True)
    wishes = {name: Wish(child.value(), child.location) for name, child in place.raw_fields()}
    for name in wishes:
        if name not in _KEYS:
            hint = suggestion(name, _KEYS) or f"known are {', '.join(_KEYS)}"
            report.error(
                "call-extension",
                f"{EXTENSION} knows no {shown(name)}",
                place.key_location(name),
                hint,
            )
    return Extension(
        is_there=True,
        kind=_kind(place, wishes.get("signal"), report),
        paths={
            name: wish
            for name, wish in wishes.items()
            if name in _FIELDS and _is_text(place, name, wish, report)
        },
        reasons={
            name: wish
            for name, wish in _inner(place, "reasons", report).items()
            if _is_known(place, name, report) and _is_text(place, name, wish, report)
        },
        values=_inner(place, "values", report),
    )


def check_extension(extension: Extension, kind: SignalKind, report: Report) -> None:
    """Whether all that the extension names is of the signal that its message stands for."""
    known = [each.key for each in kind.fields]
    for name, wish in extension.paths.items():
        if name not in known:
            report.error(
                "call-extension",
                f"the signal {kind.key!r} has no {name!r}",
                wish.location,
                f"it has {', '.join(known)}",
            )
    if extension.reasons and not any(each.is_reason for each in kind.fields):
        report.error(
            "call-extension",
            f"the signal {kind.key!r} has no end reason",
            next(iter(extension.reasons.values())).location,
            "reasons stand on the message that stands for the signal hangup",
        )


def _kind(place: Place, wish: Wish | None, report: Report) -> SignalKind | None:
    if wish is None:
        return None
    if (kind := _KINDS.get(str(wish.value))) is None:
        hint = suggestion(str(wish.value), _KINDS) or f"known are {', '.join(_KINDS)}"
        report.error(
            "call-extension", f"there is no signal {shown(wish.value)}", wish.location, hint
        )
    return kind


def _is_known(place: Place, name: str, report: Report) -> bool:
    if name not in REASONS:
        reasons = place.raw("reasons") or place
        hint = suggestion(name, REASONS) or f"known are {', '.join(REASONS)}"
        report.error(
            "call-extension",
            f"there is no end reason {shown(name)}",
            reasons.key_location(name),
            hint,
        )
    return name in REASONS


def _is_text(place: Place, name: str, wish: Wish, report: Report) -> bool:
    if not isinstance(wish.value, str):
        report.error(
            "call-extension",
            f"{EXTENSION}: {name} is {shown(wish.value)}, expected text",
            wish.location,
            "write names, and the way to a field with dots, such as payload.sessionId",
        )
    return isinstance(wish.value, str)


def _inner(place: Place, name: str, report: Report) -> dict[str, Wish]:
    child = place.raw(name)
    if child is None:
        return {}
    if not isinstance(child.value(), dict):
        _complain(
            report, child, f"{EXTENSION}: {name} is {shown(child.value())}, expected an object"
        )
    return {key: Wish(inner.value(), inner.location) for key, inner in child.raw_fields()}


def _complain(report: Report, place: Place, message: str) -> None:
    report.error(
        "call-extension",
        message,
        place.location,
        "docs/calls.md says what may stand there",
    )
