"""The page of examples/browser in a real Chromium: it is let in or not, and two pages, one of them dark, call each other."""

from __future__ import annotations

import re

import pytest
from interop.browser import browser
from interop.calls import Place

pytestmark = pytest.mark.interop


async def test_two_pages_call_each_other(place: Place, page_port: int) -> None:
    async with browser(page_port) as chromium:
        alice = await chromium.phone(place.url, place.token("alice"), tone=600)
        bob = await chromium.phone(place.url, place.token("bob"), tone=1000, dark=True)
        await bob.picture("idle-dark")
        await alice.dial("bob@localhost")
        await bob.state("ringing")
        await bob.picture("ringing-dark")
        await bob.press("accept")
        await alice.state("connected")
        await bob.state("connected")
        frequency, level = await alice.hears()
        assert abs(frequency - 1000) < 5 and level > 0.1
        frequency, level = await bob.hears()
        assert abs(frequency - 600) < 5 and level > 0.1
        await bob.picture("in-a-call-dark")
        await alice.press("mute")
        await bob.shows("#peer-muted")
        assert (await bob.hears())[1] < 0.001
        await bob.press("hangup")
        await alice.state("idle")
        await bob.picture("after-dark")
        assert re.match(r"bob@localhost: completed, 0:\d\d", await alice.log())
        assert re.match(r"alice@localhost: completed, 0:\d\d", await bob.log())
        assert alice.errors == bob.errors == []


async def test_a_token_that_opens_nothing(place: Place, page_port: int) -> None:
    async with browser(page_port) as chromium:
        page = await chromium.login(place.url, place.token("alice") + "x")
        await page.link("could not connect: look at the address and the token")
        assert await page.page.evaluate("document.cookie") == ""
        for wrong in ("rubbish", "e30.e30.x", "e30.eyJzdWIiOjV9.x"):  # {} and {"sub":5}
            await page.page.evaluate("document.getElementById('log').replaceChildren()")
            await page.login(wrong)
            assert (await page.log()).startswith("That is no token")
        for wrong in ("localhost", "http://localhost:8082/xmpp", "ws://localhost:99999"):
            await page.page.evaluate("document.getElementById('log').replaceChildren()")
            await page.page.fill("#url", wrong)
            await page.login(place.token("alice"))
            assert (await page.log()).startswith("That is no server. Write it as ws://")
        await page.page.fill("#url", place.url)
        await page.login(place.token("alice"))
        await page.link("online as alice@localhost/")
        assert page.errors == []
