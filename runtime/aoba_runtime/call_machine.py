"""One call at one end: looks each event up in the table, and does what it asks for; the line finds it its events."""

from __future__ import annotations

from dataclasses import dataclass

from .call_states import Event, Role, State


class LocalCallError(Exception):
    """A step of ours that the call's state does not allow: a mistake in the program that uses the line.

    `event` is the step, `state` the call's, `None` for a call that the line does not have.
    """

    def __init__(self, text: str, event: Event | None = None, state: State | None = None) -> None:
        super().__init__(text)
        self.event = event
        self.state = state


class Call:
    """One call, to read: its steps are the line's.

    `id` changes once if glare is lost (`Became`). `peer` is where signals go: the address dialed, then the device that
    speaks. `deadline` is when the present state is over at the latest.
    """

    id: str
    role: Role
    state: State
    peer: str
    caller_name: str | None
    muted: bool
    remote_muted: bool
    connected_at: float | None
    deadline: float | None
