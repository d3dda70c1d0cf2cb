"""The command line and the files there: what --check and --diff find, what of the user's is kept, and the same bytes from anywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from aoba_gen import pipeline
from cli_runs import PACKAGE, SMALL, add_ours, out, process
from conftest import Cli
from outputs import tree

# --check and --diff


def _edit(package: Path) -> None:
    (package / "client.py").write_text("# mine\n")


def _delete(package: Path) -> None:
    (package / "client.py").unlink()


def _orphan(package: Path) -> None:
    add_ours(package, "events.py", "old = 1\n")


def _outdate(package: Path) -> None:
    add_ours(package, "client.py", "# as an older document had it\n")


def _own(package: Path) -> None:
    (package / "client.py").write_text("# mine\n")
    (package / ".aoba-gen.json").unlink()


SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "edited by hand": (_edit, "client.py"),
    "missing": (_delete, "client.py"),
    "extra": (_orphan, "events.py"),
    "stale": (_outdate, "client.py"),
    "not ours": (_own, "client.py"),
}


@pytest.mark.parametrize("state", SPOILED)
def test_check_names_what_is_not_as_generated(cli: Cli, spec: Path, out: Path, state: str) -> None:
    spoil, name = SPOILED[state]
    spoil(out / PACKAGE)
    before = tree(out)
    result = cli(spec, "-o", out, "--check")
    assert (result.exit_code, result.stdout) == (1, f"{state}: out/{PACKAGE}/{name}\n")
    assert f"out/{PACKAGE} is not as generated" in result.stderr
    assert tree(out) == before


def test_check_names_everything_at_once(cli: Cli, spec: Path, out: Path) -> None:
    package = out / PACKAGE
    (package / "models.py").unlink()
    (package / "messages.py").write_text("# mine\n")
    add_ours(package, "events.py", "old = 1\n")
    add_ours(package, "client.py", "# older\n")
    result = cli(spec, "-o", out, "--check")
    assert result.stdout.splitlines() == [
        f"stale: out/{PACKAGE}/client.py",
        f"extra: out/{PACKAGE}/events.py",
        f"edited by hand: out/{PACKAGE}/messages.py",
        f"missing: out/{PACKAGE}/models.py",
    ]


def test_check_before_the_first_run(cli: Cli, spec: Path, tmp_path: Path) -> None:
    result = cli(spec, "-o", tmp_path / "out", "--check")
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["missing"] * 7
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("tool", [["patch", "-p1", "-s"], ["git", "apply"]], ids=" ".join)
def test_a_diff_can_be_applied(
    cli: Cli, spec: Path, out: Path, fresh: Path, tool: list[str]
) -> None:
    package = out / PACKAGE
    (package / "models.py").unlink()
    add_ours(package, "events.py", "old = 1\n")
    add_ours(package, "client.py", "# older, without an end of line")
    before = tree(out)
    result = cli(spec, "-o", out, "--diff")
    assert (result.exit_code, result.stderr) == (0, "")
    assert tree(out) == before
    assert cli(spec, "-o", out, "--diff", "--check").exit_code == 1
    assert tree(out) == before
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(Path.cwd().parent)}
    subprocess.run(
        tool, cwd=package, input=result.stdout, text=True, check=True, env=environment, timeout=60
    )
    (package / ".aoba-gen.json").write_bytes((fresh / PACKAGE / ".aoba-gen.json").read_bytes())
    assert tree(out) == tree(fresh)


def test_diff_of_nothing(cli: Cli, spec: Path, out: Path) -> None:
    for arguments in (["--diff"], ["--diff", "--check"]):
        result = cli(spec, "-o", out, *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "@@" not in result.stdout


def test_diff_leaves_the_users_own_files_out_unless_forced(cli: Cli, spec: Path, out: Path) -> None:
    (out / PACKAGE / "client.py").write_text("# mine\n")
    assert "# mine" not in cli(spec, "-o", out, "--diff").stdout
    assert "-# mine\n" in cli(spec, "-o", out, "--diff", "--force").stdout
    assert (out / PACKAGE / "client.py").read_text() == "# mine\n"


# What is the user's stays the user's


@pytest.mark.parametrize("spoil", [_edit, _own])
def test_the_users_file_is_kept_until_forced(
    cli: Cli, spec: Path, out: Path, fresh: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(out / PACKAGE)
    for _ in range(2):
        result = cli(spec, "-o", out)
        assert result.exit_code == 1
        assert f"out/{PACKAGE}/client.py: kept" in result.stderr
        assert "--force" in result.stderr
        assert result.stdout.splitlines()[-1] == f"out/{PACKAGE}: 6 unchanged, 1 kept"
        assert (out / PACKAGE / "client.py").read_text() == "# mine\n"
    result = cli(spec, "-o", out, "--force")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"wrote out/{PACKAGE}/client.py" in result.stdout
    assert tree(out) == tree(fresh)


def test_foreign_files_are_never_touched(cli: Cli, spec: Path, out: Path) -> None:
    mine = [out / "other.py", out / PACKAGE / "mine.py", out / PACKAGE / "sub" / "notes.txt"]
    for place in mine:
        place.parent.mkdir(exist_ok=True)
        place.write_text("# mine\n")
    assert cli(spec, "-o", out, "--check").exit_code == 0
    _delete(out / PACKAGE)
    assert cli(spec, "-o", out, "--force").exit_code == 0
    assert [place.read_text() for place in mine] == ["# mine\n"] * 3


def test_a_file_of_an_older_document_is_removed_and_named(
    cli: Cli, spec: Path, out: Path, fresh: Path
) -> None:
    orphan = add_ours(out / PACKAGE, "events.py", "old = 1\n")
    result = cli(spec, "-o", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"removed {orphan}\nout/{PACKAGE}: 7 unchanged, 1 removed\n"
    assert tree(out) == tree(fresh)


def test_an_edited_file_of_an_older_document_is_kept(cli: Cli, spec: Path, out: Path) -> None:
    orphan = add_ours(out / PACKAGE, "events.py", "old = 1\n")
    orphan.write_text("old = 2\n")
    result = cli(spec, "-o", out)
    assert result.exit_code == 1
    assert f"{orphan}: kept" in result.stderr
    assert orphan.read_text() == "old = 2\n"
    assert cli(spec, "-o", out, "--force").exit_code == 0
    assert not orphan.exists()


def test_another_document_replaces_what_changed(cli: Cli, tmp_path: Path) -> None:
    document, out = tmp_path / "ping.yaml", tmp_path / "out"
    document.write_bytes(SMALL.read_bytes())
    assert cli(document, "-o", out).exit_code == 0
    document.write_text(SMALL.read_text().replace("maxLength: 80", "maxLength: 81"))
    result = cli(document, "-o", out)
    assert result.exit_code == 0
    assert result.stdout == f"wrote {out}/ping/models.py\n{out}/ping: 1 written, 5 unchanged\n"


# Same input, same bytes; whole or not at all


def test_same_bytes_from_anywhere(spec: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there" / "deep"
    for folder in (here, there):
        folder.mkdir(parents=True)
    shutil.copy(spec, here / "spec.yaml")
    runs = [
        process("spec.yaml", "-o", "out", cwd=here, PYTHONHASHSEED="0", TZ="Asia/Tokyo"),
        process(spec, "-o", there / "o", cwd=there, PYTHONHASHSEED="1", LC_ALL="C", PYTHONUTF8="0"),
        process("../../here/spec.yaml", "-o", "../x", cwd=there, PYTHONHASHSEED="2", COLUMNS="20"),
    ]
    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 3
    first, *others = (tree(out) for out in (here / "out", there / "o", tmp_path / "there" / "x"))
    for other in others:
        assert other == first
    text = b"".join(data for data in first.values() if data)
    assert str(tmp_path).encode() not in text
    assert b"spec.yaml" not in text


@pytest.mark.parametrize("text", ["def broken(:\n", "return 1 +\n", "x = '\0'\n"])
def test_output_that_is_no_python_is_a_bug_and_writes_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("aoba_gen.render.models_text", lambda model: text)
    result = cli(SMALL, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert re.search(r"(?s)models\.py is no Python.*\[unsafe-output\].*report it", result.stderr)
    assert tree(tmp_path) == {}


def test_a_render_that_fails_leaves_the_old_output(
    cli: Cli, spec: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> dict[str, str]:
        raise RuntimeError("broken")

    _outdate(out / PACKAGE)
    before = tree(out)
    monkeypatch.setattr(pipeline, "render", fail)
    with pytest.raises(RuntimeError, match="broken"):
        cli(spec, "-o", out)
    assert tree(out) == before
