"""Document and Model -> the files of an API's pages: `index.html` and `api.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from .docs_facts import facts
from .docs_html import html_page
from .docs_markdown import markdown_page
from .docs_page import Page, page
from .docs_schemas import TooLong as TooLong
from .element import Child, Element
from .limits import Limits
from .model import Model
from .resolve import Document


def documentation(document: Document, model: Model, limits: Limits) -> dict[str, str]:
    """The pages by their path; raises `TooLong` where they would exceed the limits."""
    made = _living(page(model, facts(document), limits))
    return {"api.md": markdown_page(made), "index.html": html_page(made)}


def _living(made: Page) -> Page:
    """The page without links that lead nowhere in it, as those of a description may."""
    trees = [*made.head, *(tree for section in made.sections for tree in section.body)]
    ids = {"#top", *(f"#{section.anchor}" for section in made.sections)}
    ids |= {f"#{value}" for name, value in _attributes(trees) if name == "id"}
    links = {value for name, value in _attributes(trees) if name == "href"}
    dead = {link for link in links - ids if link.startswith("#")}
    if not dead:
        return made

    def living(tree: Child) -> Child:
        if isinstance(tree, str):
            return tree
        children = tuple(map(living, tree.children))
        if tree.attribute("href") in dead:
            return Element("span", (), children)
        return replace(tree, children=children)

    def alive(trees: tuple[Element, ...]) -> tuple[Element, ...]:
        return tuple(each for each in map(living, trees) if isinstance(each, Element))

    sections = (replace(each, body=alive(each.body)) for each in made.sections)
    return replace(made, head=alive(made.head), sections=tuple(sections))


def _attributes(trees: Iterable[Child]) -> Iterator[tuple[str, str]]:
    """Every attribute in some trees."""
    for tree in trees:
        if isinstance(tree, Element):
            yield from tree.attributes
            yield from _attributes(tree.children)
