"""--dist: what stands beside the package, that it is safe whatever the document says, and that its example runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from aoba_gen.diagnostics import Report
from aoba_gen.load import load
from aoba_gen.markdown import quoted
from aoba_gen.options import Options
from aoba_gen.pipeline import compile_model
from aoba_gen.pyproject import pyproject
from aoba_gen.readme import readme
from attacks import BREAK_OUTS, CANARY, distribution_documents
from click.testing import Result
from hatchling.metadata.core import ProjectMetadata
from hatchling.metadata.spec import construct_metadata_file_2_4
from hatchling.plugin.manager import PluginManager
from markdown_it import MarkdownIt

Cli: TypeAlias = Callable[..., Result]
CASES: Final = Path(__file__).parent / "cases"
PING: Final = CASES / "ping.yaml"
MARKDOWN: Final = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def spec_of(folder: Path, **info: object) -> Path:
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Shop", "version": "1.0.0"} | info,
        "channels": {"orders": {"address": "orders/{id}", "parameters": {"id": {}}, "messages": {"order": {
            "payload": {"type": "object", "required": ["name", "size", "of"], "properties": {
                "name": {"type": "string", "minLength": 6},
                "size": {"type": "integer", "exclusiveMinimum": 3},
                "of": {"enum": ["wood", "glass"]},
                "kind": {"type": "string"},
            }}}}}},
        "operations": {"placeOrder": {"action": "send", "channel": {"$ref": "#/channels/orders"},
            "summary": "Places an order."}},
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "shop.json").write_text(json.dumps(document))
    return folder / "shop.json"


def project_of(out: Path) -> dict[str, Any]:
    tables: dict[str, Any] = tomllib.loads((out / "pyproject.toml").read_text())
    project: dict[str, Any] = tables["project"]
    return project


def test_two_files_come_and_go_with_the_option(cli: Cli, spec: Path, fresh: Path, tmp_path: Path) -> None:  # fmt: skip
    command = (spec, "-o", tmp_path, "--dist")
    first = cli(*command)
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.splitlines()[:2] == [
        f"wrote {tmp_path / 'README.md'}",
        f"wrote {tmp_path / 'pyproject.toml'}",
    ]
    assert first.stdout.endswith("aoba_voice_call_signaling: 9 written\n")
    package = tmp_path / "aoba_voice_call_signaling"
    for place in (fresh / package.name).glob("*.py"):
        assert (package / place.name).read_bytes() == place.read_bytes()
    bytes_of = {place: place.read_bytes() for place in tmp_path.glob("*.*")}
    assert cli(*command).stdout == f"{package}: 9 unchanged\n"
    assert cli(*command, "--check").exit_code == 0
    (tmp_path / "README.md").unlink()
    drift = cli(*command, "--check")
    assert (drift.exit_code, drift.stdout) == (1, f"missing: {tmp_path / 'README.md'}\n")
    assert f"run 'aoba-gen {spec} -o {tmp_path} --dist'" in drift.stderr
    assert "+++ b/README.md" in cli(*command, "--diff").stdout
    assert cli(*command).exit_code == 0
    assert {place: place.read_bytes() for place in tmp_path.glob("*.*")} == bytes_of
    assert "without --dist" in cli(*command[:-1], "--check").stderr
    assert f"removed {tmp_path / 'pyproject.toml'}" in cli(*command[:-1]).stdout
    assert os.listdir(tmp_path) == [package.name]


@pytest.mark.parametrize(("side", "who"), [("described", "Shop"), ("peer", "Client")])
def test_the_drawing_says_who_the_package_is(cli: Cli, tmp_path: Path, side: str, who: str) -> None:
    """Its table calls the package the client, and its drawing who talks to the application."""
    assert cli(spec_of(tmp_path), "-o", tmp_path / "out", "--dist", "--side", side).exit_code == 0
    text = (tmp_path / "out" / "README.md").read_text()
    assert f"\n## Who says what\n\nThis package is `{who}` here.\n\n```mermaid\n" in text
    assert "    B->>A: order\n" in text
    assert f"| {'sends' if side == 'described' else 'receives'} | `order` |" in text


def test_the_users_files_are_kept_until_forced(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    command = (PING, "-o", tmp_path, "--dist")
    kept = f"{tmp_path / 'pyproject.toml'}: kept, because it was edited by hand or is not ours; --force overwrites it\n"
    for _ in range(2):
        result = cli(*command)
        assert (result.exit_code, result.stderr) == (1, kept)
    assert (tmp_path / "pyproject.toml").read_text() == "[project]\n"
    assert f"not ours: {tmp_path / 'pyproject.toml'}" in cli(*command, "--check").stdout
    assert cli(*command, "--force").exit_code == 0
    assert project_of(tmp_path)["name"] == "ping"


def test_a_document_that_is_called_otherwise_is_told_whose_files_are_there(
    cli: Cli, tmp_path: Path
) -> None:
    spec, out = tmp_path / "ping.yaml", tmp_path / "out"
    spec.write_text(PING.read_text())
    command = (spec, "-o", out, "--dist")
    assert cli(*command).exit_code == 0
    spec.write_text(PING.read_text().replace("Ping API", "Pong"))
    result = cli(*command)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{out / name}: kept, because it is of the package {out / 'ping'}; where that is of the same document, "
        f"remove {out / 'ping'} and run again with --force, else give each a folder of its own"
        for name in ("README.md", "pyproject.toml")
    ]
    assert project_of(out)["name"] == "ping"
    shutil.rmtree(out / "ping")
    assert cli(*command, "--force").exit_code == 0
    assert project_of(out)["name"] == "pong"


def test_what_a_document_says_of_itself(cli: Cli, tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        license={"name": "apache-2.0", "url": "https://example.org/licence"},
        contact={"name": "Shop team", "email": "shop@example.org", "url": "javascript:alert(1)"},
        description="Sells *wood*.\n\nAnd <b>glass</b>.",
    )
    assert cli(spec, "-o", tmp_path / "out", "--dist", "--package", "the_shop").exit_code == 0
    project = project_of(tmp_path / "out")
    assert project["name"] == "the-shop"
    assert project["license"] == "Apache-2.0"
    assert project["authors"] == [{"name": "Shop team", "email": "shop@example.org"}]
    assert project["urls"] == {"Licence": "https://example.org/licence"}
    assert "Typing :: Typed" in project["classifiers"]
    text = (tmp_path / "out" / "README.md").read_text()
    assert "> Sells *wood*.\n>\n> And &#60;b&#62;glass&#60;/b&#62;.\n" in text
    assert 'await client.place_order(models.OrderPayload(name="textxx", size=4, of=models.OrderPayloadOf.WOOD), id="a")' in text  # fmt: skip
    assert "- Contact: `Shop team shop@example.org`" in text


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("MIT OR (apache-2.0 AND isc)", "MIT OR (Apache-2.0 AND ISC)"), ("Apache 2.0", {"text": "Apache 2.0"})],
)  # fmt: skip
def test_a_licence_is_spdx_or_words(cli: Cli, tmp_path: Path, name: str, wanted: object) -> None:
    assert cli(spec_of(tmp_path, license={"name": name}), "-o", tmp_path, "--dist").exit_code == 0
    assert project_of(tmp_path)["license"] == wanted


@pytest.mark.parametrize(
    ("said", "version"),
    [("v1.2", "1.2"), ("1.0.0-rc.1", "1.0.0rc1"), ("1.0.0-alpha.2+build.7", "1.0.0a2+build.7")],
)
def test_a_version_is_in_the_form_of_python(cli: Cli, tmp_path: Path, said: str, version: str) -> None:  # fmt: skip
    assert cli(spec_of(tmp_path, version=said), "-o", tmp_path, "--dist").exit_code == 0
    assert project_of(tmp_path)["version"] == version
    assert f'__version__ = "{said}"' in (tmp_path / "shop" / "__init__.py").read_text()


@pytest.mark.parametrize(
    ("said", "shown", "hint"),
    [
        ("1.0-SNAPSHOT", "'1.0-SNAPSHOT'", "1.0"),
        ("2024-01-15", "'2024-01-15'", "2024.1.15"),
        ("latest", "'latest'", "0.1.0"),
    ],
)
def test_a_version_that_is_none_has_a_place(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, shown: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(PING.read_text().replace("version: 1.0.0", f"version: '{said}'"))
    result = cli("x.yaml", "-o", "out", "--dist")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"x.yaml:4:12: the version {shown} is none that a Python distribution can have (PEP 440) [distribution-version]\n"
        f"    hint: write such as '{hint}' or '1.0.0-rc.1', or generate without --dist\n"
    )
    assert not Path("out").exists()
    assert cli("x.yaml", "-o", "out").exit_code == 0


def test_a_name_that_is_none_has_a_place(cli: Cli, tmp_path: Path) -> None:
    spec = spec_of(tmp_path, title="店舗", version="x")
    result = cli(spec, "-o", tmp_path, "--dist")
    assert result.exit_code == 1
    assert re.findall(r"\[(.*?)\]", result.stderr) == ["distribution-name", "distribution-version"]


def test_a_folder_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "out" / "README.md").mkdir(parents=True)
    result = cli(PING, "-o", tmp_path / "out", "--dist")
    assert (result.exit_code, result.stderr) == (
        2,
        f"aoba-gen: {tmp_path / 'out' / 'README.md'}: cannot write here: it is a folder, not a file; move it away\n",
    )
    assert [place.name for place in (tmp_path / "out").iterdir()] == ["README.md"]


EXAMPLES: Final = [
    PING,
    CASES / "calls" / "marked.yaml",
    *(CASES / "documents" / name / "spec.yaml" for name in ("kinds", "parameters", "replies")),
]


def test_the_examples_run(cli: Cli, spec: Path, tmp_path: Path) -> None:
    """Each README's program, all in one process."""
    programs = []
    for number, place in enumerate([spec, *EXAMPLES]):
        out = tmp_path / f"p{number}"
        command = (place, "-o", out, "--dist", "--package", f"p{number}", "--quiet")
        assert cli(*command).exit_code == 0
        (program,) = re.findall("^```python\n(.*?)^```", (out / "README.md").read_text(), re.S | re.M)  # fmt: skip
        (tmp_path / f"program{number}.py").write_text(program)
        programs.append(number)
    names = [f"program{number}.py" for number in programs]
    path = os.pathsep.join(str(tmp_path / f"p{number}") for number in programs)
    code = "import runpy, sys\nfor name in sys.argv[1:]: print(f'-- {name}'); runpy.run_path(name, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *names],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r'^-- program0.py\nsent: .*"type":"call:initiate"', done.stdout)
    assert done.stdout.count("sent:") >= 4


