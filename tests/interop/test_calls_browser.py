"""Calls between the page of examples/browser in a real Chromium and Python, both ways, on both servers, with real voice.

With AOBA_SCREENSHOTS=folder the page's states are kept as pictures.
"""

from __future__ import annotations

import asyncio

import pytest
from interop.browser import browser
from interop.calls import Place, hears, hears_nothing, over, party, script, soon, told, voice
from interop.proxy import Proxy

from aoba_runtime import devserver
from aoba_runtime.phone_events import EndReason, Muted, Party
from aoba_runtime.rtc import RtcOptions, addresses_for
from aoba_runtime.signals import Accept, Answer, Candidate, Hangup, IceCandidate, Initiate, Offer

pytestmark = pytest.mark.interop


async def test_browser_and_python_call_each_other(place: Place, page_port: int) -> None:
    """Chromium leaves loopback out, so Python may be reached at all addresses of this machine."""
    media = voice(1000, RtcOptions(local_addresses=addresses_for(place.url)))
    async with browser(page_port) as chromium, party(place, "bob", media=media) as bob:
        page = await chromium.phone(place.url, place.token("browser"), tone=600)
        await page.picture("idle-light")

        await page.dial(bob.account)
        theirs = await bob.rung()
        await page.state("calling")
        await page.picture("calling-light")
        theirs.accept()
        await page.state("connected")
        await soon(theirs.connected())
        frequency, level = await page.hears()
        assert abs(frequency - 1000) < 5 and level > 0.1
        await hears(theirs, 600)
        await page.picture("in-a-call-light")
        await page.press("mute")
        assert await told(theirs, Muted) == Muted(Party.REMOTE, True)
        await hears_nothing(theirs)
        theirs.mute()
        await page.shows("#peer-muted")
        await page.picture("muted-light")
        assert (await page.hears())[1] < 0.001
        await page.press("hangup")
        assert await over(theirs) == (EndReason.COMPLETED, Party.REMOTE)
        await page.state("idle")
        assert (await page.log()).startswith(f"{bob.account}: completed, 0:")

        ours = await bob.phone.dial("browser@localhost")
        await page.state("ringing")
        await page.picture("ringing-light")
        await page.press("accept")
        await page.state("connected")
        await soon(ours.connected())
        await hears(ours, 600)
        frequency, level = await page.hears()
        assert abs(frequency - 1000) < 5 and level > 0.1
        ours.hangup()
        await page.state("idle")
        assert await over(ours) == (EndReason.COMPLETED, Party.LOCAL)

        rejected = await bob.phone.dial("browser@localhost")
        await page.state("ringing")
        await page.press("reject")
        assert await over(rejected) == (EndReason.REJECTED, Party.REMOTE)
        await page.state("idle")
        await page.picture("after-light")

        await page.page.fill("#peer", bob.account)  # and both dial, one a moment later
        pressed = asyncio.ensure_future(page.press("dial button"))
        await page.state("calling")
        both = await bob.phone.dial("browser@localhost")
        await pressed
        await page.state("connected")
        await hears(both, 600)
        both.hangup()
        await page.state("idle")
        assert page.errors == []


async def test_the_page_is_cut_off_and_closed(place: Place, page_port: int) -> None:
    """As it logs in, while it rings, in the call, and as its tab is closed; the peer is a Python phone."""
    media = voice(1000, RtcOptions(local_addresses=addresses_for(place.url)))
    async with (
        Proxy(place.url) as proxy,
        browser(page_port) as chromium,
        party(place, "bob", media=media) as bob,
    ):
        url = proxy.url.replace("127.0.0.1", "localhost")
        proxy.refuses = 2
        page = await chromium.phone(url, place.token("tab"), tone=600)
        call = await bob.phone.dial("tab@localhost")
        await page.state("ringing")
        proxy.cut()
        await page.link("offline")
        await page.link("online")
        await page.press("accept")
        await soon(call.connected())
        await hears(call, 600)

        proxy.stall()
        proxy.cut()
        await page.link("offline")
        await hears(call, 600)
        assert abs((await page.hears())[0] - 1000) < 5
        proxy.flow()
        await page.link("online")
        call.hangup()
        await page.state("idle")
        assert (await page.log()).startswith(f"{bob.account}: completed")

        last = await bob.phone.dial("tab@localhost")
        await page.state("ringing")
        await page.press("accept")
        await soon(last.connected())
        await hears(last, 600)
        assert page.errors == []
        await page.page.close()
        assert await over(last) == (EndReason.COMPLETED, Party.REMOTE)


async def test_the_page_meets_rubbish(page_port: int) -> None:
    """Descriptions and candidates that are none end the call that they are of, with a reason, and no other."""
    async with (
        devserver.serve(port=0) as place,
        browser(page_port) as chromium,
        script(place, "mallory") as mallory,
    ):
        page = await chromium.phone(place.url, place.token("tab"), tone=600)
        [to] = await mallory.transport.devices("tab@localhost")
        for kind in (Offer, Answer):
            if kind is Offer:
                call_id = await mallory.initiate("tab@localhost")
                await page.state("ringing")
                await page.press("accept")
                await mallory.told(Accept)
            else:
                await page.dial(mallory.jid)
                call_id = (await mallory.told(Initiate)).call_id
                await mallory.say(to, Accept, call_id)
                await mallory.told(Offer)
            for text in ("rubbish", "candidate:1 1 udp 2130706431 127.0.0.1 99999 typ host", ""):
                await mallory.say(to, IceCandidate, call_id, Candidate(text, "0", 0))
            await mallory.say(to, kind, call_id, "v=0\r\nrubbish")
            assert (await mallory.told(Hangup)).reason is EndReason.FAILED
            await page.state("idle")
            assert "SessionDescription" in await page.log()
        assert page.errors == []
