"""Two documents compared: findings with their places in both, and which of them are accepted, by whom and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .compare import compare
from .compare_model import Finding, Verdict, Who
from .compare_places import field_pointer, locate, standing
from .config import Accept
from .diagnostics import Location
from .document import Document
from .model import Model


@dataclass(frozen=True, slots=True)
class Change:
    """A finding with its places; `accepted` is the reason for which it is not held against the new document."""

    rule: str
    verdict: Verdict
    who: tuple[Who, ...]
    text: str
    hint: str
    old: Location
    new: Location
    old_pointer: str
    new_pointer: str
    accepted: str = ""

    @property
    def pointer(self) -> str:
        """Where the change is, as near as one of the documents has it: what to accept it by."""
        return max(self.new_pointer, self.old_pointer, key=len)

    @property
    def breaks(self) -> bool:
        """Whether the change breaks somebody, and nobody has accepted that."""
        return self.verdict is Verdict.BREAKING and not self.accepted


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that changed, the worst first; `idle` are the acceptances of which nothing came.

    `old_version` and `new_version` are where the documents say their own.
    """

    old: Model
    new: Model
    changes: tuple[Change, ...]
    old_version: Location
    new_version: Location
    idle: tuple[Accept, ...] = ()


def compared(
    old: tuple[Document, Model], new: tuple[Document, Model], accepts: Sequence[Accept] = ()
) -> Comparison:
    """What changed between two documents, of which both are known as models too."""
    before, after = old[0], new[0]
    found = compare(old[1], new[1], partial(field_pointer, before), partial(field_pointer, after))
    used: set[int] = set()
    changes = [_accept(_placed(one, before, after), accepts, used) for one in found]
    idle = tuple(one for number, one in enumerate(accepts) if number not in used)
    order = list(Verdict)
    changes.sort(key=lambda one: (order.index(one.verdict), one.new, one.rule, one.text))
    was, now = (locate(each, "#/info/version") for each in (before, after))
    return Comparison(old[1], new[1], tuple(changes), was, now, idle)


def counts(changes: Iterable[Change]) -> dict[str, int]:
    """How many changes there are of each kind; those that are accepted are a kind of their own."""
    listed = list(changes)
    found = {
        str(kind): sum(one.verdict is kind and not one.accepted for one in listed)
        for kind in Verdict
    }
    return {**found, "accepted": sum(bool(one.accepted) for one in listed)}


def _placed(found: Finding, old: Document, new: Document) -> Change:
    said = found.said
    before, after = standing(old, found.old), standing(new, found.new)
    return Change(
        found.rule,
        said.verdict,
        tuple(sorted(set(said.who), key=list(Who).index)),
        said.text,
        said.hint,
        locate(old, before),
        locate(new, after),
        before,
        after,
    )


def _accept(change: Change, accepts: Sequence[Accept], used: set[int]) -> Change:
    if change.verdict is Verdict.COMPATIBLE:
        return change
    fitting = [
        number
        for number, one in enumerate(accepts)
        if one.rule == change.rule
        and (_below(change.old_pointer, one.at) or _below(change.new_pointer, one.at))
    ]
    used.update(fitting)
    return replace(change, accepted=accepts[fitting[0]].reason) if fitting else change


def _below(pointer: str, place: str) -> bool:
    return pointer == place or pointer.startswith(place.rstrip("/") + "/")