PLUGINS: Final = PluginManager()
HOSTILE: Final = list(distribution_documents())


@pytest.mark.parametrize("index", range(len(HOSTILE)))
def test_hostile_text_stays_text(tmp_path: Path, index: int) -> None:
    """Every break-out in title, description, licence, contact and names: the metadata builds, and nothing leads out."""
    text, document = HOSTILE[index]
    (tmp_path / "spec.json").write_text(json.dumps(document))
    report = Report()
    source = load(tmp_path / "spec.json", report)
    model = compile_model(source, "attacked", report, Options(dist=True))
    assert model.distribution
    (tmp_path / "README.md").write_text(readme(model, model.distribution))
    (tmp_path / "pyproject.toml").write_text(
        pyproject(model.package, model.title, model.distribution)
    )
    tables = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    assert set(tables) == {"build-system", "project", "tool"}
    assert set(tables["project"]) <= {
        *("name", "version", "description", "readme", "requires-python", "license", "authors"),
        *("classifiers", "dependencies", "urls"),
    }
    assert set(tables["tool"]) == {"hatch"}
    metadata = ProjectMetadata(str(tmp_path), PLUGINS)
    head, _, body = construct_metadata_file_2_4(metadata).partition("\n\n")
    fields = {line.partition(":")[0] for line in head.splitlines()}
    assert fields <= {
        *("Metadata-Version", "Name", "Version", "Summary", "Author", "Author-email", "License"),
        *("License-Expression", "Classifier", "Requires-Python", "Requires-Dist", "Project-URL"),
        "Description-Content-Type",
    }
    assert body.startswith("# ")
    harmless(body, text)


