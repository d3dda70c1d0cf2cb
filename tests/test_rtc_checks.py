"""What a hostile or broken peer may say about reaching it, and what becomes of it."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable

import pytest
from aiortc.sdp import SessionDescription
from aoba_runtime.media import BadMedia
from aoba_runtime.rtc import IceServer, RtcOptions
from aoba_runtime.rtc_candidates import read_candidate
from aoba_runtime.rtc_sdp import read_description
from hypothesis import given
from hypothesis import strategies as st
from voices import LOOPBACK, make_end

NAME = "6d9f4b3a-6f2d-4f0e-9a53-0c7a8be1d2f3.local"
GOOD = {
    "host": "candidate:1 1 udp 2130706431 10.77.0.1 50000 typ host",
    "without the prefix": "1 1 udp 2130706431 10.77.0.1 50000 typ host",
    "capitals": "candidate:1 1 UDP 2130706431 10.77.0.1 50000 typ host",
    "IPv6": "candidate:a+/9 1 udp 1 2001:db8::1 1 typ host",
    "of a NAT": "candidate:1 1 udp 1 203.0.113.9 65535 typ srflx raddr 0.0.0.0 rport 0 generation 0",
    "relayed": "candidate:1 1 udp 1 203.0.113.9 9 typ relay raddr 203.0.113.1 rport 99999",
    "mDNS": f"candidate:1 1 udp 2113937151 {NAME} 50000 typ host ufrag ab network-cost 999",
}
BAD = {
    "empty": "",
    "garbage": "garbage",
    "port above 65535 (it would close our socket)": "candidate:1 1 udp 1 10.0.0.1 99999 typ host",
    "port 0": "candidate:1 1 udp 1 10.0.0.1 0 typ host",
    "negative port": "candidate:1 1 udp 1 10.0.0.1 -1 typ host",
    "port in other digits": "candidate:1 1 udp 1 10.0.0.1 \u0665\u0660 typ host",
    "component 2": "candidate:1 2 udp 1 10.0.0.1 9 typ host",
    "TCP": "candidate:1 1 tcp 1 10.0.0.1 9 typ host tcptype passive",
    "a host's name": "candidate:1 1 udp 1 metadata.internal 80 typ host",
    "a .local name that is no UUID": "candidate:1 1 udp 1 printer.local 80 typ host",
    "multicast": "candidate:1 1 udp 1 224.0.0.251 5353 typ host",
    "IPv6 multicast": "candidate:1 1 udp 1 ff02::fb 5353 typ host",
    "broadcast": "candidate:1 1 udp 1 255.255.255.255 9 typ host",
    "unspecified": "candidate:1 1 udp 1 0.0.0.0 9 typ host",
    "loopback": "candidate:1 1 udp 1 127.0.0.1 53 typ host",
    "IPv6 loopback": "candidate:1 1 udp 1 ::1 53 typ host",
    "loopback in disguise": "candidate:1 1 udp 1 ::ffff:127.0.0.1 53 typ host",
    "a scope": "candidate:1 1 udp 1 fe80::1%eth0 9 typ host",
    "an octal address": "candidate:1 1 udp 1 010.0.0.1 9 typ host",
    "priority 0": "candidate:1 1 udp 0 10.0.0.1 9 typ host",
    "priority of 32 bits": "candidate:1 1 udp 4294967295 10.0.0.1 9 typ host",
    "a type of no use": "candidate:1 1 udp 1 10.0.0.1 9 typ prflx",
    "no type": "candidate:1 1 udp 1 10.0.0.1 9",
    "a second line": "candidate:1 1 udp 1 10.0.0.1 9 typ host\r\na=ice-lite",
    "too long": "candidate:1 1 udp 1 10.0.0.1 9 typ host " + "x" * 500,
}


@pytest.mark.parametrize("what", GOOD)
def test_a_good_candidate_is_read(what: str) -> None:
    found = read_candidate(GOOD[what], RtcOptions())
    assert found is not None
    assert found.line == " ".join(GOOD[what].removeprefix("candidate:").lower().split()[:8])


@pytest.mark.parametrize("what", BAD)
def test_a_bad_candidate_is_dropped(what: str) -> None:
    assert read_candidate(BAD[what], RtcOptions()) is None


def test_loopback_is_good_where_calls_stay_on_it() -> None:
    assert read_candidate(BAD["loopback"], LOOPBACK) is not None


def test_addresses_can_be_filtered() -> None:
    inside = ipaddress.ip_network("10.0.0.0/8")
    options = RtcOptions(allow=lambda address: address not in inside)
    assert read_candidate(GOOD["host"], options) is None
    assert read_candidate(GOOD["of a NAT"], options) is not None


@given(st.text(max_size=200))
def test_no_candidate_raises(text: str) -> None:
    read_candidate(text, RtcOptions())
    read_candidate(f"candidate:1 1 udp 1 10.0.0.1 9 typ host {text}", RtcOptions())


OFFER = """\
v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE audio
a=extmap-allow-mixed
a=msid-semantic: WMS 1
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2130706431 10.77.0.1 50000 typ host
a=candidate:2 1 tcp 1518280447 10.77.0.1 9 typ host tcptype active
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=ice-options:trickle
a=fingerprint:sha-256 {digest}
a=setup:actpass
a=mid:audio
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendrecv
a=msid:1 2
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=rtpmap:9 G722/8000
a=ssrc:3000000000 cname:x
""".replace("{digest}", ":".join(["AB"] * 32))


def describe(sdp: str, *, offer: bool = True) -> str:
    return read_description(
        sdp, offer=offer, candidate=lambda text: read_candidate(text, RtcOptions())
    ).text()


def test_a_description_is_written_anew_from_what_was_understood() -> None:
    text = describe(OFFER)
    parsed = SessionDescription.parse(text)
    (media,) = parsed.media
    assert [codec.name for codec in media.rtp.codecs] == ["opus"]
    assert media.rtp.codecs[0].payloadType == 111
    assert [one.ip for one in media.ice_candidates] == ["10.77.0.1"]
    assert {one.id for one in media.rtp.headerExtensions} == {1, 4}
    assert [one.ssrc for one in media.ssrc] == [3000000000]
    assert media.rtp.muxId == "audio"
    assert "rtpmap:63" not in text and " tcp " not in text


def without(name: str) -> str:
    return "".join(line for line in OFFER.splitlines(True) if not line.startswith(f"a={name}"))


HOSTILE = {
    "empty": ("", "does not begin with v=0"),
    "garbage": ("\x00\xff garbage", "does not begin with v=0"),
    "JSON": ('{"type":"offer"}', "does not begin with v=0"),
    "too large": (OFFER + "a=x\r\n" * 20_000, "more than 65536"),
    "no section": ("v=0\r\n", "the session description has: none"),
    "video beside audio": (OFFER + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "has: audio, video"),
    "two voices": (OFFER + "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\n", "has: audio, audio"),
    "a data channel": (OFFER + "m=application 9 UDP/DTLS/SCTP x\r\n", "has: audio, application"),
    "rejected": (OFFER.replace("m=audio 9 ", "m=audio 0 "), "is rejected or is not encrypted"),
    "not encrypted": (OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "is not encrypted"),
    "a short section line": (re.sub("m=audio.*", "m=audio 9", OFFER), "is not encrypted"),
    "no mid": (without("mid"), "no a=mid"),
    "no user name": (without("ice-ufrag"), "no a=ice-ufrag"),
    "no password": (without("ice-pwd"), "no a=ice-pwd"),
    "short password": (OFFER.replace("0123456789012345678901", "x"), "a=ice-pwd.*malformed: 'x'"),
    "no fingerprint": (without("fingerprint"), "no a=fingerprint of SHA-256"),
    "MD5": (OFFER.replace("sha-256", "md5"), "no a=fingerprint of SHA-256"),
    "short fingerprint": (OFFER.replace("AB:AB:", ""), "no a=fingerprint of SHA-256"),
    "no setup": (without("setup"), "no a=setup"),
    "unknown setup": (OFFER.replace("actpass", "holdconn"), "a=setup:holdconn is not possible"),
    "RTCP apart": (without("rtcp-mux"), "RTP and RTCP on one port"),
    "no Opus": (without("rtpmap:111"), "does not offer Opus"),
    "Opus taken for RTCP": (OFFER.replace("rtpmap:111", "rtpmap:72"), "payload type 72"),
    "payload type 999": (OFFER.replace("rtpmap:111", "rtpmap:999"), "payload type 999"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_description_of_no_use_is_refused_with_its_reason(what: str) -> None:
    sdp, why = HOSTILE[what]
    end = make_end()
    with pytest.raises(BadMedia, match=why):
        await end.session.answer(sdp)
    assert await end.session.answer(OFFER)  # a refused one has changed nothing
    await end.session.aclose()


HARMLESS = {
    "bad numbers": "a=extmap:x y\na=rtcp:x\na=ssrc:x\na=ssrc:99999999999 cname:x\na=rtpmap:x\na=fmtp:7 x",
    "bad candidates": "a=candidate:\na=candidate:1 1 udp 1 10.0.0.1 99999 typ host",
    "many candidates": "\n".join(
        f"a=candidate:1 1 udp 1 10.0.0.2 {port} typ host" for port in range(1, 600)
    ),
    "lines of other kinds": "k=clear:x\nz=1\nnonsense\na=\na",
}


@pytest.mark.parametrize("what", HARMLESS)
async def test_what_is_not_needed_does_no_harm(what: str) -> None:
    end = make_end()
    answer = await end.session.answer(f"{OFFER}{HARMLESS[what]}\n")
    assert "opus/48000/2" in answer
    assert end.session.refused == {"bad candidates": 3, "many candidates": 537}.get(what, 1)
    await end.session.aclose()


async def test_an_answer_to_another_offer_is_refused() -> None:
    end = make_end()
    await end.session.offer()
    with pytest.raises(BadMedia, match="do not match offer"):
        await end.session.accept_answer(OFFER.replace("actpass", "active"))
    with pytest.raises(BadMedia, match="expected active or passive"):
        await end.session.accept_answer(OFFER)
    await end.session.aclose()


async def test_an_answer_without_an_offer_is_refused() -> None:
    end = make_end()
    with pytest.raises(BadMedia, match='signaling state "stable"'):
        await end.session.accept_answer(OFFER.replace("actpass", "active"))
    await end.session.aclose()


@given(st.lists(st.sampled_from(OFFER.splitlines()), max_size=40), st.text(max_size=30))
def test_no_description_raises_anything_else(lines: list[str], noise: str) -> None:
    for sdp in ("\r\n".join(lines), "\r\n".join(["v=0", *lines, noise])):
        try:
            text = describe(sdp)
        except BadMedia:
            continue
        SessionDescription.parse(text)


REFUSED_OPTIONS: dict[str, tuple[Callable[[], object], str]] = {
    "a scheme": (lambda: IceServer("http://x"), "is no ICE server: expected stun:HOST"),
    "a port": (lambda: IceServer("stun:x:99999"), "is no ICE server"),
    "STUN over TCP": (lambda: IceServer("stun:x?transport=tcp"), "no transport to choose"),
    "TURN over DTLS": (
        lambda: IceServer("turns:x?transport=udp", "u", "p"),
        "TURN over DTLS is not supported",
    ),
    "no password": (lambda: IceServer("turn:x", "u"), "asks for a user name and a password"),
    "an address": (lambda: RtcOptions(local_addresses=("eth0",)), "local address 'eth0'"),
    "no relay": (
        lambda: RtcOptions(relay_only=True),
        "takes a TURN server, and no ICE server is one",
    ),
    "a bitrate": (lambda: RtcOptions(bitrate=32), "bitrate 32: Opus takes 6000 to 256000"),
    "a bitrate of two voices": (lambda: RtcOptions(bitrate=256_001), "bitrate 256001: Opus takes"),
    "no time": (
        lambda: RtcOptions(fail_after=0),
        "fail_after 0: expected a number of seconds above",
    ),
    "no end": (
        lambda: RtcOptions(gather_timeout=math.inf),
        "gather_timeout inf: expected a number",
    ),
    "no number": (lambda: RtcOptions(stall_after=math.nan), "stall_after nan: expected a number"),
    "no candidates": (lambda: RtcOptions(max_candidates=0), "max_candidates 0: without any"),
    "complexity": (lambda: RtcOptions(complexity=11), "complexity 11: Opus takes 0 to 10"),
}


@pytest.mark.parametrize("what", REFUSED_OPTIONS)
def test_wrong_options_are_refused_when_made(what: str) -> None:
    make, why = REFUSED_OPTIONS[what]
    with pytest.raises(ValueError, match=why):
        make()


def test_servers_know_their_usual_ports_and_keep_their_passwords() -> None:
    server = IceServer("turns:turn.example.org", "user", "secret")
    assert (server.address, server.transport) == (("turn.example.org", 5349), "tcp")
    assert IceServer("stun:[2001:db8::1]:99").address == ("2001:db8::1", 99)
    assert "secret" not in repr(RtcOptions((server,)))
