"""All calls of one endpoint, without I/O: signals and user's wishes in, effects out; `now` is an argument.

    line = Line("alice@localhost", clock=lambda: time.time_ns() // 1_000_000)
    call_id, effects = line.dial("bob@localhost", now, ["bob@localhost/phone"])

Every step returns effects, to be carried out in order (`call_effects`). After each step ask `deadline()` when to call
`timeout()` next. A step of ours that the call's state does not allow raises `LocalCallError`, our mistake; a signal that it
does not allow raises the `Fault` to answer the peer with, the peer's mistake. Either changes nothing. What is allowed
when is a table in `call_states`, and drawn in `docs/call.md`.

`now` is in seconds of one clock that only runs forward. Addresses are those of the transport (JIDs over XMPP).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from .call_effects import (
    Accepted,
    ApplyAnswer,
    ApplyCandidate,
    ApplyOffer,
    Became,
    Connected,
    Effect,
    Ended,
    Missed,
    Party,
    RemoteMuted,
    Ring,
    Ringing,
    Send,
    StartOffer,
)
from .call_machine import Call, LocalCallError
from .call_memory import account
from .call_states import Role, State
from .errors import Fault
from .signals import Candidate, Signal

__all__ = [
    "Accepted",
    "ApplyAnswer",
    "ApplyCandidate",
    "ApplyOffer",
    "Became",
    "Call",
    "Connected",
    "Effect",
    "Ended",
    "Line",
    "LineFull",
    "LocalCallError",
    "Missed",
    "Party",
    "RemoteMuted",
    "Ring",
    "Ringing",
    "Role",
    "Send",
    "StartOffer",
    "State",
]

RING_TIME: Final = 30.0
"""Seconds that it rings, at both ends."""
CONNECT_TIME: Final = 15.0
"""Seconds that each step from the accept to the first voice may take: the offer, the answer, the connection."""
GOODBYE_TIME: Final = 3.0
"""Seconds that the hangup may come after the voice was closed."""
MAX_ID: Final = 255
"""Characters in a call's id."""


class LineFull(LocalCallError):
    """There are as many calls as the line may have."""


class Line:
    """The calls of one endpoint.

    `jid` is our address; `clock` gives milliseconds since the epoch for timestamps. Past `max_calls`, those that ring
    included, callers are told busy at once. Times are in seconds.
    """

    def __init__(
        self,
        jid: str,
        *,
        clock: Callable[[], int],
        max_calls: int = 1,
        ring_time: float = RING_TIME,
        connect_time: float = CONNECT_TIME,
        goodbye_time: float = GOODBYE_TIME,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.account: Final = account(jid)
        self.max_calls = max_calls

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls that have not ended, by id, oldest first: to read, never to change."""
        raise NotImplementedError

    def dial(
        self,
        peer: str,
        now: float,
        devices: Sequence[str] = (),
        *,
        caller_name: str | None = None,
    ) -> tuple[str, list[Effect]]:
        """Call `peer`: an account, or one device of it. Returns the call's id and sends an initiate to each of `devices`.

        `devices` are the full addresses at which the account can be reached; without them the initiate goes to `peer`
        itself, for a server to route, and then devices that rang in vain learn nothing until their ring time ends. Raises
        `LineFull`. What can follow: `Ringing`, `Accepted`, `Became`, `Ended`.
        """
        raise NotImplementedError

    def accept(self, call_id: str, now: float) -> list[Effect]:
        """Take a call that rings. `ApplyOffer` or `Ended` follows."""
        raise NotImplementedError

    def reject(self, call_id: str, now: float) -> list[Effect]:
        """Decline a call that rings, on all devices of ours."""
        raise NotImplementedError

    def busy(self, call_id: str, now: float) -> list[Effect]:
        """Decline a call that rings, at this device: others of ours ring on."""
        raise NotImplementedError

    def offer(self, call_id: str, sdp: str, now: float) -> list[Effect]:
        """Our session description after `StartOffer`; local candidates held so far follow it. `ApplyAnswer` follows."""
        raise NotImplementedError

    def answer(self, call_id: str, sdp: str, now: float) -> list[Effect]:
        """Our session description after `ApplyOffer`; local candidates held so far follow it."""
        raise NotImplementedError

    def candidate(self, call_id: str, candidate: Candidate, now: float) -> list[Effect]:
        """A way to reach us, at any time: held until our session description is out. Nothing once the call has ended."""
        raise NotImplementedError

    def mute(self, call_id: str, muted: bool, now: float) -> list[Effect]:
        """We are muted, or not any more: told to the peer once the call is connected, and only if it changes."""
        raise NotImplementedError

    def hangup(self, call_id: str, now: float) -> list[Effect]:
        """End the call in any state, whatever it is then called: cancelled, rejected or completed."""
        raise NotImplementedError

    def media_connected(self, call_id: str, now: float) -> list[Effect]:
        """Voice flows both ways. Nothing once the call has ended."""
        raise NotImplementedError

    def media_closed(self, call_id: str, now: float) -> list[Effect]:
        """The peer closed the voice: its hangup is awaited for `goodbye_time`, then the call counts as completed.

        Before the call was connected it is as `media_failed`. Nothing once the call has ended.
        """
        raise NotImplementedError

    def media_failed(self, call_id: str, now: float) -> list[Effect]:
        """There is no voice and there will be none: the call ends failed. Nothing once it has ended."""
        raise NotImplementedError

    def receive(self, signal: Signal, sender: str, now: float) -> list[Effect]:
        """Take a signal that `sender` sent, which the transport vouches for; no effects if it came before.

        Raises the `Fault` to answer with, having changed nothing: `UnknownCall` for a call that is not known, has ended
        or rang out before the initiate came; `UnexpectedMessage` in the wrong state; `NotAParty` for a stranger;
        `LimitExceeded` for too many.
        """
        raise NotImplementedError

    def delivered(self, sent: Send, now: float) -> list[Effect]:
        """The peer's end acknowledged `sent`. `Ringing` follows the first initiate of a call."""
        raise NotImplementedError

    def delivery_failed(self, sent: Send, fault: Fault, now: float) -> list[Effect]:
        """`sent` was refused, or lost: what its `send` raised.

        What may have arrived (`AckTimeout`) is left to the deadlines. A call that cannot go on without it ends.
        """
        raise NotImplementedError

    def deadline(self) -> float | None:
        """When to call `timeout`; `None` while nothing is waited for."""
        raise NotImplementedError

    def timeout(self, now: float) -> list[Effect]:
        """Do what is due at `now`: calls that rang or negotiated for too long end."""
        raise NotImplementedError
