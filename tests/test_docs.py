"""`aoba-gen docs`: what the pages say, that they are written like packages, and that no document breaks out of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import corpus
import pytest
from aoba_gen.diagnostics import Refused, Report
from aoba_gen.docs import documentation
from aoba_gen.docs_prose import prose
from aoba_gen.element import LINKS, element, html_text
from aoba_gen.limits import Limits
from aoba_gen.load import load
from aoba_gen.pipeline import check_and_compile
from attacks import BREAK_OUTS, PAGE_BREAK_OUTS, name_documents, text_documents
from conftest import Cli
from markdown_it import MarkdownIt

CASES = Path(__file__).parent / "cases" / "docs"
LIGHTS = CASES / "lights.yaml"
ATTRIBUTES = frozenset(
    "aria-label aria-labelledby charset class content height href http-equiv id lang marker-end marker-start"
    " markerheight markerunits markerwidth name orient points refx refy role rx scope start tabindex"
    " text-anchor viewbox width x x1 x2 y y1 y2".split()
)
TAGS = frozenset(
    "a article blockquote body br code dd del details div dl dt em defs figcaption figure h1 h2 h3 h4 h5 h6 head"
    " header hr html li line main marker meta nav ol p polygon pre rect section small span strong style summary svg"
    " table tbody td text th thead title tr tspan ul".split()
)


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_comment(self, data: str) -> None:
        self.elements.append(("!--", ()))

    def unknown_decl(self, data: str) -> None:
        self.elements.append(("![", ()))

    def handle_pi(self, data: str) -> None:
        self.elements.append(("?", ()))


def is_harmless(text: str) -> Skeleton:
    """Hold a page to its closed lists of elements, attributes and links."""
    found = Skeleton(text)
    assert {tag for tag, _ in found.elements} <= TAGS
    assert {name for _, names in found.elements for name in names} <= ATTRIBUTES
    assert all(LINKS.fullmatch(link) for link in found.links), found.links
    assert [tag for tag, _ in found.elements].count("style") == 1
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    assert text.count("<script") == 0
    return found


def is_harmless_markdown(text: str) -> None:
    """Hold a page in Markdown to the HTML that is ours, as a renderer that lets HTML through sees it."""
    ours = re.compile(r'<a id="[\w.-]+">|</a>|<br>|</?code>')
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        inner = token.children or []
        assert token.type != "html_block", token.content
        for each in inner:
            if each.type == "html_inline":
                assert ours.fullmatch(each.content), each.content
            elif each.type == "link_open":
                assert LINKS.fullmatch(str(each.attrs["href"])), each.attrs
            assert each.type != "image"


def pages_of(document: dict[str, Any], folder: Path) -> dict[str, str]:
    """The pages of a document; raises `Refused`."""
    spec = folder / "spec.json"
    spec.write_text(json.dumps(document))
    report = Report()
    return documentation(*check_and_compile(load(spec, report), "attacked", report), Limits())


def test_a_page_says_it_all(cli: Cli, tmp_path: Path) -> None:
    assert cli("docs", LIGHTS, "-o", tmp_path / "api").exit_code == 0
    assert (tmp_path / "api" / "api.md").read_text() == (CASES / "lights.md").read_text()
    page = (tmp_path / "api" / "index.html").read_text()
    is_harmless(page)
    for said in (
        "Street &lt;Lights&gt;",
        "mqtts://{town}.lights.example",
        "From the <em>town hall</em>",
    ):
        assert said in page


def test_the_same_document_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    """In programs with hash seeds of their own."""
    for seed in ("1", "2"):
        words = [sys.executable, "-m", "aoba_gen", "docs", str(LIGHTS), "-o", str(tmp_path / seed)]
        subprocess.run(words, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True)
    for name in ("api.md", "index.html"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_it_is_written_like_a_package(cli: Cli, tmp_path: Path) -> None:
    spec, out = tmp_path / "lights.yaml", tmp_path / "api"
    spec.write_text(LIGHTS.read_text())
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "api.md").write_text("mine")
    kept = cli("docs", spec, "-o", out)
    assert kept.exit_code == 1 and "api.md: kept" in kept.stderr
    assert cli("docs", spec, "-o", out, "--force", "-q").output == ""
    assert cli("docs", spec, "-o", out).stdout == f"{out}: 2 unchanged\n"
    assert cli("docs", spec, "-o", out, "--check").exit_code == 0
    spec.write_text(LIGHTS.read_text().replace("Of full power.", "Of nothing."))
    checked = cli("docs", spec, "-o", out, "--check")
    assert checked.exit_code == 1
    assert checked.stdout == f"stale: {out / 'api.md'}\nstale: {out / 'index.html'}\n"
    assert f"run 'aoba-gen docs {spec} -o {out}'" in checked.stderr
    assert "+Of nothing." in cli("docs", spec, "-o", out, "--diff").stdout
    assert (out / "notes.txt").read_text() == "mine"


def test_the_project_says_where_pages_go(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lights.yaml").write_text(LIGHTS.read_text())
    table = '[[tool.aoba-gen.documents]]\nspec = "lights.yaml"\noutput = "out"\n'
    (tmp_path / "pyproject.toml").write_text(table)
    refused = cli("docs")
    assert refused.exit_code == 2 and "a folder 'docs'" in refused.stderr
    (tmp_path / "pyproject.toml").write_text(f'{table}docs = "docs/lights"\nside = "peer"\n')
    assert cli("docs").exit_code == 0
    assert "one that talks to the application" in (tmp_path / "docs/lights/api.md").read_text()
    assert cli("docs", "--check", "-q").exit_code == 0
    assert cli("docs", "-o", "x").exit_code == 2


def test_the_folder_has_to_be_its_own(
    cli: Cli, spec: Path, fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "a folder of their own" in cli("docs", spec, "-o", ".").stderr
    package = next(fresh.iterdir())
    result = cli("docs", spec, "-o", package)
    assert result.exit_code == 2
    assert "__init__.py was generated there; choose another folder" in result.stderr


def test_a_package_removes_no_pages(cli: Cli, tmp_path: Path) -> None:
    pages = tmp_path / "lights"
    assert cli("docs", LIGHTS, "-o", pages, "-q").exit_code == 0
    before = {place: place.read_bytes() for place in pages.iterdir()}
    for more in ((), ("--force",), ("--check",)):
        result = cli(LIGHTS, "-o", tmp_path, "--package", "lights", *more)
        said = f"aoba-gen: {pages}: api.md is a page of 'aoba-gen docs'; choose another folder for one of the two\n"
        assert (result.exit_code, result.stderr.splitlines(True)[-1]) == (2, said)
    assert {place: place.read_bytes() for place in pages.iterdir()} == before


def test_two_documents_have_a_folder_for_pages_each(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lights.yaml").write_text(LIGHTS.read_text())
    (tmp_path / "lamps.yaml").write_text(LIGHTS.read_text())
    one = '[[tool.aoba-gen.documents]]\nspec = "{}.yaml"\noutput = "{}"\ndocs = "{}"\n'.format
    (tmp_path / "pyproject.toml").write_text(
        one("lights", "a", "api") + one("lamps", "b", "./x/../api")
    )
    for more in ((), ("--check",)):
        result = cli("docs", *more)
        assert result.exit_code == 1
        assert (
            "lamps.yaml:1:1: the documentation goes to x/../api, where that of lights.yaml is"
            in result.stderr
        )
        assert "give one of the two another 'docs' in [tool.aoba-gen]" in result.stderr


def test_it_is_refused_in_the_same_words(cli: Cli, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(LIGHTS.read_text().replace("schemas/Percent'", "schemas/Percnt'"))
    told = cli("docs", spec, "-o", tmp_path / "api")
    assert told.exit_code == 1
    assert told.stderr == cli(spec, "-o", tmp_path / "out").stderr != ""
    assert not (tmp_path / "api").exists()
    assert cli("docs", LIGHTS, "-o", tmp_path / "api", "--limit", "parts=40").exit_code == 1


def test_a_long_page_is_refused_before_it_is_made(cli: Cli, tmp_path: Path) -> None:
    """Every heir repeats the fields of its base: 30 heirs of 200 fields are more than 3,000."""
    base = {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(200)}}
    heirs = {
        f"H{n}": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"type": "object"}]}
        for n in range(30)
    }
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Long", "version": "1"},
        "components": {"schemas": {"Base": base, **heirs}},
    }
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(document))
    result = cli("docs", spec, "-o", tmp_path / "api", "--limit", "parts=3000")
    assert result.exit_code == 1
    assert "the page would have more than 3,000 parts" in result.stderr


def test_what_heirs_repeat_has_one_anchor(tmp_path: Path) -> None:
    """And a field of a field that leads back to where it began is not followed without end."""
    inner = {"type": "object", "properties": {"deep": {"type": "object", "properties": {"x": {}}}}}
    base = {"type": "object", "properties": {"inner": inner}}
    heir = {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"own": {}}}]}
    via = {"type": "object", "properties": {"back": {"$ref": "#/components/schemas/Loop"}}}
    loop = {"type": "object", "properties": {"via": via}}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Heirs", "version": "1"},
        "components": {"schemas": {"Base": base, "One": heir, "Two": heir, "Loop": loop}},
    }
    page = pages_of(document, tmp_path)["index.html"]
    is_harmless(page)
    assert page.count("inner.deep.</span>x") == 3


def test_headings_step_down_one_at_a_time(spec: Path, cli: Cli, tmp_path: Path) -> None:
    assert cli("docs", spec, "-o", tmp_path / "api").exit_code == 0
    tags = [tag for tag, _ in Skeleton((tmp_path / "api" / "index.html").read_text()).elements]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    deep = html_text(element("main", *prose("### a\n\n###### b\n\n# c", 2)))
    assert re.findall(r"<(h\d)>", deep) == ["h2", "h3", "h2"]


# Hostile documents


@pytest.mark.parametrize("text", [*PAGE_BREAK_OUTS, *BREAK_OUTS])
def test_a_description_brings_no_element_of_its_own(text: str) -> None:
    found = Skeleton(html_text(element("main", *prose(text, 2), *prose(f"a {text}", 2))))
    assert {tag for tag, _ in found.elements} <= TAGS - {"style"}
    assert {name for _, names in found.elements for name in names} <= {
        "aria-label", "class", "href", "role", "scope", "start", "tabindex"
    }  # fmt: skip
    assert all(LINKS.fullmatch(link) for link in found.links), found.links


@pytest.mark.parametrize(
    ("tag", "name", "value"),
    [
        ("script", "class_", "x"),
        ("p", "onclick", "x"),
        ("a", "href", "javascript:x"),
        ("a", "href", "https://x y"),
    ],
)
def test_a_page_takes_no_tag_attribute_or_link_beside_its_own(
    tag: str, name: str, value: str
) -> None:
    with pytest.raises(ValueError, match="no page"):
        element(tag, **{name: value})


def test_text_stays_text(tmp_path: Path) -> None:
    """Each page has the elements that it has with harmless words instead; descriptions are held to the closed lists."""
    for document, _ in text_documents(texts=(*PAGE_BREAK_OUTS, *BREAK_OUTS[::4])):
        pages = pages_of(document, tmp_path)
        is_harmless(pages["index.html"])
        is_harmless_markdown(pages["api.md"])
        number = iter(range(10**6))
        words: dict[str, str] = {}

        def word(text: str) -> str:
            return words.setdefault(text, f"w{next(number)}")

        hostile = pages_of(_with(document, lambda text: text), tmp_path)
        harmless = pages_of(_with(document, word), tmp_path)
        ours, theirs = (Skeleton(each["index.html"]).elements for each in (hostile, harmless))
        assert ours == theirs


def _with(document: dict[str, Any], word: Callable[[str], str]) -> dict[str, Any]:
    """The document without its Markdown, and its hostile texts as `word` has them."""
    known = {*BREAK_OUTS, *PAGE_BREAK_OUTS}
    known |= {f"{text}2" for text in known}

    def changed(value: Any) -> Any:
        if isinstance(value, str):
            return word(value) if value in known else value
        if isinstance(value, list):
            return [changed(each) for each in value]
        if isinstance(value, dict):
            return {
                changed(key): (
                    "words" if key in ("description", "summary", "title") else changed(each)
                )
                for key, each in value.items()
            }
        return value

    made: dict[str, Any] = changed(document)
    return made


@pytest.mark.parametrize("first", range(0, len(PAGE_BREAK_OUTS), 10))
def test_names_stay_names(first: int, tmp_path: Path) -> None:
    made = 0
    for number, text in enumerate(PAGE_BREAK_OUTS[first : first + 10]):
        for index, document in enumerate(name_documents(text).values()):
            if index % 3 != number % 3:  # the others differ in little
                continue
            try:
                pages = pages_of(document, tmp_path)
            except Refused:
                continue
            is_harmless(pages["index.html"])
            is_harmless_markdown(pages["api.md"])
            made += 1
    assert made > 10


@pytest.mark.corpus
@pytest.mark.skipif(not corpus.DOCUMENTS.exists(), reason="no public documents beside the checkout")
def test_public_documents_have_pages(cli: Cli, tmp_path: Path) -> None:
    """Every third of them."""
    made = 0
    for path in corpus.valid_documents()[::3]:
        out = tmp_path / corpus.package_of(path)
        result = cli("docs", corpus.DOCUMENTS / path, "-o", out, "-q")
        assert result.exit_code == 0 or "ref-outside" in result.stderr, path
        if result.exit_code == 0:
            is_harmless((out / "index.html").read_text())
            is_harmless_markdown((out / "api.md").read_text())
            made += 1
    assert made >= 60
