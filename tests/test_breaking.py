"""Two versions of a document held against each other: every rule, on a pair of documents that shows it."""

from __future__ import annotations

import itertools
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from aoba_gen.compare import RULES
from breaking_pair import CASES
from click.testing import Result
from conftest import Cli

OFFICIAL: Final = Path(__file__).parents[2] / "shared" / "corpus" / "documents" / "asyncapi__spec"
INVALID: Final = {
    "@v2.4.0/examples/operation-security.yml",
    "@v2.4.0/examples/social-media/backend/asyncapi.yaml",
    "@v2.4.0/examples/social-media/comments-service/asyncapi.yaml",
    "@v2.5.0/examples/operation-security.yml",
}
"""Official examples that break their own specification, or refer to what is not there."""
NAMES: Final = sorted(place.name for place in CASES.iterdir())


@pytest.mark.parametrize("rule", NAMES)
def test_a_rule_says_what_has_changed(cli: Cli, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    """Each case is a folder with two documents and the words about them."""
    monkeypatch.chdir(CASES / rule)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert f"{result.stdout}exit {result.exit_code}\n" == Path("expected.txt").read_text()
    assert f"[{rule}]" in result.stdout


@pytest.mark.parametrize("rule", NAMES)
def test_a_document_is_its_own_next_version(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    monkeypatch.chdir(CASES / rule)
    result = cli("breaking", "new.yaml", "--against", "new.yaml")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "no changes\n", 0)


def test_every_rule_has_a_case_and_a_sentence() -> None:
    assert set(NAMES) == set(RULES)
    for sentence in RULES.values():
        assert re.fullmatch(r"[A-Z][^\n]*\.", sentence)


def test_the_documentation_lists_every_rule(cli: Cli, root: Path) -> None:
    text = (root / "docs" / "breaking.md").read_text()
    listed = cli("breaking", "--list-rules").stdout
    for rule, sentence in RULES.items():
        assert f"| `{rule}` | {sentence} |" in text
        assert re.search(rf"^{rule} +{re.escape(sentence)}$", listed, re.MULTILINE)


def test_a_listed_document_is_compared_on_its_own_side(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line wins; what is listed for both sides, or not at all, is compared on the usual one."""

    def said(command: str, *more: str) -> str:
        words = (
            ("old.yaml", "new.yaml")
            if command == "changelog"
            else ("new.yaml", "--against", "old.yaml")
        )
        return cli(command, *words, *more).output

    shutil.copytree(CASES / "field-added-required", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    usual, peers = (
        {command: said(command, "--side", side) for command in ("breaking", "changelog")}
        for side in ("described", "peer")
    )
    assert usual["breaking"] != peers["breaking"]
    one = '{{spec = "./new.yaml", output = "out", side = "{}"}}'.format
    table = "[tool.aoba-gen]\ndocuments = [{}]\n".format
    Path("pyproject.toml").write_text(table(one("peer")))
    for command, expected in peers.items():
        assert said(command) == expected
        assert said(command, "--side", "described") == usual[command]
    Path("pyproject.toml").write_text(table(one("peer") + ", " + one("described")))
    both = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (
        both.stdout
        == cli("breaking", "new.yaml", "--against", "old.yaml", "--side", "described").stdout
    )
    assert "new.yaml: warning: [tool.aoba-gen] lists it for both sides" in both.stderr


LIGHTS: Final = """\
asyncapi: 2.6.0
info: {title: Lights, version: 1.0.0}
channels:
  '{lights}':
    parameters: {lights: {schema: {type: string}}}
    publish:
      message:
        payload:
          type: object
          properties:
            share: {type: number, multipleOf: 1.0}
"""


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("multipleOf: 1.0", "multipleOf: 0.25", []),
        (
            "multipleOf: 1.0",
            "multipleOf: 2.0",
            [
                "breaking: the multipleOf of field 'share' of PublishLightsMessagePayload is 2.0; it was 1.0"
            ],
        ),
        ("multipleOf: 1.0", "multipleOf: 1.5", ["breaking: the multipleOf of field 'share'"]),
        (
            "    publish:\n",
            "    publish:\n      operationId: light\n",
            ["new.yaml:6:5: breaking: operation 'publish {lights}' seems to be called 'light' now"],
        ),
        (
            "  '{lights}':",
            "  '{Lights}':",
            ["channel '{lights}' seems to be called '{Lights}' now [channel-renamed]"],
        ),
    ],
)
def test_what_was_misjudged(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
    wanted: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.yaml").write_text(LIGHTS)
    (tmp_path / "new.yaml").write_text(LIGHTS.replace(before, after))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    for text in wanted:
        assert text in result.stdout
    assert ("for: " in result.stdout) == any("breaking: " in text for text in wanted)
    assert ".yaml:1:1" not in result.stdout


@pytest.mark.parametrize(
    ("case", "old", "new", "wanted", "code"),
    [
        ("field-renamed", "1.4.2", "1.4.3", "2.0.0 (major: 2 breaking changes)", 1),
        ("field-renamed", "1.4.2", "2.0.0", "2.0.0 (major: 2 breaking changes)", 1),
        ("field-renamed", "0.4.2", "0.5.0", "0.5.0 (major: 2 breaking changes)", 1),
        ("field-added", "1.4.2", "1.5.0", "1.5.0 (minor: what has changed breaks nobody)", 0),
        ("field-added", "1.4.2", "1.4.9", "1.5.0 (minor: what has changed breaks nobody)", 1),
        ("description-changed", "1.4.2", "1.4.3", "1.4.3 (patch: only words have changed)", 0),
        ("description-changed", "1.4.2", "1.4.2", "1.4.3 (patch: only words have changed)", 1),
        ("description-changed", "1.4.2", "spring", "1.4.3 (patch: only words have changed)", 1),
        (
            "field-added",
            "1.4.2",
            f"1{'0' * 5000}.0.0",
            "1.5.0 (minor: what has changed breaks nobody)",
            1,
        ),
        ("field-added", "1.4.2", "\u0661.5.0", "1.5.0 (minor: what has changed breaks nobody)", 1),
        ("field-renamed", "2.0.0-rc.1", "2.0.0-rc.2", "2.0.0 (major: 2 breaking changes)", 1),
    ],
)
def test_the_next_version(
    cli: Cli, tmp_path: Path, case: str, old: str, new: str, wanted: str, code: int
) -> None:
    for name, version in (("old.yaml", old), ("new.yaml", new)):
        text = (CASES / case / name).read_text().replace("version: 1.0.0", f"version: {version}")
        (tmp_path / name).write_text(text)
    files = (tmp_path / "new.yaml", "--against", tmp_path / "old.yaml")
    result = cli("breaking", *files, "--suggest-version")
    assert f"next version: {wanted}\n" in result.stderr
    is_behind = new not in wanted and not new.startswith(wanted[:5])
    told = re.search(
        r"new\.yaml:4:3: the version .* \[version-behind\]\n    hint: set", result.stderr
    )
    assert bool(told) is is_behind
    assert result.exit_code == code


def compared(cli: Cli, folder: Path, old: str, new: str, *options: str) -> Result:
    """What `breaking` says of one text after another."""
    (folder / "old.yaml").write_text(old)
    (folder / "new.yaml").write_text(new)
    return cli("breaking", folder / "new.yaml", "--against", folder / "old.yaml", *options)


@pytest.mark.parametrize(
    ("old", "new", "is_behind"),
    [
        ("2.0.0-rc.1", "2.0.0", False),
        ("2.0.0-rc.9", "2.0.0-rc.10", False),
        ("2.0.0-rc.10", "2.0.0-rc.9", True),
        ("2.0.0-rc.1", "2.0.0-rc", True),
        ("2.0.0-1", "2.0.0-alpha", False),
        ("2.0.0-rc.1", "2.0.0-rc.1+build.2", False),
        ("2.0.0", "2.0.0-rc.1", True),
        ("2.0.0", "1.9.0", True),
    ],
)
def test_a_version_does_not_go_back(
    cli: Cli, tmp_path: Path, old: str, new: str, is_behind: bool
) -> None:
    """Nothing else has changed; a pre-release comes before the version it leads to (semver.org, section 11)."""
    text = (CASES / "field-added" / "old.yaml").read_text()
    texts = [text.replace("version: 1.0.0", f"version: {version}") for version in (old, new)]
    result = compared(cli, tmp_path, *texts, "--suggest-version")
    assert (result.exit_code, "[version-behind]" in result.stderr) == (is_behind, is_behind)


def test_a_pre_release_that_changes_is_another_one(cli: Cli, tmp_path: Path) -> None:
    places = (CASES / "field-added" / name for name in ("old.yaml", "new.yaml"))
    texts = [place.read_text().replace("version: 1.0.0", "version: 2.0.0-rc.1") for place in places]
    result = compared(cli, tmp_path, *texts, "--suggest-version")
    told = "the version is 2.0.0-rc.1, and should come after 2.0.0-rc.1 [version-behind]\n    hint: set info.version to 2.0.0\n"
    assert (result.exit_code, told in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [
        ("h.example", "h.example:443", False),
        ("h.example", "H.Example", False),
        ("h.example", "h.example:8443", True),
        ("h.example", "h.example:80", True),
        ("h.example, pathname: /", "h.example", False),
        ("h.example, pathname: /a", "h.example, pathname: /A", True),
        (
            "'{a}.example', variables: {a: {default: x}}",
            "'{A}.example', variables: {A: {default: x}}",
            True,
        ),
    ],
)
def test_a_server_that_is_written_otherwise_is_at_the_same_place(
    cli: Cli, tmp_path: Path, before: str, after: str, is_told: bool
) -> None:
    text = "asyncapi: 3.0.0\ninfo: {title: Lamp, version: 1.0.0}\nservers:\n  s: {protocol: wss, host: "
    result = compared(cli, tmp_path, f"{text}{before}}}\n", f"{text}{after}}}\n")
    assert ("[server-url-changed]" in result.stdout) is is_told, result.output


@pytest.mark.parametrize(
    ("looser", "tighter"),
    [
        ("maximum: 10", "exclusiveMaximum: 10"),
        ("minimum: 10", "exclusiveMinimum: 10"),
        ("exclusiveMaximum: 10", "maximum: 9.5"),
        ("exclusiveMinimum: 10", "minimum: 10.5"),
        ("maximum: 10", "maximum: 10, exclusiveMaximum: 10"),
        ("title: t", "minimum: 0"),
        ("minLength: 0", "minLength: 1"),
    ],
)
def test_a_bound_with_or_without_its_end(
    cli: Cli, tmp_path: Path, looser: str, tighter: str
) -> None:
    """Who reads breaks where more is allowed, and only there."""
    kind = "string" if "Length" in looser else "number"
    for name, bound in (("loose.yaml", looser), ("tight.yaml", tighter)):
        (tmp_path / name).write_text(
            LIGHTS.replace("publish", "subscribe").replace(
                "number, multipleOf: 1.0", f"{kind}, {bound}"
            )
        )
    loose, tight = tmp_path / "loose.yaml", tmp_path / "tight.yaml"
    assert "for: " not in (narrower := cli("breaking", tight, "--against", loose)).stdout
    assert "[constraint-tightened]" in narrower.stdout
    wider = cli("breaking", loose, "--against", tight)
    assert "for: who receives\n" in wider.stdout and "who sends" not in wider.stdout
    assert "[constraint-tightened]" not in wider.stdout


@pytest.mark.parametrize("bound", ["type: string, minLength: 0", "type: array, minItems: 0"])
def test_a_bound_that_says_nothing(cli: Cli, tmp_path: Path, bound: str) -> None:
    said = (bound, bound.partition(",")[0])
    texts = [LIGHTS.replace("type: number, multipleOf: 1.0", one) for one in said]
    result = compared(cli, tmp_path, *texts)
    assert (result.exit_code, result.stderr) == (0, "no changes\n")


@pytest.mark.parametrize("kind", ["integer", "number"])
def test_a_number_of_another_format(cli: Cli, tmp_path: Path, kind: str) -> None:
    said = (f"type: {kind}, format: {format}" for format in ("int32", "int64"))
    texts = [LIGHTS.replace("type: number, multipleOf: 1.0", one) for one in said]
    result = compared(cli, tmp_path, *texts)
    assert "risky: the format of" in result.stdout and "is 'int64'; it was 'int32'" in result.stdout
    assert result.exit_code == 0


def test_a_description_is_that_of_what_has_it(cli: Cli, tmp_path: Path) -> None:
    """The text of a method holds its parameters too, and yet only the parameter has new words."""
    described = "parameters: {lights: {description: %s, "
    texts = [
        LIGHTS.replace("parameters: {lights: {", described % words)
        for words in ("Which.", "Which ones.")
    ]
    result = compared(cli, tmp_path, *texts)
    found = [line for line in result.stdout.splitlines() if "compatible" in line]
    assert len(found) == 1 and "the description of parameter 'lights'" in found[0], result.stdout


def test_a_security_scheme_that_is_described_now(cli: Cli, tmp_path: Path) -> None:
    """Who let clients in by a scheme that no component described does so still."""
    servers = "servers: {main: {url: x.example, protocol: ws, security: [{key: []}]}}\nchannels:"
    old = LIGHTS.replace("channels:", servers)
    scheme = "components: {securitySchemes: {key: {type: apiKey, in: user}}}\n"
    result = compared(cli, tmp_path, old, old + scheme)
    assert (result.exit_code, result.stderr) == (0, "no changes\n"), result.output


def successive() -> Iterator[tuple[str, str]]:
    """Official examples in one version of the specification and in the next."""
    if not OFFICIAL.is_dir():
        return
    known: dict[str, list[str]] = {}
    for tag in (*sorted(place.name for place in OFFICIAL.glob("@*")), "."):
        for place in sorted((OFFICIAL / tag / "examples").rglob("*.y*ml")):
            if not re.search("^asyncapi:", place.read_text(), re.MULTILINE):
                continue  # a part of other documents
            name = place.relative_to(OFFICIAL / tag / "examples").as_posix().removeprefix("2.0.0/")
            name = re.sub(r"(-asyncapi)?\.ya?ml$", "", name)
            known.setdefault(name, []).append(place.relative_to(OFFICIAL).as_posix())
    for places in known.values():
        yield from itertools.pairwise(places)


@pytest.mark.corpus
@pytest.mark.skipif(
    not OFFICIAL.is_dir(), reason="../shared/corpus/documents is not beside the checkout"
)
def test_the_official_examples_from_version_to_version(cli: Cli) -> None:
    """An exception would reach us: whatever two real documents hold, it is told in words."""
    codes = {
        pair: cli("breaking", OFFICIAL / pair[1], "--against", OFFICIAL / pair[0]).exit_code
        for pair in successive()
    }
    assert len(codes) > 120
    assert {old for (old, _), code in codes.items() if code == 2} <= INVALID
    counts = Counter(codes.values())
    assert counts[0] > 100 and counts[1] > 20
