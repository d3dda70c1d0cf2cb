"""Page -> HTML in one file: no script, nothing from elsewhere, and a policy that allows neither."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from .docs_page import Page, Section
from .element import Element, element, html_text

_STYLE: Final = Path(__file__).parent / "docs.css"


def html_page(page: Page) -> str:
    """The page; the same text for the same page."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content="aoba-gen"),
        element("title", f"{page.title} {page.version}"),
        element("style", style),
    )
    body = element(
        "body",
        element("a", "Skip to the contents", href="#top", class_="skip"),
        element("div", _navigation(page), _main(page), class_="frame-of-page"),
    )
    return "<!DOCTYPE html>\n" + html_text(element("html", head, body, lang="en"))


@cache
def _style() -> str:
    return f"\n{_STYLE.read_text(encoding='utf-8')}"


def _navigation(page: Page) -> Element:
    items = [element("li", element("a", "Overview", href="#top"))]
    items += (element("li", *_entry(section)) for section in page.sections)
    return element("nav", element("ul", *items), aria_label="Contents")


def _entry(section: Section) -> Iterator[Element]:
    yield element("a", section.title, href=f"#{section.anchor}")
    if section.entries:
        inner = (
            element("li", element("a", name or "unnamed", href=f"#{anchor}"))
            for name, anchor in section.entries
        )
        yield element("ul", *inner)


def _main(page: Page) -> Element:
    header = element(
        "header",
        element("h1", page.title or "API", id="top"),
        element("p", f"Version {page.version}", class_="version"),
        *page.head,
    )
    sections = (
        element(
            "section",
            element("h2", section.title, id=section.anchor),
            *section.body,
            aria_labelledby=section.anchor,
        )
        for section in page.sections
    )
    return element("main", header, *sections)