def harmless(markdown: str, text: str) -> None:
    """Markdown that holds no HTML, link or image of the document's, and one drawing, which is ours."""
    tokens = MARKDOWN.parse(markdown)
    inner = [*tokens, *(one for token in tokens for one in token.children or ())]
    kinds = {token.type for token in inner}
    assert not kinds & {"html_block", "link_open", "image"}, text
    html = {token.content for token in inner if token.type == "html_inline"}
    assert html <= {"<code>", "</code>"}, text
    titles = [token for token in tokens if token.type == "heading_open" and token.level == 0]
    assert [token.tag for token in titles].count("h1") == 1
    fences = [token.info for token in tokens if token.type == "fence" and token.level == 0]
    assert fences == ["sh", "python", "sh", "mermaid"], text
    assert not any(token.info for token in tokens if token.type == "fence" and token.level), text
    assert all(line.isprintable() for line in markdown.split("\n")), text
    (drawn,) = (token.content for token in tokens if token.info == "mermaid")
    assert re.fullmatch(
        r"sequenceDiagram\n(    participant [AB] as [^\n;%<>]*(#\d+;[^\n;%<>]*)*\n){2}"
        r"(    [AB]-?->>[AB]: [^\n;%<>]*(#\d+;[^\n;%<>]*)*\n)+",
        drawn,
    ), drawn


