"""The signals that benchmarks send: one small, one large, as plain JSON and as generated models."""

from __future__ import annotations

from typing import Any

from aoba_voice_call_signaling import models

CALL_ID = "3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f"
TIMESTAMP = 1_790_000_000_000
KINDS = ("candidate", "offer")

SDP = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + "".join(
    f"a=rtpmap:{number} opus/48000/2\r\na=fmtp:{number} minptime=10;useinbandfec=1\r\n"
    for number in range(69)
)


def signal(kind: str, number: int) -> dict[str, Any]:
    """A signal as plain JSON; the number makes it unlike all others, since one that is repeated is not delivered."""
    signal: dict[str, Any] = {"callId": CALL_ID, "timestamp": TIMESTAMP + number}
    if kind == "candidate":
        line = f"candidate:1 1 udp 2122260223 10.0.0.1 {number:08} typ host"
        payload = {"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0}
        return signal | {"type": "call:ice-candidate", "payload": payload}
    return signal | {"type": "call:offer", "payload": {"type": "offer", "sdp": SDP}}


def model(kind: str, number: int) -> models.CallIceCandidate | models.CallOffer:
    """The same as a generated model."""
    if kind == "candidate":
        line = f"candidate:1 1 udp 2122260223 10.0.0.1 {number:08} typ host"
        candidate = models.IceCandidatePayload(candidate=line, sdp_mid="0", sdp_m_line_index=0)
        return models.CallIceCandidate(
            call_id=CALL_ID, timestamp=TIMESTAMP + number, payload=candidate
        )
    offer = models.SdpPayload(type=models.SdpPayloadType.OFFER, sdp=SDP)
    return models.CallOffer(call_id=CALL_ID, timestamp=TIMESTAMP + number, payload=offer)
