"""What the tests of real calls share: servers, phones on them, scripted peers, and what was heard.

    async with party(place, "alice", hz=440) as alice, party(place, "bob", hz=1000) as bob:
        ours, theirs = await talk(alice, bob)
        await hears(ours, 1000)

Voice is aiortc's over loopback, and tones are told apart by FFT; `media=FakeMedia()` where a test is about signals alone.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from aoba_voice_call_signaling import AobaVoiceCallSignalingClient
from voices import LOOPBACK, Ear, pitch

from aoba_runtime import Incoming, new_uuid, xmpp
from aoba_runtime.audio import Voice
from aoba_runtime.audio_levels import rms
from aoba_runtime.audio_tones import Tone
from aoba_runtime.media import Media
from aoba_runtime.phone import Ended, Phone, VoiceCall
from aoba_runtime.phone_events import CallEvent, EndReason, Party
from aoba_runtime.plug import CallPlug
from aoba_runtime.rtc import RtcMedia, RtcOptions, RtcSession
from aoba_runtime.signals import Initiate, Signal

PATIENCE: Final = 30.0
"""Seconds for anything to happen on a busy machine."""
LEVEL: Final = 0.2
"""RMS of the tones."""

T = TypeVar("T")
S = TypeVar("S", bound=Signal)
E = TypeVar("E", bound=CallEvent)
_numbers: Final = itertools.count(1)


class Place(Protocol):
    """A server to call over."""

    @property
    def url(self) -> str: ...
    @property
    def domain(self) -> str: ...
    def token(self, user: str, /) -> str: ...


@dataclass
class Member:
    """One user: a phone, what is under it, and the calls that it was too busy for."""

    phone: Phone
    transport: xmpp.XmppTransport
    _rings: AsyncIterator[VoiceCall] | None = None

    @property
    def jid(self) -> str:
        """The device's address."""
        return self.transport.jid

    @property
    def account(self) -> str:
        """The user's address."""
        return self.jid.partition("/")[0]

    async def rung(self) -> VoiceCall:
        """The next call that rings here."""
        self._rings = self._rings or aiter(self.phone)
        return await soon(anext(self._rings))


def connect(place: Place, user: str, **options: Any) -> xmpp.XmppTransport:
    """A transport of `user`, not entered yet; `url` leads elsewhere than to the place itself."""
    url = options.pop("url", place.url)
    return xmpp.connect(url, lambda: place.token(user), domain=place.domain, **options)


def name(user: str) -> str:
    """A user that nobody else is, however long a server remembers."""
    return f"{user}-{next(_numbers)}"


def voice(hz: int, options: RtcOptions = LOOPBACK) -> RtcMedia:
    """Real voice that says a tone, for ever."""
    return RtcMedia(options, lambda call_id: Voice(Tone(hz, LEVEL)))


@asynccontextmanager
async def party(
    place: Place,
    user: str,
    *,
    hz: int = 440,
    media: Media | None = None,
    link: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Member]:
    """A new user with a phone; `link` are options of its transport, `options` those of its phone.

    With a `-` in it `user` is a name already, of one who has another device perhaps.
    """
    user = user if "-" in user else name(user)
    async with (
        connect(place, user, **(link or {})) as transport,
        AobaVoiceCallSignalingClient(transport) as client,
        Phone(client, media or voice(hz), caller_name=user, **options) as phone,
    ):
        yield Member(phone, transport)


async def talk(caller: Member, callee: Member) -> tuple[VoiceCall, VoiceCall]:
    """A call that is connected, at both ends."""
    ours = await caller.phone.dial(callee.account)
    theirs = await callee.rung()
    theirs.accept()
    await soon(asyncio.gather(ours.connected(), theirs.connected()))
    return ours, theirs


