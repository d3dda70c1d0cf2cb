"""One voice call between two generated clients in one process, drawn as it happens.

Alice's side reads from top to bottom and awaits what it is told; Bob's side only reacts, in hooks. Between them is a
loopback link that carries every signal as bytes. `make demo` generates the client into out/ and runs this.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import ClassVar, TypeVar

from aoba_runtime import Hook, Incoming, Outgoing, loopback
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient as Client
from aoba_voice_call_signaling import decode, models
from aoba_voice_call_signaling.messages import CallSignalingMessage

T = TypeVar("T")


def inbox(hook: Hook[T]) -> asyncio.Queue[T]:
    """What a hook receives, as a queue: for code that awaits its signals in line."""
    queue: asyncio.Queue[T] = asyncio.Queue()
    hook(queue.put_nowait)
    return queue


async def call(alice: Client, diagram: list[str]) -> None:
    """The caller. Each send returns when the other end has acknowledged the signal."""
    accepts, answers = inbox(alice.on_call_accept), inbox(alice.on_call_answer)
    received = inbox(alice.on_call_ice_candidate)
    caller = models.CallInitiatePayload(caller_name="Alice Tanaka")
    initiate = models.CallInitiate(payload=caller)  # its call_id is new, its timestamp now
    call_id = initiate.call_id
    await alice.initiate_call(initiate)
    await accepts.get()
    offer = description(models.SdpPayloadType.OFFER)
    await alice.send_offer(models.CallOffer(call_id=call_id, payload=offer))
    await answers.get()
    for payload in candidates("192.0.2.17", "203.0.113.45"):
        await alice.send_ice_candidate(models.CallIceCandidate(call_id=call_id, payload=payload))
    while (await received.get()).payload.candidate:
        pass  # a WebRTC stack would take it; an empty one says that no more will come
    diagram.append("[each has the other's candidates: media would flow now]")
    connected = time.monotonic()
    mute = models.CallMuteChangePayload(muted=True)
    await alice.send_mute_change(models.CallMuteChange(call_id=call_id, payload=mute))
    duration = round(time.monotonic() - connected)
    bye = models.CallHangupPayload(reason=models.EndReason.COMPLETED, duration=duration)
    await alice.send_hangup(models.CallHangup(call_id=call_id, payload=bye))


def take_calls(bob: Client) -> asyncio.Queue[models.CallHangup]:
    """The callee: a hook for each signal. A signal that no hook takes is refused, and its sender told."""

    @bob.on_call_initiate
    async def ring(signal: models.CallInitiate, incoming: Incoming) -> None:
        await bob.accept_call(models.CallAccept(call_id=signal.call_id), to=incoming.sender)

    @bob.on_call_offer
    async def answer(signal: models.CallOffer, incoming: Incoming) -> None:
        sdp = description(models.SdpPayloadType.ANSWER)
        reply = models.CallAnswer(call_id=signal.call_id, payload=sdp)
        await bob.send_answer(reply, to=incoming.sender)
        for payload in candidates("192.0.2.99", "198.51.100.23"):
            candidate = models.CallIceCandidate(call_id=signal.call_id, payload=payload)
            await bob.send_ice_candidate(candidate, to=incoming.sender)

    inbox(bob.on_call_ice_candidate)
    inbox(bob.on_call_mute_change)
    return inbox(bob.on_call_hangup)


SDP = """\
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:vp0A
a=ice-pwd:7QHCQroAqY/bG0YhJ59DxfuY
a=fingerprint:sha-256 F6:4F:BB:A3:3C:9A:41:51:81:08:8F:40:FC:09:AB:B3:05:68:E6:55:09:F8:D5:FB:2A:74:97:4B:06:03:77:07
a=setup:{setup}
a=mid:0
a=rtpmap:111 opus/48000/2
"""


def description(kind: models.SdpPayloadType) -> models.SdpPayload:
    """What a WebRTC stack would supply, and so are the candidates; the addresses are documentation's (RFC 5737)."""
    setup = "actpass" if kind == models.SdpPayloadType.OFFER else "active"
    return models.SdpPayload(type=kind, sdp=SDP.format(setup=setup).replace("\n", "\r\n"))


def candidates(local: str, public: str) -> Iterator[models.IceCandidatePayload]:
    host = f"candidate:1 1 udp 2122260223 {local} 54609 typ host"
    srflx = f"candidate:2 1 udp 1686052607 {public} 54609 typ srflx raddr {local} rport 54609"
    for text in (host, srflx, ""):
        yield models.IceCandidatePayload(candidate=text, sdp_mid="0")


def detail(signal: CallSignalingMessage) -> str:
    match signal:
        case models.CallInitiate(payload=payload):
            return f"{payload.caller_name}, {' and '.join(payload.media)}"
        case models.CallOffer(payload=payload) | models.CallAnswer(payload=payload):
            return f"SDP {payload.type}, {len(payload.sdp)} bytes"
        case models.CallIceCandidate(payload=payload):
            return " ".join(payload.candidate.split()[4:8]) or "no more"
        case models.CallMuteChange(payload=payload):
            return f"muted: {payload.muted}"
        case models.CallHangup(payload=payload):
            return f"{payload.reason}, after {payload.duration} s"
    return ""


class Drawn(loopback.Endpoint):
    """One end of the link, which draws an arrow for each signal that the other end acknowledged."""

    diagram: ClassVar[list[str]] = []
    steps: ClassVar[dict[str, int]] = {}

    async def send(self, message: Outgoing) -> None:
        place, begun = len(self.diagram), time.perf_counter()
        self.diagram.append("")
        await super().send(message)  # raises a Fault when the other end refuses
        spent = f"{(time.perf_counter() - begun) * 1000:.2f} ms"
        signal = decode(message.data)
        step = self.steps.setdefault(signal.type, len(self.steps) + 1)
        arrow = "─" * 63 + "►" if self.name.startswith("alice") else "◄" + "─" * 63
        what = f"{step}. {signal.type}  {detail(signal)}"
        self.diagram[place] = f"{what:<53}{spent:>11}\n{arrow}"


async def main() -> None:
    near, far = Drawn("alice@localhost/web", 10), Drawn("bob@localhost/phone", 10)
    near.join(far)
    async with Client(near) as alice, Client(far) as bob:
        ended = take_calls(bob)
        await call(alice, Drawn.diagram)
        hangup = await ended.get()
    print(f"{near.name:<53}{far.name:>19}")
    print(*(f"  │  {row:64}  │" for row in "\n\n".join(Drawn.diagram).splitlines()), sep="\n")
    print(f"Call {hangup.call_id} is over. Every arrow was acknowledged by the other end.")


if __name__ == "__main__":
    asyncio.run(main())
