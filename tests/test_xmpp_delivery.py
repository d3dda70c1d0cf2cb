"""Signals over XMPP: one answer each, faults both ways, duplicates, deadlines, bounds."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET

import pytest
from aoba_runtime.errors import (
    FAULTS,
    AckTimeout,
    BadMessage,
    Fault,
    LimitExceeded,
    PeerUnavailable,
    UnknownCall,
)
from aoba_runtime.transport import Outgoing
from aoba_runtime.xmpp import connection, delivery, duplicates, management, xml
from test_xmpp_fake import (
    BOB,
    CALL,
    STANZAS,
    WITHIN,
    FakeServer,
    Inbox,
    number_of,
    numbered,
    session,
)
from websockets.frames import Frame, Opcode


def outcome(answer: ET.Element) -> tuple[str | None, str | None, str | None]:
    """(type, error type, condition) of an answer."""
    error = answer.find("{jabber:client}error")
    if error is None:
        return answer.get("type"), None, None
    condition = next(child.tag for child in error if not child.tag.endswith("}text"))
    return answer.get("type"), error.get("type"), condition.removeprefix(f"{{{STANZAS}}}")


async def test_a_send_ends_with_the_answer() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        data = '{"t":"é<&>]]>\'\\" \U0001f600"}\r\n'.encode() + b"\xef\xbf\xbf"
        sending = asyncio.create_task(transport.send(Outgoing(data, BOB)))
        iq = await account.next()
        assert (iq.get("type"), iq.get("to")) == ("set", BOB)
        assert (iq.findtext(CALL) or "").encode() == data.replace(b"\xef\xbf\xbf", b"\\uffff")
        assert not sending.done()
        await account.answer(iq)
        await sending


async def test_answers_find_their_request_in_any_order() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        tasks = [asyncio.create_task(transport.send(numbered(n))) for n in range(3)]
        iqs = [await account.next() for _ in tasks]
        assert [number_of(iq) for iq in iqs] == [0, 1, 2]
        await account.answer(iqs[2])
        await tasks[2]
        await account.refuse(iqs[0], "cancel", "item-not-found")
        with pytest.raises(UnknownCall):
            await tasks[0]
        assert not tasks[1].done()
        await account.answer(iqs[1])
        await tasks[1]


@pytest.mark.parametrize("kind", FAULTS.values())
async def test_each_fault_travels_both_ways(kind: type[Fault]) -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        sending = asyncio.create_task(transport.send(numbered(1)))
        assert kind.kind and kind.condition
        await account.refuse(await account.next(), kind.kind, kind.condition, "why not")
        with pytest.raises(kind, match="why not") as info:
            await sending
        assert type(info.value) is kind and info.value.remote
        inbox = Inbox()
        inbox.fault = kind("be<cause")
        transport.attach(inbox)
        await account.request()
        answer = await account.next()
        assert outcome(answer) == ("error", kind.kind, kind.condition)
        assert (answer.get("id"), answer.get("to")) == ("q1", BOB)
        assert answer.findtext(f".//{{{STANZAS}}}text") == "be<cause"


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("recipient-unavailable", PeerUnavailable),
        ("remote-server-not-found", PeerUnavailable),
        ("policy-violation", LimitExceeded),
        ("internal-server-error", Fault),
    ],
)
async def test_conditions_of_servers(condition: str, kind: type[Fault]) -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        sending = asyncio.create_task(transport.send(numbered(1)))
        await account.refuse(await account.next(), "wait", condition)
        with pytest.raises(kind) as info:
            await sending
        assert type(info.value) is kind and info.value.remote


async def test_answers_from_others_are_ignored() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        sending = asyncio.create_task(transport.send(numbered(1)))
        iq = await account.next()
        for stranger in ("mallory@localhost/1", "bob@localhost/2", "localhost"):
            await account.answer(iq, stranger)
        await account.request("{}", id="q1")  # comes after them
        await account.next()
        assert not sending.done()
        await account.answer(iq)
        await sending


@pytest.mark.parametrize(
    "inner",
    [
        "<call xmlns='urn:xmpp:call:0'>{}<x/></call>",
        "<call xmlns='urn:xmpp:call:0'>{}</call><call xmlns='urn:xmpp:call:0'>{}</call>",
        "<call xmlns='urn:xmpp:call:0'>{}</call><x xmlns='y'/>",
    ],
)
async def test_malformed_requests_are_answered_bad_request(inner: str) -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        transport.attach(inbox)
        await account.request(inner=inner)
        assert outcome(await account.next()) == ("error", "modify", "bad-request")
        assert inbox.got.empty()


async def test_get_is_refused_and_other_requests_are_left_to_slixmpp() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        transport.attach(Inbox())
        await account.request(kind="get")
        assert outcome(await account.next()) == ("error", "modify", "bad-request")
        await account.request(inner="<x xmlns='nobody:knows'/>")
        assert outcome(await account.next())[2] == "feature-not-implemented"


async def test_no_receiver_then_one_then_none() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        await account.request(id="a")
        assert outcome(await account.next()) == ("error", "cancel", "service-unavailable")
        transport.attach(inbox)
        with pytest.raises(RuntimeError):
            transport.attach(Inbox())
        await account.request(id="b")
        assert outcome(await account.next()) == ("result", None, None)
        incoming = inbox.got.get_nowait()
        assert (incoming.sender, incoming.id, incoming.recipient) == (BOB, "b", account.jid)
        transport.detach(inbox)
        await account.request('{"n":2}', id="c")
        assert outcome(await account.next())[2] == "service-unavailable"


async def test_a_receiver_that_fails_is_an_internal_error() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        problems: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: problems.append(context["message"])
        )
        inbox = Inbox()
        inbox.fault = ZeroDivisionError()
        transport.attach(inbox)
        await account.request()
        assert outcome(await account.next()) == ("error", "cancel", "internal-server-error")
        assert problems == ["the receiver of signals raised ZeroDivisionError"]


async def test_the_same_signal_is_acted_on_once() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        transport.attach(inbox)
        for id, sender, fresh in (
            ("1", BOB, True),
            ("1", BOB, False),  # the same stanza
            ("2", BOB, False),  # the same content
            ("1", "bob@localhost/2", False),  # sent again by a session that was not resumed
            ("2", "bob@localhost/3", True),  # another device that says the same
            ("1", "carol@localhost/1", True),
        ):
            await account.request('{"n":1}', id=id, sender=sender)
            assert outcome(await account.next()) == ("result", None, None)
            assert inbox.got.qsize() == fresh, (id, sender)
            while not inbox.got.empty():
                inbox.got.get_nowait()
        await account.request('{"n":2}', id="1")
        await account.next()
        assert inbox.got.qsize() == 1


async def test_a_refused_signal_may_come_again() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        transport.attach(inbox)
        inbox.fault = UnknownCall("too early")
        await account.request()
        assert outcome(await account.next())[2] == "item-not-found"
        inbox.fault = None
        await account.request()
        assert outcome(await account.next())[0] == "result"
        assert inbox.got.qsize() == 2


def test_duplicates_are_forgotten_in_time_and_bounded() -> None:
    known = duplicates.Duplicates()
    known.add(BOB, "1", b"x", 0.0)
    assert known.seen(BOB, "1", b"x", 60.0) and not known.seen(BOB, "1", b"x", 60.1)
    for number in range(duplicates.PER_SENDER):
        known.add(BOB, str(number), b"%d" % number, 1.0)
    assert known.seen(BOB, "0", b"0", 1.0) and not known.seen(BOB, "1", b"x", 1.0)
    for number in range(duplicates.SENDERS):
        known.add(f"u{number}@x/1", "1", b"x", 1.0)
    assert not known.seen(BOB, "0", b"0", 1.0) and known.seen("u0@x/1", "1", b"x", 1.0)


async def test_limits_are_checked_before_sending() -> None:
    async with FakeServer() as server, session(server, max_payload=100) as (transport, account):
        transport.attach(Inbox())
        with pytest.raises(LimitExceeded) as info:
            await transport.send(Outgoing(b'"' + b"x" * 99 + b'"', BOB))
        assert not info.value.remote
        for data in (b"\xff", b'"\x00"'):
            with pytest.raises(BadMessage):
                await transport.send(Outgoing(data, BOB))
        with pytest.raises(PeerUnavailable, match="no JID"):
            await transport.send(Outgoing(b"1", "a@b@c"))
        with pytest.raises(ValueError, match="`to`"):
            await transport.send(Outgoing(b"1"))
        await account.request('"' + "x" * 99 + '"')
        assert outcome(await account.next()) == ("error", "wait", "resource-constraint")


async def test_pending_signals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_PENDING", 3)
    async with FakeServer() as server, session(server) as (transport, account):
        tasks = [asyncio.create_task(transport.send(numbered(n))) for n in range(3)]
        iqs = [await account.next() for _ in tasks]
        with pytest.raises(LimitExceeded):
            await transport.send(numbered(3))
        for iq in iqs:
            await account.answer(iq)
        await asyncio.gather(*tasks)
        last = asyncio.create_task(transport.send(numbered(4)))
        await account.answer(await account.next())
        await last


async def test_no_answer_is_a_timeout_and_a_late_one_is_ignored() -> None:
    async with FakeServer() as server, session(server, ack_timeout=2) as (transport, account):
        with pytest.raises(AckTimeout, match="no answer from bob@localhost/1 within 2 s") as info:
            await transport.send(numbered(1))
        assert not info.value.remote
        await account.answer(await account.next())
        task = asyncio.create_task(transport.send(numbered(2)))
        await account.answer(await account.next())
        await task


async def test_each_request_is_answered_exactly_once() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        transport.attach(Inbox())
        for number in range(50):
            await account.request(f'{{"n":{number // 2}}}', id=f"q{number}")
        async with asyncio.timeout(WITHIN):
            answers = [(await account.next()).get("id") for _ in range(50)]
        assert answers == [f"q{number}" for number in range(50)]
        await account.request(inner="<ping xmlns='urn:xmpp:ping'/>", kind="get", id="end")
        assert (await account.next()).get("id") == "end"


def texts_in(data: bytes) -> list[str]:
    """The texts of the WebSocket frames that a client wrote (RFC 6455, 5.2)."""
    texts = []
    while data:
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4]), 4
        mask, body = data[start : start + 4], data[start + 4 : start + 4 + size]
        texts.append(bytes(byte ^ mask[at % 4] for at, byte in enumerate(body)).decode())
        data = data[start + 4 + size :]
    return texts


async def test_what_is_said_together_is_written_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeServer() as server, session(server) as (transport, _):
        transport.attach(inbox := Inbox())
        assert isinstance(transport._line, connection.Connection)
        assert (frames := transport._line._frames) is not None
        written: list[list[str]] = []

        def arrive(*texts: str) -> None:
            said = (Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts)
            frames.data_received(b"".join(said))

        call = f"<iq xmlns='{xml.CLIENT}' type='set' id='1' from='{BOB}'><call xmlns='{xml.CALL}'>1</call></iq>"
        with monkeypatch.context() as patch:
            patch.setattr(frames.transport, "write", lambda data: written.append(texts_in(data)))
            arrive(call, management.REQUEST)
            assert inbox.got.get_nowait().data == b"1"
            ((answer, confirmation),) = written  # at once
            assert "type='result'" in answer
            assert confirmation.startswith("<a ")
            written.clear()
            sending = asyncio.create_task(transport.send(numbered(1)))
            arrive(management.REQUEST)  # can wait for what this turn of the loop has to say
            assert written == []
            await asyncio.sleep(0)
            ((confirmation, signal),) = written
            assert confirmation.startswith("<a ")
            assert "type='set'" in signal
            sending.cancel()
            await asyncio.wait([sending])
