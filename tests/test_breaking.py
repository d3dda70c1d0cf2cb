"""Two versions of a document held against each other: every rule, on a pair of documents that shows it."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from aoba_gen.compare import RULES
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

CASES: Final = Path(__file__).parent / "cases" / "breaking"
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


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with a document that breaks its predecessor in one place for three kinds of people."""
    shutil.copytree(CASES / "field-renamed", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pull_request_that_mends_the_old_document_is_told_so(cli: Cli, pair: Path) -> None:
    """Exit code 2, as nothing was compared; what GitHub shows says why, and says nothing where NEW is at fault."""
    Path("worse.yaml").write_text(
        Path("old.yaml").read_text().replace("schemas/Set'", "schemas/<b>'")
    )
    result = cli("breaking", "new.yaml", "--against", "worse.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("worse.yaml:")
    said = "nothing was compared: the old document has errors, so no client of it is known\n"
    assert result.stderr.endswith(f"aoba-gen: {said}")
    result = cli("breaking", "new.yaml", "--against", "worse.yaml", "--format", "github")
    assert result.exit_code == 2
    assert result.stdout.startswith("::notice title=not-compared::the old document has errors, ")
    assert "worse.yaml:" in result.stdout and result.stdout.count("\n") == 1
    result = cli("breaking", "new.yaml", "--against", "worse.yaml", "--format", "markdown")
    assert result.stdout.startswith("Nothing was compared: the old document has errors, ")
    assert "`worse.yaml:" in result.stdout and "<b>" not in result.stdout
    result = cli("breaking", "worse.yaml", "--against", "old.yaml", "--format", "markdown")
    assert (result.exit_code, result.stdout) == (2, "")


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


def test_json_holds_what_the_text_does(cli: Cli, pair: Path) -> None:
    result = cli("breaking", "new.yaml", "--against", "old.yaml", "--format", "json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["counts"] == {"breaking": 2, "risky": 0, "compatible": 0, "accepted": 0}
    first = told["changes"][0]
    assert (first["rule"], first["verdict"]) == ("field-renamed", "breaking")
    assert first["for"] == ["who calls the Python API"]
    for side, name in (("old", "colour"), ("new", "color")):
        assert first[side]["pointer"] == f"#/components/schemas/Set/properties/{name}"
        lines = (pair / first[side]["file"]).read_text().splitlines()
        assert lines[first[side]["line"] - 1][first[side]["column"] - 1 :] == f"{name}:"


def test_github_and_sarif_name_the_new_place(cli: Cli, pair: Path) -> None:
    github = cli("breaking", "new.yaml", "--against", "old.yaml", "--format", "github").stdout
    assert github.startswith(
        "::error file=new.yaml,line=48,col=9,title=field-renamed::field 'colour'"
    )
    assert github.count("\n") == 2
    log = json.loads(
        cli("breaking", "new.yaml", "--against", "old.yaml", "--format", "sarif").stdout
    )
    result = log["runs"][0]["results"][0]
    assert (result["ruleId"], result["level"]) == ("field-renamed", "error")
    rule = log["runs"][0]["tool"]["driver"]["rules"][0]
    assert rule["shortDescription"]["text"] == RULES["field-renamed"]


def test_markdown_is_a_comment_for_a_pull_request(cli: Cli, pair: Path) -> None:
    text = cli("breaking", "new.yaml", "--against", "old.yaml", "--format", "markdown").stdout
    assert "**2 changes would break clients that are out there.**" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)


ACCEPT: Final = """
[[tool.aoba-gen.breaking.accept]]
rule = "field-renamed"
at = "#/components/schemas/Set"
reason = "no client of ours has lamps in colour"
"""


def test_a_change_is_accepted_by_rule_and_place(cli: Cli, pair: Path) -> None:
    (pair / "pyproject.toml").write_text(ACCEPT)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert "breaking, accepted: field 'colour' of Set" in result.stdout
    assert "    accepted: no client of ours has lamps in colour\n" in result.stdout
    assert (result.exit_code, result.stderr) == (1, "1 breaking, 1 accepted\n")
    (pair / "pyproject.toml").write_text(ACCEPT + ACCEPT.replace("/Set", "/State"))
    assert cli("breaking", "new.yaml", "--against", "old.yaml").exit_code == 0


def test_a_change_is_accepted_where_it_is_made(cli: Cli, pair: Path) -> None:
    place = pair / "new.yaml"
    accept = (
        "    {0}:\n      x-aoba-accept:\n        field-renamed: nobody minds\n      type: object"
    )
    text = place.read_text()
    for name in ("Set", "State"):
        text = text.replace(f"    {name}:\n      type: object", accept.format(name))
    place.write_text(text)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert result.stdout.count("    accepted: nobody minds\n") == 2
    assert (result.exit_code, result.stderr) == (0, "2 accepted\n")


def test_what_accepts_nothing_is_told_of(cli: Cli, pair: Path) -> None:
    (pair / "pyproject.toml").write_text(ACCEPT.replace("/Set", "/Sat"))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (
        "pyproject.toml:2:1: warning: nothing is accepted by this: no field-renamed at"
        in result.stderr
    )
    (pair / "pyproject.toml").write_text(ACCEPT.replace('"field-renamed"', '"field-renamd"'))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert result.exit_code == 2
    assert "there is no rule 'field-renamd' [accept]\n    hint: did you mean" in result.stderr
    (pair / "pyproject.toml").write_text(ACCEPT.replace("reason", "reasons"))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (result.exit_code, "what is accepted has no 'reason'" in result.stderr) == (2, True)


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
    ("accept", "wanted"),
    [
        (
            "field-renamed",
            "new.yaml:5:18: 'x-aoba-accept' should be an object of rules with reasons, not 'field-renamed' [accept]",
        ),
        (
            "{field-renamed: }",
            "new.yaml:5:19: the reason to accept 'field-renamed' should be text, not null [accept]",
        ),
        (
            "{field-renamd: why not}",
            "new.yaml:5:19: there is no rule 'field-renamd' [accept]\n    hint: did you mean 'field-renamed'?",
        ),
        (
            "{field-renamed: why not}",
            "new.yaml:5:19: warning: nothing is accepted by this: no field-renamed at #/info; there is one at "
            "#/components/schemas/Set/properties/",
        ),
    ],
)
def test_what_is_wrong_with_an_acceptance_is_told(
    cli: Cli, pair: Path, accept: str, wanted: str
) -> None:
    text = (pair / "new.yaml").read_text()
    version = "  version: 1.0.0\n"
    (pair / "new.yaml").write_text(text.replace(version, f"{version}  x-aoba-accept: {accept}\n"))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert wanted in result.stderr
    assert result.exit_code == (1 if "warning" in wanted else 2)


def test_what_is_wrong_with_an_entry_is_told_at_that_entry(cli: Cli, pair: Path) -> None:
    wrong = ACCEPT.replace('"#/components', '"components')
    (pair / "pyproject.toml").write_text(ACCEPT + wrong)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    told = "pyproject.toml:9:1: 'at' should be a pointer, not 'components/schemas/Set' [config]\n"
    assert (result.exit_code, told in result.stderr) == (2, True)
    (pair / "pyproject.toml").unlink()
    result = cli("breaking", "new.yaml", "--against", "")
    assert (result.exit_code, "the old document has no name" in result.stderr) == (2, True)


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_old_is_what_a_commit_holds(cli: Cli, pair: Path) -> None:
    """References into other files are those of the same commit."""
    text = (pair / "old.yaml").read_text()
    spec, parts = pair / "spec" / "lamp.yaml", pair / "spec" / "parts" / "set.yaml"
    parts.parent.mkdir(parents=True)
    head, _, schemas = text.partition("    Set:\n      type: object")
    body, _, state = schemas.partition("    State:\n      type")
    spec.write_text(f"{head}    Set:\n      $ref: parts/set.yaml\n    State:\n      type{state}")
    parts.write_text(textwrap.dedent(f"      type: object{body}"))
    for words in (("init", "-q", "-b", "main"), ("add", "spec"), ("commit", "-qm", "first")):
        git(pair, *words)
    assert cli("breaking", spec, "--against", "git:main").exit_code == 0
    parts.write_text(parts.read_text().replace("colour:", "color:"))
    result = cli("breaking", spec, "--against", "git:main")
    assert result.exit_code == 1
    assert f"{parts}:" in result.stdout
    assert "    was: main:spec/parts/set.yaml:" in result.stdout
    assert cli("breaking", "new.yaml", "--against", "git:HEAD:spec/lamp.yaml").exit_code == 1
    result = cli("breaking", spec, "--against", "git:nowhere")
    assert "git knows no branch, tag or commit 'nowhere' here" in result.stderr
    result = cli("breaking", spec, "--against", "main")
    assert "a version that git knows is written git:main" in result.stderr
    for wrong in ("git:nowhere", "git:main:nothing.yaml", "git:--help", "main"):
        result = cli("breaking", spec, "--against", wrong)
        assert (result.exit_code, result.stderr.startswith("aoba-gen: ")) == (2, True)


@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% RAN", "RAN", "https://127.0.0.1:1/x", "ssh://h/x"]
)
def test_the_configuration_of_a_checkout_runs_nothing(cli: Cli, pair: Path, url: str) -> None:
    """What git would run to fetch an object that is missing, and to look for changes."""
    ran = pair / "ran"
    settings = {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": url.replace("RAN", str(ran)),
        "remote.origin.uploadpack": f"touch {ran};",
        "core.sshCommand": f"touch {ran};",
        "core.fsmonitor": f"touch {ran};",
        "core.pager": f"touch {ran};",
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
    }
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        git(pair, *words)
    blob = subprocess.check_output(["git", "rev-parse", "HEAD:old.yaml"], cwd=pair, text=True)
    (pair / ".git" / "objects" / blob[:2] / blob[2:].strip()).unlink()
    for name, value in settings.items():
        git(pair, "config", name, value)
    result = cli("breaking", "new.yaml", "--against", "git:HEAD:old.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("aoba-gen: ")
    assert not ran.exists()


def test_a_commit_writes_where_it_is_exported_alone(cli: Cli, pair: Path) -> None:
    """Git itself takes any name for a file."""
    git(pair, "init", "-q")
    body = (pair / "old.yaml").read_bytes()
    blob = _object(pair, "blob", body)
    inner = _object(pair, "tree", b"".join([b"100644 canary.yaml\0", blob]))
    names = (b"..", b".", b".git")
    entries = [b"40000 " + name + b"\0" + inner for name in names]
    entries += [b"100644 old.yaml\0" + blob, b"100644 old.yaml/x.yaml\0" + blob]
    text = f"tree {_object(pair, 'tree', b''.join(entries)).hex()}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\n"
    commit = _object(pair, "commit", text.encode()).hex()
    result = cli("breaking", "new.yaml", "--against", f"git:{commit}:old.yaml")
    assert (result.exit_code, result.stderr.count("\n")) in {(2, 1), (1, 1)}, result.output
    assert not list(Path(tempfile.gettempdir()).glob("canary.yaml"))


def _object(folder: Path, kind: str, data: bytes) -> bytes:
    words = ["git", "hash-object", "-w", "--literally", "-t", kind, "--stdin"]
    return bytes.fromhex(subprocess.check_output(words, cwd=folder, input=data).decode().strip())


def test_old_is_what_a_folder_holds(cli: Cli, pair: Path) -> None:
    (pair / "released").mkdir()
    shutil.copy(pair / "old.yaml", pair / "released" / "new.yaml")
    result = cli("breaking", "new.yaml", "--against", "released")
    assert (result.exit_code, "was: released/new.yaml:48:9" in result.stdout) == (1, True)


def test_what_cannot_be_compared_is_no_finding(cli: Cli, pair: Path) -> None:
    assert cli("breaking", "new.yaml").exit_code == 2
    assert cli("breaking", "new.yaml", "--against", "nothing.yaml").exit_code == 2
    (pair / "old.yaml").write_text("asyncapi: 3.0.0\n")
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "old.yaml:1:1: the document has no 'info'" in result.stderr


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
