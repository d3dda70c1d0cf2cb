"""`aoba-gen init`: what it finds, what it writes, what it leaves alone, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
import yaml
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

PING: Final = Path(__file__).parent / "cases" / "ping.yaml"
WORKFLOW: Final = Path(".github/workflows/aoba-gen.yml")
HOOKS: Final = Path(".pre-commit-config.yaml")
PROJECT: Final = Path("pyproject.toml")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one document, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    shutil.copy(PING, "ping.yaml")
    return tmp_path


def tree() -> dict[str, bytes]:
    places = (Path(place, name) for place, _, names in os.walk(".") for name in names)
    return {str(place): place.read_bytes() for place in places if ".git/" not in f"{place}"}


def test_all_is_made_and_a_second_run_changes_nothing(cli: Cli) -> None:
    done = cli("init")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        "found ping.yaml\n"
        "pyproject.toml: created with [tool.aoba-gen]\n"
        ".pre-commit-config.yaml: created\n"
        ".github/workflows/aoba-gen.yml: created\n"
        "next: in the workflow, put where aoba-gen is kept in place of OWNER/aoba-gen@REF\n"
        "next: run 'aoba-gen' and commit all of it\n"
    )
    before = tree()
    assert str(WORKFLOW) in before
    assert cli().stdout.endswith("generated/ping: 8 written\n")
    again = cli("init")
    assert again.exit_code == 0
    assert "created" not in again.stdout
    assert {name: tree()[name] for name in before} == before


def test_what_is_filled_in_by_hand_is_no_difference(cli: Cli) -> None:
    cli("init")
    WORKFLOW.write_text(WORKFLOW.read_text().replace("OWNER/aoba-gen@REF", "acme/gen@v1"))
    assert cli("init").exit_code == 0
    WORKFLOW.write_text(WORKFLOW.read_text() + "# mine\n")
    kept = cli("init")
    assert kept.exit_code == 1
    assert kept.stderr.startswith(".github/workflows/aoba-gen.yml: kept; it is not what would be")
    assert WORKFLOW.read_text().endswith("# mine\n")
    assert "-# mine" in cli("init", "--force", "--diff").stdout
    assert cli("init", "--force", "--source", "acme/gen@v2").exit_code == 0
    assert WORKFLOW.read_text().count("uses: acme/gen@v2\n") == 2
    assert "OWNER" not in WORKFLOW.read_text()


def test_documents_are_found_by_their_first_key(cli: Cli) -> None:
    Path("api").mkdir()
    for name, text in {
        "api/late.yml": "# a comment\n\n%YAML 1.2\n---\n'asyncapi': 3.0.0\n",
        "api/quoted.json": '{\n  "asyncapi" : "3.0.0"}',
        "api/flow.yaml": "--- {asyncapi: 3.0.0}\n",
        "no/openapi.yaml": "openapi: 3.0.0\nasyncapi: 3.0.0\n",
        "no/inner.json": '{"a": {"asyncapi": "3.0.0"}}',
        "no/prose.md": "asyncapi: 3.0.0\n",
        "no/asyncapis.yaml": "asyncapis: 3.0.0\n",
        "ignored/one.yaml": "asyncapi: 3.0.0\n",
        ".gitignore": "ignored/\n",
    }.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    Path("api/link.yaml").symlink_to("late.yml")
    told = cli("init", "--dry-run").stderr
    found = [line.removeprefix("found ") for line in told.splitlines() if line.startswith("found ")]
    assert found == ["api/flow.yaml", "api/late.yml", "api/quoted.json", "ping.yaml"]


def test_each_of_several_packages_can_be_built(cli: Cli) -> None:
    for name in ("a/v1.yaml", "b/v1.json"):
        Path(name).parent.mkdir()
        Path(name).write_text(json.dumps(yaml.safe_load(PING.read_text())))
    Path("ping.yaml").unlink()
    assert cli("init").exit_code == 0
    assert cli().exit_code == 0
    assert Path("generated/a-v1-yaml/pyproject.toml").exists()
    assert Path("generated/b-v1-json/ping/client.py").exists()


def test_what_is_there_stays_byte_for_byte(cli: Cli) -> None:
    project = (
        b'# mine\r\n[project]\r\nname = "x"   # \xc3\xa9\r\n\r\n[tool.black]\r\nline-length = 9'
    )
    hooks = b"# top\nrepos:\n  # first\n  -   repo: local\n      hooks: []\n      # inside\n\n# next\nfail_fast: true\n"
    PROJECT.write_bytes(project)
    HOOKS.write_bytes(hooks)
    PROJECT.chmod(0o640)
    assert cli("init").exit_code == 0
    now = PROJECT.read_bytes()
    assert now.startswith(project)
    assert b"\n" not in now.replace(b"\r\n", b"")
    assert PROJECT.stat().st_mode & 0o777 == 0o640
    table = tomllib.loads(now.decode())["tool"]["aoba-gen"]
    assert table == {"documents": [{"spec": "ping.yaml", "output": "generated", "dist": True}]}
    added = HOOKS.read_text()
    start, end = hooks.decode().split("\n# next")
    assert added.startswith(f"{start}  - repo: local\n    hooks:\n    - id: aoba-gen\n")
    assert added.endswith(f"\n# next{end}")
    assert len(yaml.safe_load(added)["repos"]) == 2


@pytest.mark.parametrize(
    ("hooks", "repos"),
    [
        ("", 1),
        ("# nothing yet\n", 1),
        ("fail_fast: true", 1),
        ("repos:\n- repo: local\n  hooks: []", 2),
        ("repos:\r\n- repo: local\r\n  hooks: []\r\n", 2),
        ("---\nrepos:\n- repo: local\n  hooks: []\n...\n", 2),
        ("repos:\n- repo: local\n  hooks:\n  - id: a\n    entry: |\n      # b\n", 2),
    ],
)
def test_the_hook_is_added_where_it_belongs(cli: Cli, hooks: str, repos: int) -> None:
    HOOKS.write_bytes(hooks.encode())
    assert cli("init").exit_code == 0
    now = HOOKS.read_bytes().decode()
    before = yaml.safe_load(hooks) or {}
    after = yaml.safe_load(now)
    assert len(after["repos"]) == repos
    assert after == {**before, "repos": [*before.get("repos", []), after["repos"][-1]]}
    assert "\r\n" not in hooks or "\n" not in now.replace("\r\n", "")
    assert ".pre-commit-config.yaml: unchanged; it has a hook" in cli("init").stdout


@pytest.mark.parametrize(
    ("hooks", "why"),
    [
        ("repos: []\n", "its 'repos' is no list that could be added to in safety"),
        ("repos: [{repo: local, hooks: []}]\n", "its 'repos' is no list that could be added to"),
        ("repos: 7\n", "its 'repos' is no list that could be added to"),
        ("- repos\n", "its 'repos' is no list that could be added to"),
        ("repos:\n- a: [\n", "it cannot be read: .pre-commit-config.yaml:3:1: expected a value"),
    ],
)
def test_what_cannot_be_added_is_to_be_pasted(cli: Cli, hooks: str, why: str) -> None:
    HOOKS.write_text(hooks)
    done = cli("init")
    assert done.exit_code == 1
    assert f".pre-commit-config.yaml: to do; {why}" in done.stderr
    assert "\n- repo: local\n" in done.stderr
    assert HOOKS.read_text() == hooks
    assert WORKFLOW.exists()


def test_a_table_is_left_as_it_is(cli: Cli) -> None:
    text = '[tool.aoba-gen]\ndocuments = [{spec = "ping.yaml", output = "out"}]\n'
    PROJECT.write_text(text)
    shutil.copy("ping.yaml", "pong.yaml")
    done = cli("init")
    assert done.exit_code == 0
    told = "pyproject.toml: unchanged; it has [tool.aoba-gen] already; not listed there: pong.yaml"
    assert told in done.stdout
    done = cli("init", "pong.yaml", "-o", "out")
    assert done.exit_code == 1
    assert "without this document; put it into" in done.stderr
    assert '{spec = "pong.yaml", output = "out", dist = true},' in done.stderr
    assert PROJECT.read_text() == text


def test_a_table_that_has_no_place_is_to_be_pasted(cli: Cli) -> None:
    PROJECT.write_text("tool = {black = {line-length = 9}}\n")
    done = cli("init")
    assert done.exit_code == 1
    assert (
        "pyproject.toml: to do; [tool.aoba-gen] cannot be put behind what is there" in done.stderr
    )
    assert '\nspec = "ping.yaml"\n' in done.stderr
    assert PROJECT.read_text() == "tool = {black = {line-length = 9}}\n"


def test_it_works_from_a_folder_below(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a/b").mkdir(parents=True)
    shutil.copy("ping.yaml", "a/b/it is.yaml")
    monkeypatch.chdir("a/b")
    assert cli("init", "it is.yaml", "-o", "gen").exit_code == 0
    (document,) = tomllib.loads(Path("../../pyproject.toml").read_text())["tool"]["aoba-gen"][
        "documents"
    ]
    assert document == {"spec": "a/b/it is.yaml", "output": "a/b/gen", "dist": True}
    assert cli().exit_code == 0
    assert Path("gen/ping/client.py").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pinng.yaml"], 2, "pinng.yaml:1:1: no such file, expected a YAML or JSON document"),
        (["pinng.yaml"], 2, "hint: did you mean 'ping.yaml'?"),
        (["not.yaml", "gone.yaml"], 1, "not.yaml:1:1: expected an AsyncAPI document, but"),
        (["not.yaml", "gone.yaml"], 1, "gone.yaml:1:1: no such file"),
        (["ping.yaml", "-o", "."], 2, "aoba-gen: the packages cannot lie at the top"),
        (["ping.yaml", "-o", ".."], 2, "aoba-gen: .. is not in the repository "),
        (["--source", "acme"], 2, "'acme' should be such as 'OWNER/aoba-gen@REF'"),
        (["--source", "a/b@$(x)"], 2, "should be such as"),
    ],
)
def test_a_wrong_call_writes_nothing(cli: Cli, words: list[str], code: int, told: str) -> None:
    Path("not.yaml").write_text("a: 1\n")
    before = tree()
    done = cli("init", *words)
    assert (done.exit_code, told in done.stderr) == (code, True), done.stderr
    assert tree() == before


def test_where_nothing_can_be_set_up(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    Path("ping.yaml").unlink()
    Path("one.json").write_text("{}")
    done = cli("init")
    assert done.exit_code == 2
    assert "there is no AsyncAPI document in " in done.stderr
    assert "none of 1 YAML and JSON file has 'asyncapi' as its first key; name it:" in done.stderr
    monkeypatch.chdir(tmp_path_factory.mktemp("bare"))
    done = cli("init")
    assert done.exit_code == 2
    assert "not a git repository" in done.stderr
    assert "go to where your repository is, or run 'git init' first" in done.stderr


def test_a_broken_pyproject_is_told_with_its_place(cli: Cli) -> None:
    PROJECT.write_text("[project\n")
    done = cli("init")
    assert done.exit_code == 2
    assert done.stderr.startswith("pyproject.toml:1:9: this is no TOML: ")
    assert not WORKFLOW.exists()
    PROJECT.write_bytes(b'x = "\xff"\n')
    assert "pyproject.toml: cannot add to this: the byte 0xFF is not UTF-8" in cli("init").stderr


def test_links_lead_nowhere_and_a_failure_leaves_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Path(".github").symlink_to(elsewhere)
    done = cli("init")
    assert done.exit_code == 2
    assert done.stderr.startswith("aoba-gen: .github: cannot add to this: it is a link, and not a")
    assert list(elsewhere.iterdir()) == []
    Path(".github").unlink()
    before = tree()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        done = cli("init")
    assert done.exit_code == 2
    told = (
        "aoba-gen: pyproject.toml: cannot add to this: no space left on device; nothing was changed"
    )
    assert done.stderr == f"{told}\n"
    assert tree() == before
