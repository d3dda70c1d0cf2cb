"""The voice of calls on aiortc: sessions that gather while it rings, refuse what could harm, and notice a silent peer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Final

from .extras import require_extra

require_extra("media", __name__, "aiortc", "aioice", "av", "numpy", "pylibsrtp")

from aiortc import RTCIceCandidate, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError
from aiortc.stats import RTCRemoteInboundRtpStreamStats

from .audio import FRAME_SECONDS, Voice
from .audio_levels import mos
from .audio_stream import Listener, Speech
from .media import (
    BadMedia,
    Connected,
    Failed,
    FirstAudio,
    LocalCandidate,
    MediaEvent,
    PeerClosed,
    Resumed,
    Stalled,
    Stats,
)
from .rtc_candidates import RemoteCandidate, read_candidate
from .rtc_clock import Clock
from .rtc_codec import OpusEncoder
from .rtc_engine import connect, let_go
from .rtc_gather import addresses_for
from .rtc_options import IceServer, RtcOptions
from .rtc_packets import Outgoing
from .rtc_playout import Playout
from .rtc_sdp import read_description
from .signals import Candidate

__all__ = ["IceServer", "RtcMedia", "RtcOptions", "RtcSession", "addresses_for"]

CLOSING: Final = 3.0
"""Seconds given to the goodbye; a TURN server that is gone must not hold up the end of a call."""
QUIET: Final = 3.0
"""Seconds without a packet after which a connection that closes was lost rather than closed by the peer."""

logger = logging.getLogger(__name__)


class RtcMedia:
    """Makes the voice of calls (`Media`); `voice` makes what is said and heard in a call, by its id."""

    def __init__(
        self,
        options: RtcOptions | None = None,
        voice: Callable[[str], Voice] = lambda call_id: Voice(),
    ) -> None:
        self._options = options or RtcOptions()
        self._voice = voice
        self._sessions = 0

    def session(self, call_id: str, notify: Callable[[MediaEvent], None]) -> RtcSession:
        """The voice of a new call; to be called on the event loop."""
        options, voice = self._options, self._voice(call_id).for_a_call()
        complexity = options.complexity_among(self._sessions)
        self._sessions += 1
        return RtcSession(options, notify, voice, complexity, self._left)

    def _left(self) -> None:
        self._sessions -= 1


class RtcSession:
    """One call's voice (`MediaSession`)."""

    def __init__(
        self,
        options: RtcOptions,
        notify: Callable[[MediaEvent], None],
        voice: Voice,
        complexity: int,
        ended: Callable[[], None],
    ) -> None:
        self.voice = voice
        self.refused = 0
        """Candidates of the peer's that were dropped: hostile, useless, or too many."""
        self._options = options
        self._notify = notify
        self._playout = Playout()
        self._encoder = OpusEncoder(options.bitrate, complexity)
        self._at_end = ended
        self._clock = Clock(self._tick)
        self._tasks: set[asyncio.Task[None]] = set()
        self._peer, self._transceiver, self._gatherer = connect(options, self._arrived, self._spawn)
        self._outgoing = Outgoing(self._transceiver, self._clock.start)
        self._peer.on("connectionstatechange", self._changed)
        self._gathering: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._over = False
        self._remote: tuple[str, str] | None = None
        self._early: list[Candidate] = []
        self._addresses: set[tuple[str, int]] = set()
        self._connected = False
        self._first_audio = False
        self._quiet = 0.0
        self._stalled = False
        self._ended = False

    async def prepare(self) -> None:
        """Gather candidates ahead, while it rings."""
        self._check_open()
        if self._gathering is None:
            gatherer = self._transceiver.receiver.transport.transport.iceGatherer
            self._gathering = asyncio.create_task(gatherer.gather())
        await asyncio.shield(self._gathering)
        self._check_open()

    async def offer(self) -> str:
        """The caller's session description."""
        await self.prepare()
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return self._describe()

    async def answer(self, sdp: str) -> str:
        """Take the caller's session description and give ours."""
        await self._take(sdp, "offer")
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        self._negotiated()
        return self._describe()

    async def accept_answer(self, sdp: str) -> None:
        """Take the callee's session description."""
        await self._take(sdp, "answer")
        self._negotiated()

    async def add_candidate(self, candidate: Candidate) -> None:
        """Try a way to the peer; those that come before its session description wait for it."""
        if self._over:
            return
        if self._remote is not None:
            self._try(candidate)
        elif len(self._early) < self._options.max_candidates:
            self._early.append(candidate)
        else:
            self.refused += 1

    def audio(self, rate: int = 16_000, seconds: float = 5.0) -> Listener:
        """What the peer says, to be iterated over: `async for pcm in session.audio(rate=16000)`; see `Listener`."""
        listener = Listener(rate, seconds)
        self.voice.attach(listener)
        return listener

    def speech(self, rate: int = 16_000, seconds: float = 10.0) -> Speech:
        """A way to say PCM from now on: `await session.speech(rate=24000).write(pcm)`; see `Speech`."""
        speech = Speech(rate, seconds)
        self.voice.source = speech
        return speech

    def mute(self, muted: bool) -> None:
        """Send silence, or the source again; packets go on."""
        self.voice.muted = muted

    async def stats(self) -> Stats:
        """How it goes; the round-trip time is known some seconds after the start."""
        report = await self._transceiver.sender.getStats()
        sent, round_trip = 0, None
        for one in report.values():
            if isinstance(one, RTCRemoteInboundRtpStreamStats) and one.roundTripTime is not None:
                round_trip = max(0.0, one.roundTripTime)  # it is counted by two clocks
            sent = max(sent, getattr(one, "packetsSent", 0) if one.type == "outbound-rtp" else 0)
        arrivals = self._playout.arrivals
        loss = arrivals.loss(asyncio.get_running_loop().time())
        delay = (round_trip or 0.0) / 2 + (self._playout.waiting + 2) * FRAME_SECONDS
        return Stats(
            sent_packets=sent,
            received_packets=arrivals.received,
            lost_packets=arrivals.lost,
            loss=loss,
            jitter=arrivals.jitter,
            round_trip_time=round_trip,
            mos=mos(loss, delay) if arrivals.received else None,
            local_level=self.voice.local_level,
            remote_level=self.voice.remote_level,
        )

    async def aclose(self) -> None:
        """End it; nothing is left running. Safe to call twice, and at any moment."""
        if self._closing is None:
            self._over = True
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._gatherer.stop()
        for task in self._tasks:
            task.cancel()
        waiting = [*self._tasks, *([self._gathering] if self._gathering else [])]
        if waiting:
            await asyncio.wait(waiting, timeout=CLOSING)
        self._clock.stop()
        closing = asyncio.create_task(self._peer.close())
        done, _ = await asyncio.wait([closing], timeout=CLOSING)
        if not done:
            logger.info("the connection did not close within %s s; it is dropped", CLOSING)
            closing.cancel()
            let_go(self._transceiver)
            await asyncio.wait([closing])
        self._at_end()
        self.voice.close()
        for _ in range(3):  # what aiortc has scheduled for its end runs first
            await asyncio.sleep(0)

    async def _take(self, sdp: str, kind: str) -> None:
        self._check_open()
        description = read_description(sdp, offer=kind == "offer", candidate=self._read)
        await self.prepare()  # told of no candidate at all, aioice would gather none either
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(description.text(), kind))
        except (ValueError, InternalError, InvalidAccessError, InvalidStateError) as error:
            self._check_open()
            raise BadMedia(f"the {kind} cannot be used: {error}") from None
        self._remote = description.mid, description.username
        for found in description.names:
            self._spawn(self._add(found))
        if description.names and description.complete:
            self._spawn(self._add(None))
        early, self._early = self._early, []
        for candidate in early:
            self._try(candidate)

    def _read(self, text: str) -> RemoteCandidate | None:
        """The candidate if it is a good one and new; else it is counted."""
        found = read_candidate(text, self._options)
        if found is not None and (found.host, found.port) in self._addresses:
            return None
        if found is None or len(self._addresses) >= self._options.max_candidates:
            self.refused += 1
            return None
        self._addresses.add((found.host, found.port))
        return found

    def _try(self, candidate: Candidate) -> None:
        assert self._remote is not None
        mid, username = self._remote
        if (
            candidate.sdp_mid not in (None, mid)
            or candidate.sdp_mline_index not in (None, 0)
            or candidate.username_fragment not in (None, "", username)
        ):
            self.refused += 1
            return
        found = self._read(candidate.candidate) if candidate.candidate else None
        if found is not None or not candidate.candidate:
            # Looking up a .local name takes up to a second, in which the next signal must be read.
            self._spawn(self._add(found))

    async def _add(self, found: RemoteCandidate | None) -> None:
        """Give it to the engine; `None` says that it was the last one."""
        try:
            await self._peer.addIceCandidate(self._of_engine(found) if found else None)
        except (OSError, ValueError) as error:  # for one, no multicast to ask for .local names
            self.refused += 1
            logger.debug("the candidate %s could not be tried: %s", found, error)

    def _of_engine(self, found: RemoteCandidate) -> RTCIceCandidate:
        assert self._remote is not None
        return RTCIceCandidate(
            component=1,
            foundation=found.foundation,
            ip=found.host,
            port=found.port,
            priority=found.priority,
            protocol="udp",
            type=found.kind,
            sdpMid=self._remote[0],
            sdpMLineIndex=0,
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        logger.debug("the engine gave up", exc_info=error)
        self._fail(f"the engine gave up: {str(error) or type(error).__name__}")

    def _check_open(self) -> None:
        if self._over:
            raise BadMedia("the call has ended meanwhile")

    def _describe(self) -> str:
        """Our session description, once everything in it is known; tells our candidates one by one."""
        self._check_open()
        sdp = self._peer.localDescription.sdp
        lines = sdp.splitlines()
        found = [line[2:] for line in lines if line.startswith("a=candidate:")]
        mid = next(line[6:] for line in lines if line.startswith("a=mid:"))
        username = next(line[12:] for line in lines if line.startswith("a=ice-ufrag:"))
        for text in [*found, ""]:
            self._tell(LocalCandidate(Candidate(text, mid, 0, username)))
        if not found:
            self._fail(self._why_unreachable())
        return sdp

    def _why_unreachable(self) -> str:
        problems = "; ".join(self._gatherer.problems)
        if self._options.relay_only:
            return f"no TURN server gave a relay address: {problems}"
        if problems:
            return f"there is no address to be reached at: {problems}"
        return (
            "this host has no network interface but loopback; to call on this host alone,"
            " choose 127.0.0.1 as the local address"
        )

    def _negotiated(self) -> None:
        direction = self._transceiver.currentDirection or "inactive"
        if "send" not in direction:
            self._clock.start()  # with nothing to send the engine has no beginning of it

    def _tick(self, timestamp: int) -> None:
        try:
            self._turn(timestamp)
        except Exception as error:
            self._clock.stop()
            self._give_up(error)

    def _turn(self, timestamp: int) -> None:
        frame = self.voice.say()
        if self._outgoing.open:
            self._outgoing.send(self._encoder.encode(frame), timestamp)
        self._watch()
        self.voice.hear(self._playout.frame())
        if self._playout.heard and not self._first_audio:
            self._first_audio = True
            self._tell(FirstAudio())

    def _arrived(self, stream: int, sequence: int, timestamp: int, payload: bytes) -> None:
        self._quiet = 0.0
        if self._stalled:
            self._stalled = False
            self._tell(Resumed())
        self._playout.arrive(stream, sequence, timestamp, payload)

    def _watch(self) -> None:
        """Counts ticks, not seconds: when this process itself stood still, the peer is not to blame."""
        if not self._connected or "recv" not in (self._transceiver.currentDirection or ""):
            return
        self._quiet += FRAME_SECONDS
        if self._quiet >= self._options.fail_after:
            self._fail(f"nothing came from the peer for {self._options.fail_after:g} s")
        elif self._quiet >= self._options.stall_after and not self._stalled:
            self._stalled = True
            self._tell(Stalled())

    def _changed(self) -> None:
        state = self._peer.connectionState
        if state == "connected" and not self._connected:
            self._connected = True
            self._tell(Connected())
        elif state == "failed":
            self._fail(self._why_failed())
        elif state == "closed":
            if not self._connected:
                self._fail("the connection closed before it was made")
            elif self._gatherer.lost or self._quiet > QUIET:
                self._fail(self._gatherer.lost or "the peer vanished")
            else:
                self._tell(PeerClosed())

    def _why_failed(self) -> str:
        if self._peer.iceConnectionState == "failed":
            why = "no way to the peer was found"
            problems = "; ".join(self._gatherer.problems)
            return f"{why} ({problems})" if problems else why
        return "the encryption could not be agreed (DTLS): the peer is not who its description says"

    def _fail(self, why: str) -> None:
        self._tell(Failed(why))

    def _tell(self, event: MediaEvent) -> None:
        """Soon: our description can be sent before our candidates, and what is told may call us without harm."""
        asyncio.get_running_loop().call_soon(self._deliver, event)

    def _deliver(self, event: MediaEvent) -> None:
        """Nothing follows the end."""
        if not self._over and not self._ended:
            self._ended = isinstance(event, Failed | PeerClosed)
            self._notify(event)
