"""Every event in every state, for both roles: what the table says happens, and all else is refused and changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import call_diagrams
import pytest
from aoba_runtime.call import Effect, Ended, Line, LocalCallError, Party, Role, Send, State
from aoba_runtime.call_states import HEARD, LIMITS, START, TRANSITIONS, Cell, End, Event, Wait
from aoba_runtime.errors import LimitExceeded, UnexpectedMessage, UnknownCall
from aoba_runtime.signals import (
    Accept,
    Answer,
    Busy,
    Candidate,
    EndReason,
    Hangup,
    IceCandidate,
    Initiate,
    MuteChange,
    Offer,
    Reject,
    Signal,
)

ME: Final = "bob@x/1"
PEER: Final = "carol@x/1"
OTHER: Final = "carol@x/2"
ID: Final = "m"
NOW: Final = 100.0
WALL: Final = 1_700_000_000_000
STAMPS: Final = itertools.count(WALL + 1)
Step: TypeAlias = Callable[[Line], list[Effect]]


def heard(signal: Signal, sender: str = PEER) -> Step:
    """`signal` with a timestamp later than all before: never a resend."""
    return lambda line: line.receive(replace(signal, timestamp=next(STAMPS)), sender, NOW)


def failed(signal: Signal, fault: type[LimitExceeded | UnknownCall]) -> Step:
    return lambda line: line.delivery_failed(Send(signal, PEER), fault(remote=True), NOW)


def passes(line: Line) -> list[Effect]:
    deadline = line.deadline()
    return [] if deadline is None else line.timeout(deadline)


STEPS: Final[dict[Event, Step]] = {
    Event.ACCEPT: lambda line: line.accept(ID, NOW),
    Event.REJECT: lambda line: line.reject(ID, NOW),
    Event.BUSY: lambda line: line.busy(ID, NOW),
    Event.OFFER: lambda line: line.offer(ID, "our offer", NOW),
    Event.ANSWER: lambda line: line.answer(ID, "our answer", NOW),
    Event.CANDIDATE: lambda line: line.candidate(ID, Candidate("ours"), NOW),
    Event.MUTE: lambda line: line.mute(ID, True, NOW),
    Event.HANGUP: lambda line: line.hangup(ID, NOW),
    Event.MEDIA_CONNECTED: lambda line: line.media_connected(ID, NOW),
    Event.MEDIA_CLOSED: lambda line: line.media_closed(ID, NOW),
    Event.MEDIA_FAILED: lambda line: line.media_failed(ID, NOW),
    Event.HEARD_INITIATE: heard(Initiate(ID, WALL)),
    Event.HEARD_ACCEPT: heard(Accept(ID, WALL)),
    Event.HEARD_REJECT: heard(Reject(ID, WALL)),
    Event.HEARD_BUSY: heard(Busy(ID, WALL)),
    Event.HEARD_OFFER: heard(Offer(ID, WALL, "their offer")),
    Event.HEARD_ANSWER: heard(Answer(ID, WALL, "their answer")),
    Event.HEARD_CANDIDATE: heard(IceCandidate(ID, WALL, Candidate("theirs"))),
    Event.HEARD_HANGUP: heard(Hangup(ID, WALL, EndReason.FAILED)),
    Event.HEARD_MUTE: heard(MuteChange(ID, WALL, True)),
    Event.GLARE_LOST: heard(Initiate("a", WALL)),
    Event.DEVICE_OUT: heard(Busy(ID, WALL), OTHER),
    Event.SECOND_ACCEPT: heard(Accept(ID, WALL), OTHER),
    Event.DELIVERED: lambda line: line.delivered(Send(Initiate(ID, WALL), PEER), NOW),
    Event.REFUSED: failed(Offer(ID, WALL, ""), LimitExceeded),
    Event.UNKNOWN_THERE: failed(Offer(ID, WALL, ""), UnknownCall),
    Event.DEADLINE: passes,
}
"""Each event as a step of a line that has the call `ID`."""

_E: Final = Event
TALK: Final[dict[State, list[Event]]] = {
    State.CONNECTED: [_E.MEDIA_CONNECTED],
    State.CLOSING: [_E.MEDIA_CONNECTED, _E.MEDIA_CLOSED],
    State.ENDED: [_E.HANGUP],
}
CALLER: Final[dict[State, list[Event]]] = {
    State.CALLING: [],
    State.OFFERING: [_E.HEARD_ACCEPT],
    State.OFFERED: [_E.HEARD_ACCEPT, _E.OFFER],
    State.CONNECTING: [_E.HEARD_ACCEPT, _E.OFFER, _E.HEARD_ANSWER],
    State.ABANDONED: [_E.HEARD_ACCEPT, _E.OFFER, _E.UNKNOWN_THERE],
}
CALLEE: Final[dict[State, list[Event]]] = {
    State.RINGING: [],
    State.ACCEPTED: [_E.ACCEPT],
    State.ANSWERING: [_E.ACCEPT, _E.HEARD_OFFER],
    State.CONNECTING: [_E.ACCEPT, _E.HEARD_OFFER, _E.ANSWER],
    State.ABANDONED: [_E.ACCEPT, _E.UNKNOWN_THERE],
}
PATHS: Final[dict[Role, dict[State, list[Event]]]] = {
    role: {**paths, **{state: [*paths[State.CONNECTING], *more] for state, more in TALK.items()}}
    for role, paths in ((Role.CALLER, CALLER), (Role.CALLEE, CALLEE))
}
"""How a call comes into each state."""

MACHINE_ONLY: Final = {_E.GLARE_LOST, _E.DEVICE_OUT, _E.SECOND_ACCEPT}
"""Events that another signal turns into in some states; elsewhere that signal is another event."""
SILENT: Final = {
    _E.CANDIDATE,
    _E.MEDIA_CONNECTED,
    _E.MEDIA_CLOSED,
    _E.MEDIA_FAILED,
    _E.DELIVERED,
    _E.REFUSED,
    _E.UNKNOWN_THERE,
    _E.DEADLINE,
}
"""What may come once more when the call is over, through nobody's fault."""


