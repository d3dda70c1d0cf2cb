"""The pages in a real Chromium: no network, no error, every link arrives, nothing is too wide, and axe-core finds no fault."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import corpus
import npm
import pytest
from attacks import PAGE_BREAK_OUTS, text_documents
from conftest import Cli
from deploy import launch

HERE = Path(__file__).parent
AXE = HERE / "docs_page"
SLACK = "asyncapi__spec/examples/slack-rtm-asyncapi.yml"

pytestmark = pytest.mark.page

_LOOK = """() => ({
  dead: [...document.querySelectorAll('a[href^="#"]')].map((link) => link.getAttribute('href').slice(1))
    .filter((id) => !document.getElementById(decodeURIComponent(id))),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  scripts: document.scripts.length + document.querySelectorAll('img, iframe, object, link, base').length,
  ground: getComputedStyle(document.body).backgroundColor,
})"""
_AXE = """async () => {
  const found = await axe.run(document, { resultTypes: ['violations'] });
  return found.violations.map((each) => `${each.id}: ${each.nodes[0].html} (${each.nodes.length})`);
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all pages; skips the test and says what is missing."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="this needs Playwright: pip install playwright"
    )
    try:
        program = launch.program("chromium", "chromium")
    except launch.Missing as error:
        pytest.skip(str(error))
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, cli: Cli, spec: Path) -> dict[str, Path]:
    """A page by the name of its document."""
    folder = tmp_path_factory.mktemp("pages")
    hostile = folder / "hostile.json"
    hostile.write_text(json.dumps(next(text_documents(len(PAGE_BREAK_OUTS), PAGE_BREAK_OUTS))[0]))
    specs = {"aoba": spec, "lights": HERE / "cases/docs/lights.yaml", "hostile": hostile}
    if corpus.DOCUMENTS.exists():
        specs["slack"] = corpus.DOCUMENTS / SLACK
    for name, document in specs.items():
        assert cli("docs", document, "-o", folder / name, "-q").exit_code == 0
    return {name: folder / name / "index.html" for name in specs}


@pytest.mark.parametrize("name", ["aoba", "lights", "hostile", "slack"])
def test_a_page_in_a_browser(chromium: Any, pages: dict[str, Path], name: str) -> None:
    if name not in pages:
        pytest.skip("no public documents at ../shared/corpus/documents beside the checkout")
    grounds = set()
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 400)):
        page = chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        told: list[str] = []
        address = pages[name].as_uri()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        page.on("request", lambda request: told.append(request.url))
        page.goto(address)
        seen = page.evaluate(_LOOK)
        assert told == [address]
        assert seen | {"ground": ""} == {
            "dead": [], "wide": 0, "scripts": 0, "ground": ""
        }  # fmt: skip
        grounds.add((scheme, seen["ground"]))
        if folder := os.environ.get("AOBA_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/docs-{name}-{scheme}-{width}.png", full_page=True)
        page.close()
    assert len(grounds) == 2 and len({ground for _, ground in grounds}) == 2


def test_a_keyboard_reaches_the_contents(chromium: Any, pages: dict[str, Path]) -> None:
    page = chromium.new_page()
    page.goto(pages["aoba"].as_uri())
    page.keyboard.press("Tab")
    focused = "getComputedStyle(document.activeElement)"
    assert page.evaluate("document.activeElement.textContent") == "Skip to the contents"
    assert page.evaluate(f"{focused}.outlineStyle") == "solid"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.url.endswith("#top")
    page.close()


@pytest.mark.parametrize("name", ["aoba", "lights"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(chromium: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    source = npm.installed(AXE) / "node_modules" / "axe-core" / "axe.min.js"
    page = chromium.new_page(color_scheme=scheme)
    page.goto(pages[name].as_uri())
    page.evaluate(source.read_text(encoding="utf-8"))
    assert page.evaluate(_AXE) == []
    page.close()
