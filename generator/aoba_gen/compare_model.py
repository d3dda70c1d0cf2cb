"""What a comparison of two models is told in: verdicts, for whom, which way values go, rules and what they say.

"Old" is the document that clients were generated from, "new" the one that is to take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from .diagnostics import shown
from .model import Definition, Model

T = TypeVar("T")


class Verdict(StrEnum):
    """How bad a change is; in this order."""

    BREAKING = "breaking"
    RISKY = "risky"
    COMPATIBLE = "compatible"


class Who(StrEnum):
    """Whom a change breaks."""

    SENDERS = "who sends"
    RECEIVERS = "who receives"
    CALLERS = "who calls the Python API"


@dataclass(frozen=True, slots=True)
class Flow:
    """Whether clients send a value, receive it, or both."""

    sent: bool = False
    received: bool = False

    def __or__(self, other: Flow) -> Flow:
        return Flow(self.sent or other.sent, self.received or other.received)


@dataclass(frozen=True, slots=True)
class Context:
    """Both models, their definitions by name, and what old channels and messages are called in the new one.

    The hooks are those of messages, by the message's name.
    """

    old: Model
    new: Model
    olds: Mapping[str, Definition]
    news: Mapping[str, Definition]
    channels: Mapping[str, str]
    messages: Mapping[str, str]
    old_hooks: Mapping[str, str]
    new_hooks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class At:
    """What is compared, in words, where it stands in both documents (pointers), and which way its values go."""

    what: str
    old: str
    new: str
    flow: Flow
    context: Context


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says of a change."""

    verdict: Verdict
    who: tuple[Who, ...]
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A change, by the rule that found it; `old` and `new` are pointers into the two documents."""

    rule: str
    said: Said
    old: str
    new: str


Single: TypeAlias = Callable[[T, At], Iterator[Said]]
"""A rule about what only one of the documents has."""
Double: TypeAlias = Callable[[T, T, At], Iterator[Said]]
"""A rule about what both have: the old one, the new one."""


@dataclass(frozen=True, slots=True)
class Rules(Generic[T]):
    """The rules about one kind of thing: where it is new, where it is gone, where it was kept."""

    added: tuple[Single[T], ...] = ()
    removed: tuple[Single[T], ...] = ()
    kept: tuple[Double[T], ...] = ()

    def sentences(self) -> dict[str, str]:
        """Every rule's id and its sentence."""
        rules: list[Callable[..., Iterator[Said]]] = [*self.added, *self.removed, *self.kept]
        return {identity(rule): (rule.__doc__ or "").strip() for rule in rules}

    def judge(self, old: T | None, new: T | None, at: At) -> Iterator[Finding]:
        """What the rules say of a thing as it was and as it is."""
        if new is None and old is not None:
            told = [(rule, said) for rule in self.removed for said in rule(old, at)]
            yield from (Finding(identity(rule), said, at.old, at.new) for rule, said in told)
        elif old is None and new is not None:
            told = [(rule, said) for rule in self.added for said in rule(new, at)]
            yield from (Finding(identity(rule), said, at.old, at.new) for rule, said in told)
        elif old is not None and new is not None:
            for double in self.kept:
                for said in double(old, new, at):
                    yield Finding(identity(double), said, at.old, at.new)


def identity(rule: Callable[..., Iterator[Said]]) -> str:
    """A rule's id, which is its function's name."""
    return rule.__name__.replace("_", "-")


def narrows(at: At, text: str, *also: Who, hint: str = "") -> Iterator[Said]:
    """What was allowed is refused now: an old client's message may be refused."""
    yield _told(text, hint, *((Who.SENDERS,) if at.flow.sent else ()), *also)


def widens(at: At, text: str, *also: Who, hint: str = "") -> Iterator[Said]:
    """More is allowed now: an old client may get what it refuses."""
    yield _told(text, hint, *((Who.RECEIVERS,) if at.flow.received else ()), *also)


def differs(at: At, text: str, *also: Who, hint: str = "") -> Iterator[Said]:
    """What was allowed is refused, and what was refused is allowed."""
    senders = (Who.SENDERS,) if at.flow.sent else ()
    receivers = (Who.RECEIVERS,) if at.flow.received else ()
    yield _told(text, hint, *senders, *receivers, *also)


def breaks(text: str, *who: Who, hint: str = "") -> Iterator[Said]:
    """It breaks these, whichever way values go."""
    yield Said(Verdict.BREAKING, who, text, hint or _mending(who))


def risks(text: str, *who: Who, hint: str = "") -> Iterator[Said]:
    """It may break these: what they do with a value decides."""
    yield Said(Verdict.RISKY, who, text, hint or _mending(who))


def helps(text: str, hint: str = "") -> Iterator[Said]:
    """It breaks nobody."""
    yield Said(Verdict.COMPATIBLE, (), text, hint)


def moved(what: str, owner: str, old: object, new: object) -> str:
    """What has become of one thing that another one has: changed, come or gone (`None`)."""
    if new is None:
        return f"{owner} has no {what} any more; it was {shown(old)}"
    text = f"the {what} of {owner} is {shown(new)}"
    return f"{text}; it was {shown(old)}" if old is not None else f"{text} now"


class Described(Protocol):
    """What the document says something about."""

    @property
    def doc(self) -> str: ...


def description_changed(old: Described, new: Described, at: At) -> Iterator[Said]:
    """What is said about something has other words."""
    before, after = (
        one.doc.partition("\n\n")[2] if isinstance(one, Model) else one.doc for one in (old, new)
    )
    if before != after:
        yield from helps(f"the description of {at.what} has changed")


def security_changed(
    old: tuple[str, ...], new: tuple[str, ...], at: At, who: tuple[Who, ...]
) -> Iterator[Said]:
    """One of other security schemes is asked for: one more to choose from breaks nobody."""
    if set(old) == set(new):
        return
    before, after = (", ".join(each) or "nothing" for each in (old, new))
    text = f"{at.what} asks for {after}; it was {before}"
    hint = "go on letting clients in as before until they have moved"
    hard = new and not set(old) < set(new) or not old
    yield from breaks(text, *who, hint=hint) if hard else helps(text)


def _told(text: str, hint: str, *who: Who) -> Said:
    verdict = Verdict.BREAKING if who else Verdict.COMPATIBLE
    return Said(verdict, who, text, (hint or _mending(who)) if who else "")


_MENDING: Final = {
    (True, True): "old and new clients do not agree on it: understand both for a while",
    (True, False): "old clients send what they could: go on taking it for a while",
    (False, True): "old clients refuse what is new to them: send it to those that understand it",
    (
        False,
        False,
    ): "nothing breaks on the wire: programs change when their client is generated anew",
}


def _mending(who: tuple[Who, ...]) -> str:
    """How to spare those whom a change breaks, where its rule knows no better."""
    return _MENDING[Who.SENDERS in who, Who.RECEIVERS in who]
