"""What a document is held against: a file, a folder, or what a commit holds, which runs and writes nothing; or nothing that can be compared."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import textwrap
from pathlib import Path

import pytest
from breaking_pair import pair
from conftest import Cli


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
    result = cli("breaking", spec, "--against", "git:main:lamp.yaml")
    told = "aoba-gen: main has no file 'lamp.yaml'; name it as git:main:PATH, from the top of the repository on\n"
    assert (result.exit_code, result.stderr) == (2, told)
    result = cli("breaking", spec, "--against", "-")
    assert "-:1:1: standard input is not read" in result.stderr
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
