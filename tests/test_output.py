"""What is printed says what a document says, and forges nothing: no line, no escape sequence, no command of a log, no Markdown."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import Cli

FORGED: Final = (
    "\x1b[2K\x1b[31mgone", "\x9b31m", "\x07\x08\x08", "a\nspec.json:1:1: warning: forged [tag-name]", "a\r0 errors", "\u2028b",
    "\x85b", "\u202eb", "\n::error file=x::forged", "\r::set-output name=a::b", "::error::forged", "##[error]forged",
    "###[add-path]/tmp", "##vso[task.setvariable variable=PATH]/tmp", "##VSO[task.complete]", "::stop-commands::x", "%0A::error::forged",
    "|x|", "`x`", "``|", "</details><img src=x onerror=y>", "<script>", "&lt;script&gt;", "[a](https://evil.example)", "![a](//evil.example)",
    "@everyone", "a @org/team", "&commat;org", "#1", "owner/repo#1", "https://evil.example/", "www.evil.example", "a\n# forged",
    "a\n\n| --- |", "\\`x\\`", "'`x`'", "' @a '", "it's @a 'x", "a@evil.example", "<!--", "~~x~~", "$x$", "*x*", "\n```\n", "\n- forged",
)  # fmt: skip
FORMATS: Final = ("text", "json", "github", "sarif", "markdown")
_OURS: Final = re.compile(r"::(error|warning) file=[^:]*,line=\d+,col=\d+,title=[\w-]+::")


def lines_of(text: str) -> list[str]:
    """The lines of what is printed; each shows, and none is a command but those of the format 'github'."""
    lines = text.split("\n")
    for line in lines:
        assert line.isprintable(), line
        assert not re.search(r"##(\[|vso\[)", line, re.IGNORECASE) or _OURS.match(line), line
        assert not line.lstrip().startswith("::") or _OURS.match(line), line
    return lines


_WHOLE: Final = "".join(FORGED)
"""For places that there is but one of."""


def document() -> dict[str, Any]:
    """A document with all of these wherever a diagnostic or a change may say them."""
    properties = {
        text: {"type": "string", "description": text, "enum": [text, "a"]} for text in FORGED
    }
    schema: dict[str, Any] = {
        "type": "object",
        "description": _WHOLE,
        "properties": properties,
        **dict.fromkeys(FORGED, 1),
    }
    examples = [{"name": text, "payload": {text: text}} for text in FORGED]
    message = {
        "name": _WHOLE,
        "payload": {"$ref": "#/components/schemas/S"},
        "examples": examples,
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Forged",
            "version": _WHOLE,
            "description": "\n".join(FORGED),
            "tags": [{"name": text} for text in FORGED * 2],
        },
        "channels": {"c": {"address": "a", "messages": {"m": message}}},
        "operations": {
            "o": {"action": "send", "channel": {"$ref": "#/channels/c"}, "title": _WHOLE}
        },
        "components": {"schemas": {"S": schema}},
    }


def refused() -> str:
    """A document that is wrong wherever that can be said of one of these."""
    tree = document()
    schemas = tree["components"]["schemas"]
    for index, text in enumerate(FORGED):
        schemas[f"W{index}"] = {"type": text, "default": 5, "enum": [text, text], "pattern": text}
        schemas[f"R{index}"] = {"$ref": f"#/x{text}"}
        schemas[f"F{index}"] = {"$ref": f"{text}.json"}
        tree["channels"][f"c{index}"] = {"address": f"a/{text}/{{{text}}}", text: text}
    tree[_WHOLE] = 1
    return json.dumps(tree)


@pytest.fixture
def pair(folder: Path) -> Path:
    """Two versions of a document: all is there in the old one, and is gone, new or different in the other."""
    old, new = document(), document()
    new["info"]["version"] = f"{_WHOLE}2"
    schema = new["components"]["schemas"]["S"]
    schema["description"] = f"other {_WHOLE}"
    schema["properties"] = {
        f"{text}3": {"type": "string", "const": text} for text in FORGED
    } | dict.fromkeys(FORGED[::2], {"type": "integer"})
    schema["required"] = [f"{text}3" for text in FORGED[::3]]
    schema["x-aoba-accept"] = {"field-removed": _WHOLE}
    (folder / "old.json").write_text(json.dumps(old))
    (folder / "new.json").write_text(json.dumps(new))
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_diagnostics(cli: Cli, folder: Path) -> None:
    (folder / "spec.json").write_text(refused())
    said = {form: cli("validate", "spec.json", "--format", form) for form in FORMATS[:4]}
    assert {result.exit_code for result in said.values()} == {1}
    for line in lines_of(said["text"].stdout):
        assert not line or re.match(r"spec\.json:\d+:\d+: |    hint: ", line)
    found = json.loads(said["json"].stdout)["diagnostics"]
    assert len(found) > 4 * len(FORGED)
    commands = lines_of(said["github"].stdout)[:-1]
    assert len(commands) == len(found)
    assert all(_OURS.match(line) for line in commands)
    lines_of(said["json"].stdout)
    lines_of(said["sarif"].stdout)
    assert len(json.loads(said["sarif"].stdout)["runs"][0]["results"]) == len(found)


def test_changes(cli: Cli, pair: Path) -> None:
    for old, new in (("old.json", "new.json"), ("new.json", "old.json")):
        words = ("breaking", new, "--against", old, "--suggest-version", "--format")
        said = {form: cli(*words, form) for form in FORMATS}
        for result in said.values():
            lines_of(result.stdout)
            lines_of(result.stderr)
        found = json.loads(said["json"].stdout)["changes"]
        assert said["text"].stdout.count("    was: ") == len(found) > len(FORGED)
        told = [one for one in found if one["verdict"] != "compatible" and not one["accepted"]]
        assert len(lines_of(said["github"].stdout)[:-1]) == len(told)
        assert_plain(said["markdown"].stdout)
        rows = [line for line in said["markdown"].stdout.split("\n") if line.startswith("| ")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {4, 5}
        changes = cli("changelog", old, new)
        lines_of(changes.output)
        assert_plain(changes.stdout)


def assert_plain(markdown: str) -> None:
    """That there is nothing in it but headings, rows, lists, emphasis and code of ours."""
    headings = re.findall(r"^(#+) (\w+)?", markdown, re.MULTILINE)
    assert headings.count(("##", "")) + headings.count(("###", "Forged")) == 1
    assert {word for _, word in headings} <= {
        "",
        *"Forged Breaking Added Changed Removed".split(),
        "Documented",
    }
    pieces = r"(\\.)|(?<!`)(`+)(?!`)(.+?)(?<!`)\2(?!`)"
    outside = re.sub(pieces, lambda found: found[1] or "", markdown)
    outside = re.sub(r"</?(code|details|summary)>", "", outside)
    assert not re.search(r"(?<!\\)<(?!!-- -->)", outside)
    assert not re.search(r"(?<!\\)\]", outside)
    # Where GitHub looks for mentions and addresses:
    shown = unescape(re.sub(r"\\(.)", lambda found: found[1].replace("&", "&amp;"), outside))
    assert not re.search(r"@\w|#\d|://|www\.", shown, re.IGNORECASE)


def test_generated_code_and_what_is_shown_of_it(cli: Cli, pair: Path) -> None:
    lines_of(cli("model", "old.json").output)
    assert cli("old.json", "-o", "out").exit_code == 0
    found = cli("new.json", "-o", "out", "--diff")
    assert found.exit_code == 0
    assert len(lines_of(found.output)) > 4 * len(FORGED)


@pytest.mark.parametrize("form", ["text", "github"])
def test_what_a_manifest_says(cli: Cli, folder: Path, root: Path, form: str) -> None:
    """It lies in the checkout, which may be a stranger's."""
    spec = root / "tests" / "cases" / "ping.yaml"
    assert cli(spec, "-o", "out").exit_code == 0
    (place,) = (folder / "out").glob("*/.aoba-gen.json")
    manifest = json.loads(place.read_text())
    manifest["seal"] = ""
    manifest["origin"]["generator"] = _WHOLE
    for number, text in enumerate(FORGED):
        name = f"x{text}.py"
        manifest["files"][name] = text
        if "/" not in name and "\0" not in name:
            (place.parent / name).write_text(f"{number}")
    place.write_text(json.dumps(manifest))
    for options in (("--check", "--format", form), ("--diff",), ()):
        lines_of(cli(spec, "-o", "out", *options).output)
