"""Strict reading of the peer's session description (RFC 8866, RFC 9429), and writing it anew for the engine.

The engine's parser trusts its input: it asserts, indexes and converts whatever stands there. So a description is read
here by the few lines that voice needs, and what the engine gets is written from the values, never the peer's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .media import BadMedia
from .rtc_candidates import RemoteCandidate

LARGEST: Final = 64 * 1024
"""Characters of a description; a browser's for voice has about 2,000."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_DIGESTS: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_PAIRS: Final = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")
_OPUS: Final = re.compile(r"([0-9]{1,3}) opus/48000/2", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"([0-9]{1,2})(?:/[a-z]+)? (\S{1,200})")
_EXTENSIONS: Final = {
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
}
_DIRECTIONS: Final = {"sendrecv", "sendonly", "recvonly", "inactive"}


@dataclass(frozen=True, slots=True)
class Description:
    """What a peer says of its voice; every value is checked. `payload` is the RTP payload type of Opus."""

    mid: str
    payload: int
    direction: str
    username: str
    password: str
    lite: bool
    setup: str
    fingerprints: tuple[tuple[str, str], ...]
    extensions: tuple[tuple[int, str], ...]
    ssrc: int | None
    candidates: tuple[RemoteCandidate, ...]
    complete: bool

    @property
    def names(self) -> tuple[RemoteCandidate, ...]:
        """The candidates that `text` leaves out: the engine would look them up one after the other before anything."""
        return tuple(one for one in self.candidates if one.is_name)

    def text(self) -> str:
        """A session description for the engine, without `names` and, where there are any, not said to be complete."""
        lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
        lines += ["a=ice-lite"] if self.lite else []
        lines += [
            f"a=group:BUNDLE {self.mid}",
            f"m=audio 9 UDP/TLS/RTP/SAVPF {self.payload}",
            "c=IN IP4 0.0.0.0",
            f"a={self.direction}",
            f"a=mid:{self.mid}",
            "a=rtcp-mux",
            f"a=rtpmap:{self.payload} opus/48000/2",
            f"a=ice-ufrag:{self.username}",
            f"a=ice-pwd:{self.password}",
            f"a=setup:{self.setup}",
        ]
        lines += [f"a=extmap:{number} {uri}" for number, uri in self.extensions]
        lines += [f"a=fingerprint:{kind} {digest}" for kind, digest in self.fingerprints]
        lines += [f"a=ssrc:{self.ssrc} cname:peer"] if self.ssrc is not None else []
        lines += [f"a=candidate:{one.line}" for one in self.candidates if not one.is_name]
        lines += ["a=end-of-candidates"] if self.complete and not self.names else []
        return "".join(f"{line}\r\n" for line in lines)


def read_description(
    sdp: str, *, offer: bool, candidate: Callable[[str], RemoteCandidate | None]
) -> Description:
    """The peer's description; `candidate` reads or drops each candidate in it. Raises `BadMedia` and says why."""
    if len(sdp) > LARGEST:
        raise BadMedia(f"the session description has {len(sdp)} characters, more than {LARGEST}")
    lines = sdp.splitlines()
    if not lines or lines[0] != "v=0":
        raise BadMedia("this is no session description: it does not begin with v=0")
    sections = [at for at, line in enumerate(lines) if line.startswith("m=")]
    kinds = [lines[at][2:].partition(" ")[0] for at in sections]
    if kinds != ["audio"]:
        found = ", ".join(kind[:20] for kind in kinds[:5]) or "none"
        raise BadMedia(f"a voice call has one section, audio; the session description has: {found}")
    head = lines[sections[0]].split(" ")
    if len(head) < 4 or head[1] == "0" or not head[2].startswith("UDP/TLS/RTP/SAVP"):
        raise BadMedia("the audio section is rejected or is not encrypted (UDP/TLS/RTP/SAVPF)")
    return _Section(lines, offer).description(candidate)


class _Section:
    """The attributes of a description by name, the audio section's before the session's."""

    def __init__(self, lines: list[str], offer: bool) -> None:
        self._offer = offer
        self._values: dict[str, list[str]] = {}
        for line in reversed(lines):
            if line.startswith("a="):
                name, _, value = line[2:].partition(":")
                self._values.setdefault(name, []).insert(0, value)

    def description(self, candidate: Callable[[str], RemoteCandidate | None]) -> Description:
        """All values, checked."""
        if "rtcp-mux" not in self._values:
            raise BadMedia("the peer does not put RTP and RTCP on one port (a=rtcp-mux)")
        directions = [name for name in self._values if name in _DIRECTIONS]
        texts = self._values.get("candidate", [])
        return Description(
            mid=self._one("mid", _TOKEN),
            payload=self._payload(),
            direction=directions[0] if directions else "sendrecv",
            username=self._one("ice-ufrag", _UFRAG),
            password=self._one("ice-pwd", _PASSWORD),
            lite="ice-lite" in self._values,
            setup=self._setup(),
            fingerprints=self._fingerprints(),
            extensions=self._extensions(),
            ssrc=self._ssrc(),
            candidates=tuple(one for one in map(candidate, texts) if one is not None),
            complete="end-of-candidates" in self._values,
        )

    def _one(self, name: str, form: re.Pattern[str]) -> str:
        values = self._values.get(name)
        if not values:
            raise BadMedia(f"the session description has no a={name}")
        if not form.fullmatch(values[-1]):
            raise BadMedia(f"a={name} in the session description is malformed: {values[-1][:40]!r}")
        return values[-1]

    def _payload(self) -> int:
        matches = (_OPUS.fullmatch(value.strip()) for value in self._values.get("rtpmap", []))
        found = next((int(match[1]) for match in matches if match), None)
        if found is None:
            raise BadMedia("the peer does not offer Opus, the codec of every WebRTC endpoint")
        if not 0 <= found < 128 or 64 <= found < 96:  # RFC 5761 section 4: taken for RTCP
            raise BadMedia(f"payload type {found} cannot be told from RTCP")
        return found

    def _setup(self) -> str:
        allowed = {"actpass", "active", "passive"} if self._offer else {"active", "passive"}
        setup = self._one("setup", _TOKEN)
        if setup not in allowed:
            raise BadMedia(
                f"a=setup:{setup} is not possible here; expected {' or '.join(sorted(allowed))}"
            )
        return setup

    def _fingerprints(self) -> tuple[tuple[str, str], ...]:
        found = []
        for value in self._values.get("fingerprint", [])[:8]:
            kind, _, digest = value.strip().partition(" ")
            size = _DIGESTS.get(kind.lower())
            if size and len(digest) == 3 * size - 1 and _PAIRS.fullmatch(digest):
                found.append((kind.lower(), digest.upper()))
        if not found:
            raise BadMedia(
                "the session description has no a=fingerprint of SHA-256, SHA-384 or SHA-512"
            )
        return tuple(found)

    def _extensions(self) -> tuple[tuple[int, str], ...]:
        matches = (_EXTENSION.fullmatch(value) for value in self._values.get("extmap", []))
        pairs = {match[2]: int(match[1]) for match in matches if match and 0 < int(match[1]) < 15}
        return tuple((number, uri) for uri, number in pairs.items() if uri in _EXTENSIONS)

    def _ssrc(self) -> int | None:
        for value in self._values.get("ssrc", []):
            number = value.partition(" ")[0]
            if number.isascii() and number.isdigit() and len(number) < 11 and int(number) < 1 << 32:
                return int(number)
        return None
