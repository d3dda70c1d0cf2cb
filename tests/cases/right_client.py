"""A client as its user writes it; both type checkers accept every line, and it runs."""

from __future__ import annotations

import asyncio

from aoba_runtime import Incoming, Transport, loopback
from aoba_voice_call_signaling import MESSAGES, AobaVoiceCallSignalingClient, decode
from aoba_voice_call_signaling.models import (
    CallAccept,
    CallBusy,
    CallHangup,
    CallHangupPayload,
    CallIceCandidate,
    CallInitiate,
    CallInitiatePayload,
    CallOffer,
    EndReason,
    IceCandidatePayload,
    SdpPayload,
    SdpPayloadType,
    SignalType,
)


async def main() -> list[str]:
    heard: list[str] = []
    one, two = loopback.pair()
    transport: Transport = one
    async with (
        AobaVoiceCallSignalingClient(transport) as alice,
        AobaVoiceCallSignalingClient(two) as bob,
    ):
        accepted = asyncio.Event()

        @bob.on_call_initiate
        async def ring(message: CallInitiate, incoming: Incoming) -> None:
            heard.append(f"{incoming.sender}: {message.payload.caller_name}")
            await bob.accept_call(CallAccept(call_id=message.call_id), to=incoming.sender)

        @alice.on_call_accept
        def accept(message: CallAccept) -> None:
            accepted.set()

        bob.on_call_offer(lambda message: heard.append(message.payload.sdp))
        bob.on_call_ice_candidate(
            lambda message, incoming: heard.append(message.payload.sdp_mid or "-")
        )
        bob.on_call_hangup(lambda message: heard.append(message.payload.reason.value))
        alice.on_call_accept.remove(alice.on_call_accept(accept))

        call = CallInitiate(payload=CallInitiatePayload(caller_name="Alice"))
        await alice.initiate_call(call, to="bob@localhost")
        await accepted.wait()
        sdp = SdpPayload(type=SdpPayloadType.OFFER, sdp="v=0")
        await alice.send_offer(CallOffer(call_id=call.call_id, payload=sdp))
        candidate = IceCandidatePayload(candidate="", sdp_mid=None, sdp_m_line_index=0)
        await alice.send_ice_candidate(CallIceCandidate(call_id=call.call_id, payload=candidate))
        reason = CallHangupPayload(reason=EndReason.COMPLETED, duration=None)
        await alice.send_hangup(CallHangup(call_id=call.call_id, payload=reason))

    signal = decode(MESSAGES["CallBusy"].encode(CallBusy(call_id=call.call_id)))
    if signal.type is SignalType.CALL_OFFER:
        heard.append(signal.payload.sdp)  # narrowed to CallOffer
    if isinstance(signal, CallHangup):
        heard.append(signal.payload.reason)
    match signal:
        case CallBusy(call_id=call_id):
            heard.append("busy" if call_id == call.call_id else call_id)
        case _:
            raise AssertionError
    return heard
