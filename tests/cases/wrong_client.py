"""A client that gets everything wrong: both type checkers complain on exactly the marked lines."""

from __future__ import annotations

from aoba_runtime import Incoming
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient, decode
from aoba_voice_call_signaling.models import (
    CallBusy,
    CallHangup,
    CallHangupPayload,
    CallInitiate,
    CallOffer,
    EndReason,
    SdpPayload,
    SdpPayloadType,
    SignalType,
)


async def main(client: AobaVoiceCallSignalingClient, offer: CallOffer, busy: CallBusy) -> None:
    await client.send_busy(offer)  # expect-error
    await client.send_offer(busy)  # expect-error
    await client.send_busy(busy, to=7)  # expect-error
    await client.send_busy(message=busy, recipient="bob")  # expect-error
    await client.send_busy({"type": "call:busy"})  # expect-error
    await client.send_bsuy(busy)  # expect-error

    def ring(message: CallOffer) -> None: ...
    def loud(message: CallInitiate, incoming: str) -> None: ...
    def three(message: CallInitiate, incoming: Incoming, more: int) -> None: ...
    async def right(message: CallInitiate, incoming: Incoming) -> None: ...

    client.on_call_initiate(ring)  # expect-error
    client.on_call_initiate(loud)  # expect-error
    client.on_call_initiate(three)  # expect-error
    client.on_call_initiate(right)
    client.on_call_initiate = ring  # expect-error
    client.on_call_busy.remove(ring)  # expect-error

    @client.on_call_hangup  # expect-error
    def ended(message: CallBusy) -> None: ...

    AobaVoiceCallSignalingClient()  # expect-error
    AobaVoiceCallSignalingClient("wss://api.aoba.chat")  # expect-error

    CallInitiate()
    CallBusy()  # expect-error
    CallOffer(call_id="")  # expect-error
    CallBusy(call_id="", callid="")  # expect-error
    CallBusy(call_id=7)  # expect-error
    CallBusy(call_id="", type=SignalType.CALL_OFFER)  # expect-error
    CallHangupPayload(reason="completed")  # expect-error
    CallHangupPayload(reason=EndReason.BUSY, duration="3")  # expect-error
    SdpPayload(type="offer", sdp="")  # expect-error
    SdpPayload(type=SdpPayloadType.OFFER, sdp=None)  # expect-error

    busy.call_id = None  # expect-error
    busy.type = SignalType.CALL_OFFER  # expect-error
    busy.payload.reason  # expect-error

    signal = decode("")
    signal.payload.sdp  # expect-error
    if isinstance(signal, CallHangup):
        signal.payload.sdp  # expect-error
    if signal.type is SignalType.CALL_OFFER:
        signal.payload.reason  # expect-error
