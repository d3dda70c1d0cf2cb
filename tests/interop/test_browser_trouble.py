"""What a person at the page of examples/browser meets besides calls that go well: no microphone, no connection, no script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from interop.browser import PAGE, Browser, BrowserPhone, browser
from interop.calls import Member, Place, name, over, party, soon, told, voice
from interop.proxy import Proxy

from aoba_runtime import devserver
from aoba_runtime.phone_events import EndReason, Muted, Party
from aoba_runtime.rtc import RtcOptions, addresses_for

pytestmark = pytest.mark.interop

REFUSED = """() => {
  document.getElementById('tone').checked = false;
  const no = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
  navigator.mediaDevices.getUserMedia = no;
}"""
ASKED = """() => {
  document.getElementById('tone').checked = false;
  navigator.mediaDevices.getUserMedia = () => new Promise((resolve) => {
    window.allow = () => {
      window.given = new AudioContext().createMediaStreamDestination().stream;
      resolve(window.given);
    };
  });
}"""
"""The browser asks the user for the microphone, who answers with `allow()`."""
LET_GO = "window.given?.getTracks().every((track) => track.readyState === 'ended')"


@asynccontextmanager
async def scene(page_port: int) -> AsyncIterator[tuple[devserver.Server, Browser, Member]]:
    """A server, a browser that opens pages there, and bob at his Python phone."""
    async with (
        devserver.serve(port=0) as place,
        browser(page_port) as chromium,
        party(place, "bob") as bob,
    ):
        yield place, chromium, bob


async def phone(chromium: Browser, place: devserver.Server, script: str) -> BrowserPhone:
    page = await chromium.phone(place.url, place.token("tab"))
    await page.page.evaluate(script)
    return page


async def test_the_microphone_is_refused(page_port: int) -> None:
    """Both ends know at once, and the page says why; nobody waits until a deadline."""
    async with scene(page_port) as (place, chromium, bob):
        page = await phone(chromium, place, REFUSED)
        call = await bob.phone.dial("tab@localhost")
        await page.state("ringing")
        await page.press("accept")
        ended = await soon(call.ended, 10)
        assert (ended.reason, ended.by) == (EndReason.FAILED, Party.REMOTE)
        await page.state("idle")
        assert await page.log() == f"{bob.account}: failed (local), no voice: Permission denied"

        await page.dial(bob.account)
        await page.page.wait_for_selector("#log li:nth-child(2)")
        await page.state("idle")
        assert await page.log() == f"{bob.account}: failed (local), no voice: Permission denied"
        assert not bob.phone.calls
        assert page.errors == []


async def test_the_call_ends_while_the_browser_asks_for_the_microphone(page_port: int) -> None:
    """It must not stay on, for whoever has gone."""
    async with scene(page_port) as (place, chromium, bob):
        page = await phone(chromium, place, ASKED)
        call = await bob.phone.dial("tab@localhost")
        await page.state("ringing")
        await page.press("accept")
        await page.state("connecting")
        call.hangup()
        await page.state("idle")
        assert await page.log() == f"{bob.account}: cancelled (remote)"
        await page.page.evaluate("window.allow()")
        await page.page.wait_for_function(LET_GO)

        await page.dial(bob.account)
        await page.state("calling")
        await page.press("hangup")
        await page.state("idle")
        await page.page.evaluate("window.allow()")
        await page.page.wait_for_function(LET_GO)
        assert not bob.phone.calls
        assert page.errors == []


async def test_who_leaves_while_it_rings_rejects(page_port: int) -> None:
    async with scene(page_port) as (place, chromium, bob):
        page = await chromium.phone(place.url, place.token("tab"))
        call = await bob.phone.dial("tab@localhost")
        await page.state("ringing")
        await page.press("logout")
        assert await over(call) == (EndReason.REJECTED, Party.REMOTE)
        await page.link("offline")
        await page.login(place.token("tab"))
        await page.link("online")
        call = await bob.phone.dial("tab@localhost")
        await page.state("ringing")
        await page.page.reload()
        assert await over(call) == (EndReason.REJECTED, Party.REMOTE)


async def test_what_is_said_without_a_connection(page_port: int) -> None:
    """A mute is told later; a call is not begun, and does not ring later either."""
    async with devserver.serve(port=0) as place, Proxy(place.url) as proxy:
        media = voice(1000, RtcOptions(local_addresses=addresses_for(place.url)))
        async with browser(page_port) as chromium, party(place, "bob", media=media) as bob:
            url = proxy.url.replace("127.0.0.1", "localhost")
            page = await chromium.phone(url, place.token("tab"))
            await page.dial(bob.account.partition("@")[0])  # of our own server
            call = await bob.rung()
            call.accept()
            await page.state("connected")
            proxy.stall()
            proxy.cut()
            await page.link("offline")
            await page.press("mute")
            assert await page.log() == "there is no connection to the server"
            proxy.flow()
            assert await told(call, Muted) == Muted(Party.REMOTE, True)
            await page.link("online")
            await page.press("hangup")
            assert await over(call) == (EndReason.COMPLETED, Party.REMOTE)

            proxy.stall()
            proxy.cut()
            await page.link("offline")
            await page.dial(bob.account)
            await page.page.wait_for_selector("#log li:nth-child(3)")
            nobody = f"{bob.account}: failed (local), there is no connection to the server"
            assert await page.log() == nobody
            proxy.flow()
            await page.link("online")
            await page.dial("nobody@localhost")
            await page.page.wait_for_selector("#log li:nth-child(4)")
            assert await page.log() == "nobody@localhost: failed (local), nobody is there"
            assert not bob.phone.calls
            assert page.errors == []


async def test_the_page_calls_somebody_with_two_devices(place: Place, page_port: int) -> None:
    """One says that it is busy and the other may still take the call; the first accept ends the ringing elsewhere."""
    media = voice(1000, RtcOptions(local_addresses=addresses_for(place.url)))
    bob = name("bob")
    async with (
        browser(page_port) as chromium,
        party(place, bob, media=media) as desk,
        party(place, bob, media=media) as pocket,
    ):
        page = await chromium.phone(place.url, place.token("tab"))
        await page.dial(bob)
        first, second = await desk.rung(), await pocket.rung()
        first.accept()
        await page.state("connected")
        assert await over(second) == (EndReason.CANCELLED, Party.REMOTE)
        await page.press("hangup")
        assert await over(first) == (EndReason.COMPLETED, Party.REMOTE)

        await page.dial(bob)
        first, second = await desk.rung(), await pocket.rung()
        first.busy()
        await over(first)
        second.accept()
        await page.state("connected")
        await page.press("hangup")
        assert await over(second) == (EndReason.COMPLETED, Party.REMOTE)

        await page.dial(bob)
        first, second = await desk.rung(), await pocket.rung()
        first.reject()
        assert await over(second) == (EndReason.CANCELLED, Party.REMOTE)
        await page.state("idle")
        assert (await page.log()).startswith(f"{bob}@localhost: rejected (remote)")

        await page.dial(bob)
        first, second = await desk.rung(), await pocket.rung()
        first.busy()
        second.busy()
        await page.state("idle")
        assert (await page.log()).startswith(f"{bob}@localhost: busy (remote)")
        assert page.errors == []


@pytest.mark.parametrize("how", ["opened as a file", "without its packages"])
async def test_a_page_whose_script_does_not_run_says_so(page_port: int, how: str) -> None:
    async with browser(page_port) as chromium:
        page = await chromium._chromium.new_page()
        if how == "opened as a file":
            await page.goto((PAGE / "index.html").as_uri())
        else:
            await page.route("**/node_modules/**", lambda route: route.abort())
            await page.goto(chromium.origin)
        assert (await page.inner_text("#connection")).startswith(
            "The script of this page does not run."
        )
