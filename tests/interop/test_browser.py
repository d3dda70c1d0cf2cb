"""The page of examples/browser in a real Chromium: two pages call each other over the development server."""

from __future__ import annotations

import pytest
from interop.browser import browser

from aoba_runtime import devserver, tokens

pytestmark = pytest.mark.interop
SECRET = b"a secret for tests, of 32 bytes or more"


async def test_two_pages_call_each_other() -> None:
    async with browser() as chromium, devserver.serve(port=0, secret=SECRET) as server:
        alice = await chromium.phone(server.url, tokens.make_token("alice", SECRET), tone=600)
        bob = await chromium.phone(server.url, tokens.make_token("bob", SECRET), tone=1000)
        await alice.dial("bob@localhost")
        await bob.state("ringing")
        await bob.press("accept")
        await alice.state("connected")
        await bob.state("connected")
        frequency, level = await alice.hears()
        assert abs(frequency - 1000) < 5 and level > 0.1
        frequency, level = await bob.hears()
        assert abs(frequency - 600) < 5 and level > 0.1
        await alice.press("mute")
        await bob.page.wait_for_selector("#peer-muted:visible")
        assert (await bob.hears())[1] < 0.001
        await bob.press("hangup")
        await alice.state("idle")
        assert (await alice.log()).startswith("bob@localhost: completed, 0:0")
        assert (await bob.log()).startswith("alice@localhost: completed, 0:0")
        assert alice.errors == bob.errors == []
