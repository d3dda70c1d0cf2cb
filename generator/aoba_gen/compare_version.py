"""Which semantic version (semver.org, 2.0.0) the changes to an API ask for, and whether it has moved that far."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from .compare_result import Change
from .diagnostics import shown

_SEMVER: Final = re.compile(
    r"v?(0|[1-9]\d{0,99})\.(0|[1-9]\d{0,99})\.(0|[1-9]\d{0,99})(-[0-9A-Za-z.-]{1,200})?(\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)
_Rank: TypeAlias = tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]
"""What goes before what: the three numbers, a pre-release before its release, then the pre-release's parts."""
_WORDS: Final = re.compile(r".*description-changed")


@dataclass(frozen=True, slots=True)
class Advice:
    """The next version, the part of it that has to move ("major"), and why; `fault` says what is wrong with ours."""

    version: str
    part: str
    reason: str
    fault: str


def advise(old: str, new: str, changes: Iterable[Change]) -> Advice:
    """What the version after `old` should be, and whether `new` is at least that."""
    listed = list(changes)
    part, reason = _part(listed)
    was, now = _parsed(old), _parsed(new)
    if was is None:
        return Advice(
            "",
            part,
            reason,
            f"the old version {shown(old)} is none like 1.2.3, so none can follow it",
        )
    if part == "none":
        version, is_behind = re.sub("^v|[+].*", "", old), now is not None and now < was
    else:
        wanted = _next(was, part)
        version = ".".join(map(str, wanted))
        is_behind = now is not None and (now <= was or now[0] < wanted)
    if now is None:
        return Advice(version, part, reason, f"the version {shown(new)} is none like {version}")
    is_free = part != "none" and not was[1]
    least = f"come after {old}" if is_free else f"be at least {version}"
    fault = f"the version is {new}, and should {least}" if is_behind else ""
    return Advice(version, part, reason, fault)


def _part(changes: list[Change]) -> tuple[str, str]:
    breaking = sum(one.breaks for one in changes)
    if breaking:
        return "major", f"{breaking} breaking change{'' if breaking == 1 else 's'}"
    if not changes:
        return "none", "nothing has changed"
    if all(_WORDS.fullmatch(one.rule) for one in changes):
        return "patch", "only words have changed"
    return "minor", "what has changed breaks nobody"


def _next(rank: _Rank, part: str) -> tuple[int, int, int]:
    """The version after this one; before 1.0.0 a breaking change moves the second number (semver, section 4).

    A pre-release promises nothing, so what it leads to is next (section 9).
    """
    (major, minor, patch), is_release, _ = rank
    if not is_release:
        return major, minor, patch
    if part == "major" and major:
        return major + 1, 0, 0
    return (major, minor, patch + 1) if part == "patch" else (major, minor + 1, 0)


def _parsed(version: str) -> _Rank | None:
    found = _SEMVER.fullmatch(version)
    if not found:
        return None
    names = found[4][1:].split(".") if found[4] else []
    parts = tuple((not one.isdigit(), int(one) if one.isdigit() else 0, one) for one in names)
    return (int(found[1]), int(found[2]), int(found[3])), not found[4], parts
