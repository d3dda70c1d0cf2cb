"""The Markdown of a description -> elements: the only import of markdown-it, of which a closed list of nodes is taken.

HTML is text, pictures are links to them, and links lead to the web, to a mailbox or into the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from .element import LINKS, Child, Element, element

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

_SAME: Final = {
    "blockquote": "blockquote",
    "bullet_list": "ul",
    "em": "em",
    "list_item": "li",
    "paragraph": "p",
    "s": "del",
    "strong": "strong",
    "table": "table",
    "tbody": "tbody",
    "td": "td",
    "thead": "thead",
    "tr": "tr",
}
_LOWEST: Final = 6
_PLAIN: Final = re.compile(r"[A-Za-z](?:[^\W_]|[ ,.:;()'/-])*")
"""A line that is a paragraph of text whatever Markdown says; most descriptions are one."""


def prose(text: str, level: int | None = None) -> tuple[Element, ...]:
    """A description as blocks; its highest headings are of `level`, and none is more than one below the one before.

    Without a level, as in a table, headings are bold paragraphs.
    """
    text = text.strip("\n ")
    if not text:
        return ()
    if _PLAIN.fullmatch(text):
        return (element("p", text),)
    from markdown_it.tree import SyntaxTreeNode  # slow to import

    nodes = SyntaxTreeNode(_parser().parse(text)).children
    blocks = _Blocks(level, nodes)
    return tuple(
        child if isinstance(child, Element) else element("p", child)
        for node in nodes
        for child in blocks.of(node)
    )


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    options = {"html": False, "linkify": False, "typographer": False}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


class _Blocks:
    """Nodes to elements; knows how deep the headings above stand."""

    def __init__(self, level: int | None, nodes: list[SyntaxTreeNode]) -> None:
        levels = [int(node.tag[1:]) for node in nodes if node.type == "heading"]
        self._shift = (level or 1) - min(levels, default=1)
        self._last = level - 1 if level else None

    def of(self, node: SyntaxTreeNode) -> Iterator[Child]:
        """What a node becomes: one element or text, none, or what it holds."""
        match node.type:
            case "text":
                yield node.content
            case "softbreak":
                yield "\n"
            case "hardbreak":
                yield element("br")
            case "hr":
                yield element("hr")
            case "code_inline":
                yield element("code", node.content)
            case "code_block" | "fence":
                yield preformatted(node.content)
            case "heading" if self._last is None:
                yield element("p", element("strong", *self._inner(node)))
            case "heading":
                level = min(int(node.tag[1:]) + self._shift, (self._last or 0) + 1, _LOWEST)
                self._last = level
                yield element(f"h{level}", *self._inner(node))
            case "ordered_list":
                start = node.attrs.get("start")
                yield element("ol", *self._inner(node), start=str(start) if start else None)
            case "th":
                yield element("th", *self._inner(node), scope="col")
            case "link":
                yield from _link(str(node.attrs.get("href", "")), tuple(self._inner(node)))
            case "image":
                alternative = node.content or "picture"
                yield from _link(str(node.attrs.get("src", "")), (alternative,))
            case kind if kind in _SAME and not node.hidden:
                made = element(_SAME[kind], *self._inner(node))
                yield scrolled(made) if kind == "table" else made
            case _:
                yield from self._inner(node) if node.children else [node.content]

    def _inner(self, node: SyntaxTreeNode) -> Iterator[Child]:
        for child in node.children:
            yield from self.of(child)


def preformatted(text: str, *children: Child) -> Element:
    """Lines that stay as they are, or `children` that say the same; long ones are scrolled, by keyboard too."""
    inner = children or (text.removesuffix("\n"),)
    return element("pre", element("code", *inner), tabindex="0")


def scrolled(table: Element) -> Element:
    """A table that may be wider than the page."""
    return element("div", table, class_="wide", tabindex="0", role="group", aria_label="Table")


def _link(address: str, inner: tuple[Child, ...]) -> Iterator[Child]:
    if LINKS.fullmatch(address):
        yield element("a", *(_unlinked(child) for child in inner), href=address)
    else:
        yield from inner


def _unlinked(child: Child) -> Child:
    """What stands within a link, without links of its own (pictures are some)."""
    if isinstance(child, str):
        return child
    inner = tuple(map(_unlinked, child.children))
    return (
        Element("span", (), inner)
        if child.tag == "a"
        else Element(child.tag, child.attributes, inner)
    )
