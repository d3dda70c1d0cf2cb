"""A real Chromium with the page of examples/browser, as a person would use it.

    async with browser() as chromium:
        alice = await chromium.phone(server.url, server.token("alice"), tone=600)
        await alice.dial("bob@localhost")
        await alice.state("connected")
        frequency, level = await alice.hears()

Chromium comes from Debian (installed where we are root, else the test is skipped), and is driven by Playwright.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import npm
import pytest
from deploy import launch

PAGE = Path(__file__).resolve().parents[2] / "examples" / "browser"
ARGUMENTS = [
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
SECONDS = 60.0

_HEARS = """async () => {
  const stream = window.phone.call.remote;
  const audio = new AudioContext({ sampleRate: 48000 });
  const analyser = new AnalyserNode(audio, { fftSize: 16384, smoothingTimeConstant: 0 });
  new MediaStreamAudioSourceNode(audio, { mediaStream: stream }).connect(analyser);
  const full = (analyser.fftSize / audio.sampleRate) * 1000;
  await audio.resume();
  await new Promise((resolve) => setTimeout(resolve, full + 300));  // one window of sound
  const bins = new Float32Array(analyser.frequencyBinCount);
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatFrequencyData(bins);
  analyser.getFloatTimeDomainData(samples);
  await audio.close();
  const loudest = bins.reduce((best, value, index) => (value > bins[best] ? index : best), 1);
  const square = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  return [(loudest * 48000) / analyser.fftSize, Math.sqrt(square)];
}"""


class BrowserPhone:
    """One logged-in page."""

    def __init__(self, page: Any, errors: list[str]) -> None:
        self.page = page
        self.errors = errors

    async def state(self, wanted: str, seconds: float = SECONDS) -> None:
        """Wait until the page is in a state: idle, calling, ringing, connecting, connected."""
        await self.page.wait_for_selector(f"body[data-state={wanted}]", timeout=seconds * 1000)

    async def link(self, wanted: str, seconds: float = SECONDS) -> None:
        """Wait until the line about what carries the signals begins with "online", "offline", ...; tells what it said instead."""
        from playwright.async_api import TimeoutError

        shown = f"document.getElementById('connection').textContent.startsWith('{wanted}')"
        try:
            await self.page.wait_for_function(shown, timeout=seconds * 1000)
        except TimeoutError as error:
            said = await self.page.inner_text("body")
            raise AssertionError(f"no {wanted!r} but {said!r}, errors {self.errors}") from error

    async def login(self, token: str) -> None:
        """Paste a token and press the button."""
        await self.page.fill("#token", token)
        await self.page.click("#login button")

    async def dial(self, jid: str) -> None:
        """Type a JID and call it."""
        await self.page.fill("#peer", jid)
        await self.page.click("#dial button")

    async def press(self, button: str) -> None:
        """Press accept, reject, mute or hangup."""
        await self.page.click(f"#{button}")

    async def hears(self) -> tuple[float, float]:
        """What arrives: the loudest frequency in Hz (within 3 Hz), and the RMS level in 0..1."""
        frequency, level = await self.page.evaluate(_HEARS)
        return float(frequency), float(level)

    async def shows(self, selector: str) -> None:
        """Wait until an element can be seen."""
        await self.page.wait_for_selector(f"{selector}:visible", timeout=SECONDS * 1000)

    async def picture(self, name: str) -> None:
        """Keep a screenshot in the folder AOBA_SCREENSHOTS, if there is one."""
        if folder := os.environ.get("AOBA_SCREENSHOTS"):
            await self.page.screenshot(path=str(Path(folder) / f"{name}.png"))

    async def log(self) -> str:
        """The newest line of the page's list of calls."""
        return str(await self.page.inner_text("#log li:first-child"))


class Browser:
    """Chromium, and the address of the page."""

    def __init__(self, chromium: Any, port: int) -> None:
        self._chromium = chromium
        self._port = port
        self.origin = f"http://localhost:{port}"

    async def phone(
        self, url: str, token: str, *, tone: int = 600, dark: bool = False
    ) -> BrowserPhone:
        """A page of its own, logged in at the server `url` and speaking with a tone of `tone` Hz."""
        phone = await self.login(url, token, tone=tone, dark=dark)
        await phone.link("online")
        return phone

    async def login(
        self, url: str, token: str, *, tone: int = 600, dark: bool = False
    ) -> BrowserPhone:
        """A page of its own whose button "Log in" was pressed.

        The page and the server must have one host name, since the token travels in a cookie.
        """
        context = await self._chromium.new_context(
            color_scheme="dark" if dark else "light",
            permissions=["microphone"],
            viewport={"width": 420, "height": 640},
        )
        page = await context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        query = urlencode({"url": url, "tone": tone})
        await page.goto(f"http://{urlsplit(url).hostname}:{self._port}/?{query}")
        await page.wait_for_function("window.phone")  # the page's script runs
        phone = BrowserPhone(page, errors)
        await phone.login(token)
        return phone


class _Handler(SimpleHTTPRequestHandler):
    """Serves the page, and its packages from where npm put them."""

    def __init__(self, *arguments: Any, packages: Path) -> None:
        self._packages = packages
        super().__init__(*arguments, directory=str(PAGE))

    def translate_path(self, path: str) -> str:
        if path.startswith("/node_modules/") and ".." not in path:
            return str(self._packages / urlsplit(path).path.lstrip("/"))
        return super().translate_path(path)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def _served(port: int) -> Iterator[int]:
    handler = functools.partial(_Handler, packages=npm.installed(PAGE))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def browser(port: int = 0) -> AsyncIterator[Browser]:
    """Start Chromium and serve the page, at `port` if its origin must be known before; skips the test and says what is missing."""
    playwright = pytest.importorskip(
        "playwright.async_api", reason="this needs Playwright: pip install playwright"
    )
    try:
        program = launch.program("chromium", "chromium")
    except launch.Missing as error:
        pytest.skip(str(error))
    with _served(port) as port:
        async with playwright.async_playwright() as driver:
            chromium = await driver.chromium.launch(executable_path=program, args=ARGUMENTS)
            try:
                yield Browser(chromium, port)
            finally:
                await chromium.close()
