"""Which semantic version (semver.org, 2.0.0) the changes to an API ask for, and whether it has moved that far."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .compare_result import Change
from .diagnostics import shown

_SEMVER: Final = re.compile(
    r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
)
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
    wanted = _next(was, part)
    version = ".".join(map(str, wanted))
    if now is None:
        return Advice(version, part, reason, f"the version {shown(new)} is none like {version}")
    fault = f"the version is {new}, and should be at least {version}" if now < wanted else ""
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


def _next(version: tuple[int, int, int], part: str) -> tuple[int, int, int]:
    """The version after this one; before 1.0.0 a breaking change moves the second number (semver, section 4)."""
    major, minor, patch = version
    if part == "major" and major:
        return major + 1, 0, 0
    if part in ("major", "minor"):
        return major, minor + 1, 0
    return (major, minor, patch + 1) if part == "patch" else version


def _parsed(version: str) -> tuple[int, int, int] | None:
    found = _SEMVER.fullmatch(version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