@pytest.mark.parametrize(
    "text",
    [
        *BREAK_OUTS,
        "```mermaid\nclick A href \"https://evil.example\"\n```",
        "~~~\n</code><script>x</script>\n",
        "- ```\n  a\n  ```\n<script>x</script>",
        "\\`<script>x</script>`",
        "`a\n<script>x</script>`",
        "[a]: https://evil.example\n\n[a] ![a](https://evil.example/x.png) <https://evil.example>",
        "text\n===\n---\n# h\n| a | `b|<i>` |\n|---|---|\n| <b> | [x](y) |",
        "```\nunclosed\n\n# h1\n<b>",
        "`` ` `` ``` `` <b> `` `<i>`",
        "    <b>\n\n\t<i>\n> > <u>\n>```\n<b>",
        "&lt;b&gt; &#60;b&#62; \\<b>",
    ],
)  # fmt: skip
def test_a_quotation_ends_where_it_ends(text: str) -> None:
    markdown = "\n".join([*quoted(text), "", "after"])
    tokens = MARKDOWN.parse(markdown)
    inner = [*tokens, *(one for token in tokens for one in token.children or ())]
    html = {token.content for token in inner if token.type.startswith("html")}
    assert html <= {"<code>", "</code>"}
    assert not {token.type for token in inner} & {"link_open", "image"}
    assert [token.info for token in tokens if token.info] == []
    assert [token.type for token in tokens[-3:]] == ["paragraph_open", "inline", "paragraph_close"]
    assert (tokens[-2].content, tokens[-3].level) == ("after", 0)
    assert CANARY not in os.listdir()


def test_a_description_keeps_its_shape() -> None:
    text = "# Head\n\nSome `a < b` and **bold**.\n```json\n[1]\n```\n- one\n- two"
    assert quoted(text) == [
        "> # Head",
        ">",
        "> Some `a < b` and **bold**.",
        ">",
        "> ```",
        "> [1]",
        "> ```",
        ">",
        "> - one",
        "> - two",
    ]
    assert quoted(" \n") == []
