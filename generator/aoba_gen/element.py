"""A tree of HTML elements and its text: the one way by which anything enters an HTML page, escaped and from closed lists."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from .diagnostics import escaped

_BLOCKS: Final = frozenset(
    "article aside body blockquote dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 head header hr html li"
    " link main meta nav ol p pre section style summary svg table tbody td th thead title tr ul g rect line path".split()
)
_INLINE: Final = frozenset(
    "a br code del em kbd small span strong text tspan marker defs polygon".split()
)
_VOID: Final = frozenset({"br", "hr", "link", "meta"})
_TAGS: Final = _BLOCKS | _INLINE
_ATTRIBUTES: Final = frozenset(
    "aria-hidden aria-label aria-labelledby charset class colspan content d dy height href id http-equiv lang marker-end"
    " marker-start markerHeight markerUnits markerWidth name open orient points refX refY role rx scope start tabindex"
    " text-anchor viewBox width x x1 x2 y y1 y2".split()
)
LINKS: Final = re.compile(r"(https?://|mailto:|#)[^\s\x00-\x20]+", re.IGNORECASE)
"""Where a link may lead: the web, a mailbox, the page itself."""

Child: TypeAlias = "Element | str"


@dataclass(frozen=True, slots=True)
class Element:
    """An element; texts among its children are text, whatever they hold."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Child, ...]

    def attribute(self, name: str) -> str:
        """The value of an attribute, "" where there is none."""
        return dict(self.attributes).get(name, "")


def element(tag: str, *children: Child, **attributes: str | None) -> Element:
    """An element; `class_` stands for "class", `aria_label` for "aria-label", and `None` leaves an attribute out.

    Raises `ValueError` for a tag, an attribute or a link that no page of ours holds.
    """
    pairs = tuple(
        (name.rstrip("_").replace("_", "-"), value)
        for name, value in attributes.items()
        if value is not None
    )
    odd = [name for name, _ in pairs if name not in _ATTRIBUTES]
    if tag not in _TAGS or odd:
        raise ValueError(f"no page holds <{tag} {' '.join(odd)}>")
    for name, value in pairs:
        if name == "href" and not LINKS.fullmatch(value):
            raise ValueError(f"no page links to {value!r}")
    return Element(tag, pairs, tuple(child for child in children if child != ""))


def html_text(tree: Element) -> str:
    """The tree as HTML, each block on a line of its own."""
    return "".join(_written(tree, is_kept=False)).strip() + "\n"


def text_of(tree: Child) -> str:
    """All text in a tree."""
    return tree if isinstance(tree, str) else "".join(map(text_of, tree.children))


def _written(tree: Child, *, is_kept: bool) -> Iterator[str]:
    """The parts of the text; white space means something where it `is_kept`."""
    if isinstance(tree, str):
        yield html.escape(shown(tree))
        return
    is_block = tree.tag in _BLOCKS and not is_kept
    if is_block:
        yield "\n"
    attributes = "".join(
        f' {name}="{html.escape(shown(value))}"' for name, value in tree.attributes
    )
    yield f"<{tree.tag}{attributes}>"
    if tree.tag in _VOID:
        return
    if tree.tag == "style":  # its text is no document's
        yield from (child for child in tree.children if isinstance(child, str))
    else:
        for child in tree.children:
            yield from _written(child, is_kept=is_kept or tree.tag == "pre")
    yield f"</{tree.tag}>"


def shown(text: str) -> str:
    """A text with what does not show as escapes, but for the ends of its lines."""
    return text if text.isprintable() else "\n".join(map(_line, re.split("\r\n|\r|\n", text)))


def _line(text: str) -> str:
    return escaped(text.replace("\t", "    "))