async def soon(awaitable: Awaitable[T], seconds: float = PATIENCE) -> T:
    """Await it, not for ever."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def over(call: VoiceCall) -> tuple[EndReason, Party]:
    """How and by whom it was ended; a duration only says that it was connected."""
    ended: Ended = await soon(call.ended)
    assert (ended.duration is not None) == call.is_connected
    return ended.reason, ended.by


async def told(call: VoiceCall, kind: type[E]) -> E:
    """The next event of this kind, of those not read yet; others on the way are passed over."""

    async def look() -> E:
        async for event in call:
            if isinstance(event, kind):
                return event
        raise AssertionError(f"the call ended without {kind.__name__}")

    return await soon(look())


def ear(call: VoiceCall) -> Ear:
    """An ear at the call's end, from now on."""
    session = call.session
    assert isinstance(session, RtcSession)
    session.voice.attach(listener := Ear())
    return listener


async def hears(call: VoiceCall, hz: int) -> None:
    """Half a second of the tone `hz` arrives whole and as loud as it was said: at once, or after what a busy machine lost."""
    listener = ear(call)

    def found() -> tuple[float, float]:
        heard = b"".join(listener.frames[-25:])
        return (pitch(heard), rms(heard)) if heard else (0, 0)

    def is_whole() -> bool:
        frequency, level = found()
        is_tone = abs(frequency - hz) < 5 and LEVEL * 0.8 < level < LEVEL * 1.1
        return len(listener.frames) >= 25 and is_tone

    try:
        await listener.until(is_whole)
    except TimeoutError:
        raise AssertionError(f"{hz} Hz never came; the last is {found()}") from None


async def hears_nothing(call: VoiceCall) -> None:
    """A fifth of a second of silence arrives, frame by frame."""
    listener = ear(call)
    await listener.until(
        lambda: len(listener.frames) >= 10 and rms(b"".join(listener.frames[-10:])) < 0.001
    )


async def both_hear(ours: VoiceCall, theirs: VoiceCall, hz: tuple[int, int] = (440, 1000)) -> None:
    """Each hears the other's tone: `hz` are ours and theirs."""
    await asyncio.gather(hears(ours, hz[1]), hears(theirs, hz[0]))


@dataclass
class Script:
    """A peer that says what a test tells it to, by the generated plug, and notes what it is told."""

    transport: xmpp.XmppTransport
    plug: CallPlug
    heard: list[Signal] = field(default_factory=list)
    _change: asyncio.Event = field(default_factory=asyncio.Event)
    _stamp: int = 0

    @property
    def jid(self) -> str:
        return self.transport.jid

    def stamp(self) -> int:
        """A timestamp that no signal had before."""
        self._stamp = max(time.time_ns() // 1_000_000, self._stamp + 1)
        return self._stamp

    async def say(
        self, to: str, kind: Callable[..., Signal], call_id: str, *content: Any
    ) -> Signal:
        """Send a new signal; raises the fault that it is answered with."""
        signal = kind(call_id, self.stamp(), *content)
        await self.plug.send(signal, to)
        return signal

    async def initiate(self, to: str) -> str:
        """Begin a call; its id."""
        call_id = new_uuid()
        await self.say(to, Initiate, call_id)
        return call_id

    async def told(self, kind: type[S]) -> S:
        """The first signal of this kind that has come or comes, taken from `heard`."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for signal in self.heard:
                    if isinstance(signal, kind):
                        self.heard.remove(signal)
                        return signal
                self._change.clear()
                await self._change.wait()

    def _hear(self, signal: Signal, incoming: Incoming) -> None:
        self.heard.append(signal)
        self._change.set()


@asynccontextmanager
async def script(place: Place, user: str, **link: Any) -> AsyncIterator[Script]:
    """A new user who follows no rules; with a `-` in it `user` is a name already."""
    user = user if "-" in user else name(user)
    async with (
        connect(place, user, **link) as transport,
        AobaVoiceCallSignalingClient(transport) as client,
    ):
        plug = client._call_plug()
        assert plug is not None
        peer = Script(transport, plug)
        end = plug.listen(peer._hear)
        yield peer
        end()