def line_in(role: Role, state: State, devices: tuple[str, ...] = (PEER,)) -> Line:
    line = Line(ME, clock=lambda: WALL, new_id=lambda: ID)
    if role is Role.CALLER:
        line.dial("carol@x", NOW, devices)
    else:
        line.receive(Initiate(ID, WALL, "Carol"), PEER, NOW)
    for event in PATHS[role][state]:
        STEPS[event](line)
    assert state is (line.calls[ID].state if ID in line.calls else State.ENDED)
    return line


def snapshot(value: object, depth: int = 0) -> object:
    """All that a line holds, as values that can be compared."""
    assert depth < 20
    if isinstance(value, dict):
        return [
            (snapshot(key, depth + 1), snapshot(each, depth + 1)) for key, each in value.items()
        ]
    if isinstance(value, list | tuple):
        return [snapshot(each, depth + 1) for each in value]
    if type(value).__module__.startswith("aoba_runtime.call") and hasattr(value, "__dict__"):
        return snapshot(vars(value), depth + 1)
    return "..." if callable(value) else value


CASES: Final = [
    (role, state, event)
    for role, rows in TRANSITIONS.items()
    for state, cells in rows.items()
    for event in Event
    if event in cells or event not in MACHINE_ONLY
    if (state, event) != (State.CALLING, Event.HEARD_INITIATE)  # that is glare
]


@pytest.mark.parametrize(("role", "state", "event"), CASES)
def test_every_event_in_every_state(role: Role, state: State, event: Event) -> None:
    cell = TRANSITIONS[role][state].get(event)
    line = line_in(role, state, (PEER, OTHER) if event is _E.DEVICE_OUT else (PEER,))
    if cell is None:
        refused(line, state, event)
    else:
        happens(line, cell, event)


def refused(line: Line, state: State, event: Event) -> None:
    before = snapshot(line)
    step = STEPS[event]
    if event in HEARD.values():
        with pytest.raises(UnknownCall if state is State.ENDED else UnexpectedMessage):
            step(line)
    elif event in (_E.DELIVERED, _E.REFUSED, _E.UNKNOWN_THERE, _E.DEADLINE):
        assert step(line) == []
    elif state is State.ENDED and event in SILENT:
        assert step(line) == []
    else:
        with pytest.raises(LocalCallError) as caught:
            step(line)
        assert caught.value.event is event
    assert snapshot(line) == before


