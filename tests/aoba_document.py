"""What the tests of the committed client share: its document, the examples in it, and signals as JSON data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from aoba_voice_call_signaling import models

ROOT = Path(__file__).parents[1]
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(
    (ROOT / "spec" / "voice-call-signaling.yaml").read_text()
)
COMPONENTS: Final = DOCUMENT["components"]
SIGNALS: Final = list(COMPONENTS["messages"])
EXAMPLES: Final = {
    f"{name}-{example['name']}": (name, example["payload"])
    for name, message in COMPONENTS["messages"].items()
    for example in message["examples"]
}
CALL_ID: Final = "3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f"
SDP: Final = models.SdpPayload(type=models.SdpPayloadType.OFFER, sdp="v=0\r\n")


def wire(name: str, payload: object = None, **fields: object) -> dict[str, object]:
    """A signal as JSON data; its payload is that of the minimal example unless one is given."""
    minimal = EXAMPLES[f"{name}-minimal"][1]
    return {**minimal, **({} if payload is None else {"payload": payload}), **fields}


HOOKS: Final = {
    "CallInitiate": "on_call_initiate",
    "CallAccept": "on_call_accept",
    "CallReject": "on_call_reject",
    "CallOffer": "on_call_offer",
    "CallAnswer": "on_call_answer",
    "CallIceCandidate": "on_call_ice_candidate",
    "CallHangup": "on_call_hangup",
    "CallBusy": "on_call_busy",
    "CallMuteChange": "on_call_mute_change",
}
