"""Page -> Markdown: the same elements as in the HTML page, written so that no text of the document means more than text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from . import markdown
from .docs_page import Page, Section
from .element import Child, Element, text_of

_BLOCKS: Final = frozenset(
    "article blockquote details div dl figure h2 h3 h4 h5 h6 hr ol p pre table ul".split()
)
_LEFT_OUT: Final = frozenset({"drawing", "anchor"})
"""What only the other page has."""


def markdown_page(page: Page) -> str:
    """The page; the same text for the same page."""
    lines = [f"# {markdown.plain(page.title) or 'API'}", ""]
    lines += [f"Version {markdown.plain(page.version)}", ""]
    lines += _blocks(page.head)
    lines += [f"- {markdown.link(each.title, each.anchor)}" for each in page.sections]
    lines.append("")
    for section in page.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from (_anchor(section.anchor), "", f"## {section.title}", "")
    yield from _blocks(section.body)


def _blocks(trees: tuple[Child, ...]) -> Iterator[str]:
    """The lines of blocks, an empty one behind each; texts and inline elements between them are paragraphs."""
    run: list[Child] = []
    for tree in (*trees, None):
        if tree is not None and (isinstance(tree, str) or tree.tag not in _BLOCKS):
            run.append(tree)
            continue
        if text := _inline(tuple(run)).strip():
            yield from (text, "")
        run = []
        if isinstance(tree, Element) and not _LEFT_OUT & set(tree.attribute("class").split()):
            yield from _block(tree)


def _block(tree: Element) -> Iterator[str]:
    match tree.tag:
        case "h2" | "h3" | "h4" | "h5" | "h6":
            if anchor := tree.attribute("id"):
                yield from (_anchor(anchor), "")
            yield from (f"{'#' * int(tree.tag[1])} {_inline(tree.children).strip()}", "")
        case "pre":
            is_mermaid = tree.attribute("class") == "mermaid"
            language = "mermaid" if is_mermaid else "json" if _is_json(tree) else ""
            yield from (*markdown.fence(text_of(tree), language), "")
        case "hr":
            yield from ("---", "")
        case "dl":
            for label, what in zip(tree.children[::2], tree.children[1::2]):
                yield f"- {text_of(label)}: {_cell(what)}"
            yield ""
        case "ul" | "ol":
            first = int(tree.attribute("start") or 1)
            for number, item in enumerate(tree.children):
                mark = f"{first + number}. " if tree.tag == "ol" else "- "
                yield from _item(item, mark)
            yield ""
        case "blockquote":
            yield from (f"> {line}".rstrip() for line in _trimmed(_blocks(tree.children)))
            yield ""
        case "table":
            yield from (*_table(tree), "")
        case _:
            children = tree.children
            if tree.tag == "details":
                children = children[1:]
            yield from _blocks(children)


def _item(item: Child, mark: str) -> Iterator[str]:
    children = item.children if isinstance(item, Element) else (item,)
    margin = mark
    for line in _trimmed(_blocks(children)) or [""]:
        yield f"{margin}{line}".rstrip()
        margin = " " * len(mark)


def _trimmed(lines: Iterator[str]) -> list[str]:
    """The lines without the empty ones at the end."""
    found = list(lines)
    while found and not found[-1]:
        found.pop()
    return found


def _table(tree: Element) -> list[str]:
    """A table; rows that can be linked to begin with their anchor."""
    rows = [list(_row(row)) for part in tree.children for row in _elements(part)]
    return markdown.table(rows[0], rows[1:])


def _row(row: Element) -> Iterator[str]:
    anchor = row.attribute("id")
    for index, cell in enumerate(row.children):
        yield (_anchor(anchor) if anchor and not index else "") + _cell(cell)


def _elements(tree: Child) -> Iterator[Element]:
    if isinstance(tree, Element):
        yield from (child for child in tree.children if isinstance(child, Element))


def _cell(tree: Child) -> str:
    """What is in a cell on one line, its blocks parted by breaks."""
    parts: list[str] = []
    run: list[Child] = []
    for child in (*(tree.children if isinstance(tree, Element) else (tree,)), None):
        is_apart = isinstance(child, Element) and child.tag in _BLOCKS | {"li", "small", "tr"}
        if child is not None and not is_apart:
            run.append(child)
            continue
        parts.append(_inline(tuple(run)).strip())
        run = []
        if isinstance(child, Element):
            if child.tag == "pre":
                parts.append(markdown.code(" ".join(text_of(child).split())))
            else:
                mark = "• " if child.tag == "li" else ""
                parts.append(f"{mark}{_cell(child)}")
    return "<br>".join(part for part in parts if part).replace("\n", " ")


def _inline(trees: tuple[Child, ...]) -> str:
    return "".join(map(_run, trees))


def _run(tree: Child) -> str:
    if isinstance(tree, str):
        text = markdown.plain(tree)
        before = " " if tree[:1].isspace() else ""
        return f"{before}{text}{' ' if text and tree[-1:].isspace() else ''}"
    if _LEFT_OUT & set(tree.attribute("class").split()):
        return ""
    inner = _inline(tree.children)
    match tree.tag:
        case "code":
            return markdown.code(text_of(tree))
        case "br":
            return "<br>"
        case "a":
            address = tree.attribute("href")
            return f"[{inner}]({markdown.address(address)})" if inner.strip() else inner
        case "strong" | "em" | "del":
            mark = {"strong": "**", "em": "*", "del": "~~"}[tree.tag]
            return f"{mark}{inner}{mark}" if inner.strip() == inner != "" else inner
        case "span" if "badge" in tree.attribute("class").split():
            return f"{inner}:"
        case _:
            return inner


def _anchor(name: str) -> str:
    return f'<a id="{name}"></a>'


def _is_json(tree: Element) -> bool:
    """Whether lines are a JSON value that we have written."""
    code = next(_elements(tree), None)
    return code is not None and any(isinstance(child, Element) for child in code.children)
