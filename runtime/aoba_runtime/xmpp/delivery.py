"""Signals and their answers: what waits, what is lost and sent again, what is answered; no sockets, no slixmpp."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ..errors import (
    AckTimeout,
    BadMessage,
    Fault,
    LimitExceeded,
    NotAParty,
    PeerUnavailable,
    UnexpectedMessage,
    UnknownCall,
    UnsupportedMessage,
    remote_fault,
    travelling,
)
from ..transport import Incoming, Receiver
from . import xml
from .duplicates import Duplicates
from .ordering import HOLD, SETTLES, Numbers, Ordering

MAX_PENDING: Final = 1000
"""How many signals may wait for their answers."""

_UNREACHABLE: Final = frozenset(
    {"recipient-unavailable", "remote-server-not-found", "remote-server-timeout", "gone"}
)
# The answer of an endpoint says more than a timeout, and that more than that somebody is away.
_TELLING: Final[tuple[type[Fault], ...]] = (
    NotAParty,
    UnexpectedMessage,
    UnknownCall,
    LimitExceeded,
    BadMessage,
    UnsupportedMessage,
    Fault,
    AckTimeout,
    PeerUnavailable,
)

log = logging.getLogger("aoba_runtime.xmpp")


class Link(Protocol):
    """What carries stanzas; `up` while there is a session."""

    jid: str
    up: bool

    def write(self, stanza: str, waiter: asyncio.Future[ET.Element] | None = None) -> None:
        """Write one stanza now; it may be written again after a break unless `waiter` is done."""


class Request:
    """An IQ that waits for its answer, which becomes the result of `answer`; a `Fault` becomes its exception."""

    __slots__ = ("answer", "id", "resent", "stanza", "timer", "to", "written")

    def __init__(self, id: str, to: str, stanza: str) -> None:
        self.id = id
        self.to = to
        self.stanza = stanza
        self.answer: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        self.written = False
        self.resent = False
        self.timer: asyncio.TimerHandle | None = None

    def is_answered_by(self, sender: str | None, own: str) -> bool:
        """Whether an answer from `sender` is one from whom we asked (RFC 6120, 8.1.2.1 and 10.3.3)."""
        if sender == self.to:
            return True
        if sender is None:
            return self.to == own.partition("/")[0]
        # To an account: the server answers for it, or one of its resources does.
        return "/" not in self.to and "@" in self.to and sender.partition("/")[0] == self.to


class Delivery:
    """Requests out, in order and each with a deadline; signals in, each answered exactly once."""

    def __init__(self, *, ack_timeout: float, max_payload: int) -> None:
        self.ids: Final = f"{secrets.token_hex(6)}."
        self.ack_timeout = ack_timeout
        self.max_payload = max_payload
        self.link: Link | None = None
        self.receiver: Receiver | None = None
        self._numbers = Numbers(self.ids)
        self._questions = itertools.count(1)
        self._ordering: Ordering[ET.Element] = Ordering()
        self._settles = 0.0
        self._release_timer: asyncio.TimerHandle | None = None
        self._requests: dict[str, Request] = {}
        self._duplicates = Duplicates()
        self._gone: str | None = None

    def payload(self, data: bytes) -> str:
        """`data` as the text that a stanza can carry.

        Raises `LimitExceeded` above `max_payload` bytes and `BadMessage` for what is no JSON text.
        """
        if len(data) > self.max_payload:
            raise LimitExceeded(f"{len(data)} bytes, and {self.max_payload} are allowed")
        try:
            return xml.json_text(data)
        except ValueError:
            raise BadMessage("not JSON text in UTF-8") from None

    def check_open(self) -> None:
        """Raise `PeerUnavailable` once the link is gone for good."""
        if self._gone is not None:
            raise PeerUnavailable(self._gone)

    def signal(self, to: str, payload: str, deadline: float) -> Request:
        """Send `payload` to `to`, a JID in normal form, now or when the link is up again before `deadline`.

        `deadline` is a time of the event loop. Raises `LimitExceeded` when too many wait already.
        """
        self._check_room()
        id = self._numbers.next(to)
        return self._send(Request(id, to, xml.signal(xml.attribute(to), id, payload)), deadline)

    def question(
        self, to: str, deadline: float, ask: Callable[[str, str], str] = xml.disco_info
    ) -> Request:
        """Ask `to` for its features (XEP-0030), or what `ask` makes of its JID and the id; otherwise as `signal`."""
        self._check_room()
        id = f"{self.ids}0-{next(self._questions)}"
        return self._send(Request(id, to, ask(to, id)), deadline)

    def _check_room(self) -> None:
        self.check_open()
        if len(self._requests) >= MAX_PENDING:
            raise LimitExceeded(f"{MAX_PENDING} requests are waiting for their answers")

    def _send(self, request: Request, deadline: float) -> Request:
        request.timer = asyncio.get_running_loop().call_at(deadline, self._expired, request)
        self._requests[request.id] = request
        if self.link is not None and self.link.up:
            self._write(request)
        return request

    async def settle(self, requests: Sequence[Request]) -> None:
        """Wait until one of `requests` is accepted; otherwise raise the fault that says most. Cancelling withdraws all."""
        if len(requests) == 1:
            (request,) = requests
            try:
                await request.answer
            finally:
                self._forget(request)
            return
        waiting = {request.answer for request in requests}
        faults: list[BaseException] = []
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                problems = [answer.exception() for answer in done]
                if None in problems:
                    for answer in waiting:
                        answer.add_done_callback(_retrieve)
                    return
                faults += [problem for problem in problems if problem is not None]
        except asyncio.CancelledError:
            for request in requests:
                self._forget(request)
            raise
        raise min(faults, key=_rank)

    def up(self, resumed: bool) -> None:
        """The session is there: write what waited, in the order it was asked for.

        What a session that could not be resumed may have lost is written once more under the same id, which the
        receiver knows if it came through; the second time it is given up.
        """
        if resumed:
            self._settles = asyncio.get_running_loop().time() + SETTLES
        for request in list(self._requests.values()):
            if not request.written:
                self._write(request)
            elif not resumed and request.resent:
                self._finish(request, AckTimeout("two sessions broke while waiting for the answer"))
            elif not resumed:
                request.resent = True
                self._write(request)

    def take(self, iq: ET.Element) -> bool:
        """Deal with an IQ if it is an answer to us or a signal; whether it was."""
        kind = iq.get("type")
        if kind == "result" or kind == "error":
            return self._answered(iq, kind)
        if kind == "set" and len(iq) == 1 and iq[0].tag == xml.CALL_TAG:
            may_wait = bool(self._settles) and self._is_settling()
            for each in self._ordering.arrived(iq.get("from", ""), iq.get("id", ""), iq, may_wait):
                self._received(each, each[0])
            if self._ordering.waiting and self._release_timer is None:
                self._release_timer = asyncio.get_running_loop().call_later(HOLD, self._release)
            return True
        if iq.find(xml.CALL_TAG) is not None:
            self._refuse(
                iq, "modify", "bad-request", "a signal is one <call/> in an IQ of type set"
            )
            return True
        return False

    def _is_settling(self) -> bool:
        if asyncio.get_running_loop().time() > self._settles:
            self._settles = 0.0
        return bool(self._settles)

    def _release(self) -> None:
        self._release_timer = None
        for iq in self._ordering.release():
            self._received(iq, iq[0])

    def fail(self, why: str) -> None:
        """The link is gone for good: everything that waits, and every later request, fails with `PeerUnavailable`."""
        self._gone = why
        if self._release_timer is not None:
            self._release_timer.cancel()
        for request in list(self._requests.values()):
            self._finish(request, PeerUnavailable(why))

    def _write(self, request: Request) -> None:
        assert self.link is not None
        request.written = True
        self.link.write(request.stanza, request.answer)

    def _expired(self, request: Request) -> None:
        seconds = f"{self.ack_timeout:g} s"
        self._finish(
            request,
            AckTimeout(
                f"no answer from {request.to} within {seconds}"
                if request.written
                else f"not sent to {request.to}: no connection for {seconds}"
            ),
        )

    def _finish(self, request: Request, fault: Fault) -> None:
        if not request.answer.done():
            request.answer.set_exception(fault)
        self._forget(request)

    def _forget(self, request: Request) -> None:
        self._requests.pop(request.id, None)
        if request.timer is not None:
            request.timer.cancel()
        if request.answer.done():
            _retrieve(request.answer)
        else:
            request.answer.cancel()

    def _answered(self, iq: ET.Element, kind: str) -> bool:
        request = self._requests.get(iq.get("id", ""))
        if request is None:
            # An answer that came after its deadline, or a second one: nobody waits for it.
            return iq.get("id", "").startswith(self.ids)
        if not request.is_answered_by(iq.get("from"), self.link.jid if self.link else ""):
            log.warning("answer %s is not from whom it should be", request.id)
            return True
        del self._requests[request.id]
        if request.timer is not None:
            request.timer.cancel()
        if request.answer.done():
            return True
        if kind == "result":
            request.answer.set_result(iq)
        else:
            request.answer.set_exception(_fault(*xml.refusal(iq)))
        return True

    def _received(self, iq: ET.Element, call: ET.Element) -> None:
        sender = iq.get("from")
        if not sender or len(call):
            why = "<call/> holds JSON text alone" if sender else "nobody sent this"
            return self._refuse(iq, "modify", "bad-request", why)
        id, data = iq.get("id", ""), (call.text or "").encode()
        if len(data) > self.max_payload:
            return self._fault(iq, LimitExceeded(f"at most {self.max_payload} bytes, please"))
        if self.receiver is None:
            return self._fault(iq, PeerUnavailable("nobody listens here"))
        now = asyncio.get_running_loop().time()
        if not self._duplicates.seen(sender, id, data, now):
            try:
                self.receiver(Incoming(data, sender, iq.get("to"), id))
            except Fault as fault:
                return self._fault(iq, fault)
            except Exception as error:
                asyncio.get_running_loop().call_exception_handler(
                    {
                        "message": f"the receiver of signals raised {type(error).__name__}",
                        "exception": error,
                    }
                )
                return self._refuse(iq, "cancel", "internal-server-error")
            self._duplicates.add(sender, id, data, now)
        self._reply(xml.result(sender, id))

    def _fault(self, iq: ET.Element, fault: Fault) -> None:
        condition, kind = travelling(fault)
        self._refuse(iq, kind, condition, fault.text)

    def _refuse(self, iq: ET.Element, kind: str, condition: str, why: str = "") -> None:
        self._reply(xml.error(iq.get("from", ""), iq.get("id", ""), kind, condition, why))

    def _reply(self, stanza: str) -> None:
        if self.link is not None:
            self.link.write(stanza)


def _fault(condition: str, text: str) -> Fault:
    if condition in _UNREACHABLE:
        return PeerUnavailable(text or condition, remote=True)
    if condition == "policy-violation":
        return LimitExceeded(text or condition, remote=True)
    return remote_fault(condition, text)


def _rank(fault: BaseException) -> int:
    return next(
        (
            place
            for place, kind in enumerate(_TELLING)
            if isinstance(fault, kind) and kind is not Fault
        ),
        _TELLING.index(Fault),
    )


def _retrieve(answer: asyncio.Future[ET.Element]) -> None:
    """Look at the outcome of a branch that nobody waits for, so that asyncio does not complain."""
    if not answer.cancelled():
        answer.exception()