def happens(line: Line, cell: Cell, event: Event) -> None:
    effects = step_of(line, event)(line)
    if not isinstance(cell, End):
        (call,) = line.calls.values()
        assert call.state is cell
        assert not [effect for effect in effects if isinstance(effect, Ended)]
        return
    assert not line.calls
    *goodbyes, last = effects
    assert isinstance(last, Ended)
    assert (last.reason, last.by) == (cell.reason or EndReason.FAILED, cell.by)
    assert [type(each.signal) for each in goodbyes if isinstance(each, Send)] == (
        [cell.tell] if cell.tell else []
    )


def step_of(line: Line, event: Event) -> Step:
    """In a call that rings, what is refused is the initiate."""
    if event is _E.REFUSED and line.calls[ID].state is State.CALLING:
        return failed(Initiate(ID, WALL), LimitExceeded)
    return STEPS[event]


def test_the_table_is_whole() -> None:
    """Every state but the end can be left, by a deadline or by the peer; only states with a limit have a deadline."""
    for role, rows in TRANSITIONS.items():
        assert set(rows) == set(PATHS[role])
        assert START[role] in rows
        for state, cells in rows.items():
            assert (_E.DEADLINE in cells) == (state in LIMITS)
            if state is State.ENDED:
                assert cells == {}
                continue
            for event in (_E.HANGUP, _E.HEARD_HANGUP):
                assert isinstance(cells[event], End), (role, state, event)


def test_every_event_is_of_use() -> None:
    used = {event for rows in TRANSITIONS.values() for cells in rows.values() for event in cells}
    assert used | {_E.HEARD_INITIATE} == set(Event)


def test_only_what_ends_at_our_end_is_told() -> None:
    """What the peer ended it knows, and what rang out by itself too; it learns what we could not do with its signals."""
    ends = {
        cell
        for rows in TRANSITIONS.values()
        for cells in rows.values()
        for cell in cells.values()
        if isinstance(cell, End)
    }
    silent = {end for end in ends if end.by is Party.LOCAL and end.tell is None}
    assert silent == {
        End(EndReason.TIMEOUT, Party.LOCAL),
        End(EndReason.CANCELLED, Party.LOCAL),  # the peer knows no such call
    }


@pytest.mark.parametrize("state", LIMITS)
def test_each_limit_is_as_long_as_it_says(state: State) -> None:
    role = Role.CALLER if state in TRANSITIONS[Role.CALLER] else Role.CALLEE
    line = line_in(role, state)
    seconds = {Wait.RING: 30.0, Wait.CONNECT: 15.0, Wait.GOODBYE: 3.0}[LIMITS[state]]
    assert line.deadline() == NOW + seconds
    assert line.timeout(NOW + seconds - 0.001) == []
    assert isinstance(line.timeout(NOW + seconds)[-1], Ended)
    assert line.deadline() is None


def test_a_refused_step_says_what_is_possible() -> None:
    with pytest.raises(LocalCallError) as caught:
        line_in(Role.CALLEE, State.RINGING).answer(ID, "too early", NOW)
    assert str(caught.value) == (
        "answer() in a call that is ringing; possible are"
        " accept(), reject(), hangup(), busy(), media_failed(), media_closed(), candidate(), mute()"
    )
    with pytest.raises(LocalCallError, match=r"^hangup\(\) of m: no such call, or it has ended$"):
        line_in(Role.CALLEE, State.ENDED).hangup(ID, NOW)
    with pytest.raises(UnexpectedMessage, match=r"Answer in a call that is calling$"):
        STEPS[_E.HEARD_ANSWER](line_in(Role.CALLER, State.CALLING))


def test_the_diagrams_are_drawn_from_the_table() -> None:
    place = Path(__file__).parents[1] / "docs" / "call.md"
    assert (
        call_diagrams.redrawn(place.read_text()) == place.read_text()
    ), "run python tests/call_diagrams.py"
