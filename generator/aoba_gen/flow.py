"""Model -> Flow: who sends what to whom in which order, as steps to draw, and the same as Mermaid text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .model import Message, Model, Operation

MOST: Final = 40
"""How many operations are drawn at most: nobody reads a longer drawing."""

_LONG: Final = 40
"""How many letters the names of several messages have together, if all of them are said."""
CALLER: Final = 0
CALLEE: Final = 1


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message on its way between the parties, by their index; `both` ways, or as the reply to the one before."""

    sender: int
    receiver: int
    text: str
    message: Message | None = None
    operation: Operation | None = None
    both: bool = False
    is_reply: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """Steps that belong together, and when they are taken."""

    when: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that repeat ("loop"), may be left out ("opt"), or of which one branch is taken ("alt")."""

    kind: Literal["alt", "loop", "opt"]
    branches: tuple[Branch, ...]


Step: TypeAlias = Arrow | Group


@dataclass(frozen=True, slots=True)
class Flow:
    """Two parties and what goes between them. `omitted` operations of the document are not in it, as they are too many."""

    parties: tuple[str, str]
    steps: tuple[Step, ...]
    omitted: int = 0


def flow(model: Model) -> Flow:
    """A call with its outcomes where the document is about calls, else every operation with its reply."""
    return _call(model) if model.calls else _operations(model)


def application_sends(model: Model, operation: Operation) -> bool:
    """Whether the application that the document describes sends the operation's messages; else its peers do."""
    return (operation.action == "send") == (model.side == "described")


def parties(model: Model, drawn: Flow, operation: Operation) -> tuple[str, str, bool]:
    """Who sends the operation's messages and who receives them; whether it also goes the other way."""
    names = {message.pointer for message in operation.messages}
    for arrow in arrows(drawn.steps) if model.calls else ():
        if arrow.message and arrow.message.pointer in names:
            return drawn.parties[arrow.sender], drawn.parties[arrow.receiver], arrow.both
    others, application = _parties(model)
    if application_sends(model, operation):
        return application, others, False
    return others, application, False


def arrows(steps: tuple[Step, ...]) -> Iterator[Arrow]:
    """Every arrow, also those in groups."""
    for step in steps:
        if isinstance(step, Arrow):
            yield step
        else:
            for branch in step.branches:
                yield from arrows(branch.steps)


def mermaid(drawn: Flow) -> str:
    """A sequence diagram in the language of Mermaid (11 or later, for arrows of both ways), ending in a newline."""
    lines = ["sequenceDiagram"]
    lines += (
        f"    participant {_id(index)} as {said(name)}" for index, name in enumerate(drawn.parties)
    )
    lines += _lines(drawn.steps, "    ")
    return "\n".join(lines) + "\n"


def said(text: str) -> str:
    """A text of a document for Mermaid, which shows it as it is: what may mean something goes by its number.

    Mermaid ends a statement at `;` and at a line break, a comment begins with `%%`, and what it shows is HTML.
    """
    line = " ".join(text.split()) or " "
    return "".join(
        letter if letter.isalnum() or letter in " .,_-/:()'+" else f"#{ord(letter)};"
        for letter in line
    )


def _id(index: int) -> str:
    return "AB"[index]


def _lines(steps: tuple[Step, ...], margin: str) -> Iterator[str]:
    for step in steps:
        if isinstance(step, Arrow):
            line = "<<->>" if step.both else "-->>" if step.is_reply else "->>"
            yield f"{margin}{_id(step.sender)}{line}{_id(step.receiver)}: {said(step.text)}"
            continue
        for number, branch in enumerate(step.branches):
            yield f"{margin}{'else' if number else step.kind} {said(branch.when)}"
            yield from _lines(branch.steps, f"{margin}    ")
        yield f"{margin}end"


def _operations(model: Model) -> Flow:
    """The client on the left, the application on the right, and the operations in document order."""
    steps: list[Step] = []
    for operation in model.operations[:MOST]:
        sender = 1 if application_sends(model, operation) else 0
        text = _any_of(operation.messages) or operation.name
        message = operation.messages[0] if len(operation.messages) == 1 else None
        steps.append(Arrow(sender, 1 - sender, text, message, operation))
        if operation.reply:
            answers = operation.reply.messages
            answer = answers[0] if len(answers) == 1 else None
            steps.append(
                Arrow(1 - sender, sender, _any_of(answers), answer, operation, is_reply=True)
            )
    omitted = max(0, len(model.operations) - MOST)
    return Flow(_parties(model), tuple(steps), omitted)


def _any_of(messages: tuple[Message, ...]) -> str:
    """The names of messages, as many as can be read at a glance."""
    names = [message.name for message in messages]
    if len(names) > 1 and len(" or ".join(names)) > _LONG:
        return f"{names[0]} or {len(names) - 1} more"
    return " or ".join(names)


def _parties(model: Model) -> tuple[str, str]:
    """Who talks to the application, and the application."""
    return "Client", model.title or "Application"


def _call(model: Model) -> Flow:
    """A call: it is asked for, then accepted, rejected or refused as busy, and in the end somebody hangs up."""
    by_payload = {message.payload: message for message in model.messages if message.payload}
    by_method = {made.method: made for made in model.operations}
    signals = {each.python: each for each in model.calls.signals} if model.calls else {}

    def arrow(signal: str, sender: int, *, both: bool = False) -> tuple[Step, ...]:
        if (found := signals.get(signal)) is None:
            return ()
        message = by_payload.get(found.payload)
        text = message.name if message else found.payload
        return (Arrow(sender, 1 - sender, text, message, by_method.get(found.method), both),)

    def group(kind: Literal["loop", "opt"], when: str, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return (Group(kind, (Branch(when, steps),)),) if steps else ()

    talk = (
        *arrow("Accept", CALLEE),
        *arrow("Offer", CALLER),
        *arrow("Answer", CALLEE),
        *group(
            "loop", "while the connection is being made", arrow("IceCandidate", CALLER, both=True)
        ),
        *group("opt", "during the call", arrow("MuteChange", CALLER, both=True)),
        *arrow("Hangup", CALLER, both=True),
    )
    branches = (
        Branch("the callee accepts", talk),
        Branch("the callee declines", arrow("Reject", CALLEE)),
        Branch("the callee is on another call", arrow("Busy", CALLEE)),
        Branch("nobody answers, or the caller gives up", arrow("Hangup", CALLER)),
    )
    outcomes = Group("alt", tuple(branch for branch in branches if branch.steps))
    return Flow(("Caller", "Callee"), (*arrow("Initiate", CALLER), outcomes))
