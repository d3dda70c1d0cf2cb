"""The command line, at every edge that a user touches: files, exit codes and the very words."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import click
import pytest
from aoba_gen import pipeline
from aoba_gen.cli import main
from aoba_gen.validate import OPTIONAL
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

REFUSED = Path(__file__).parent / "cases" / "refused"
WARNED = Path(__file__).parent / "cases" / "warned"
PACKAGE = "aoba_voice_call_signaling"
FILES = [
    *("__init__.py", "calls.py", "client.py", "messages.py", "models.py", "operations.py"),
    "py.typed",
]
SMALL = REFUSED.parent / "ping.yaml"
ENGINES = {"black", "datamodel_code_generator", "jinja2", "pydantic"}
PASSES = {"aoba_gen.pipeline", "aoba_gen.compare", "ctypes", "jsonschema", "ssl", "tomllib", "yaml"}
"""What a run that changes nothing has no use for either."""


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: files with their bytes, folders as None."""
    return {
        str(place.relative_to(folder)): place.read_bytes() if place.is_file() else None
        for place in sorted(folder.rglob("*"))
    }


def process(
    *arguments: str | Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aoba_gen", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def add_ours(package: Path, name: str, text: str) -> Path:
    """A file that an older document had generated."""
    manifest = package / ".aoba-gen.json"
    record = json.loads(manifest.read_text())
    record["seal"] = "older"
    record["files"][name] = hashlib.sha256(text.encode()).hexdigest()
    manifest.write_text(json.dumps(record))
    (package / name).write_text(text)
    return package / name


@pytest.fixture
def out(tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the generated package at `out/`, in the current directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(fresh, tmp_path / "out")
    return Path("out")


# What a run says and does


def test_writes_the_package_and_says_so(cli: Cli, spec: Path, tmp_path: Path) -> None:
    result = cli(spec, "-o", tmp_path / "a" / "b")
    package = tmp_path / "a" / "b" / PACKAGE
    said = [*(f"wrote {package / name}" for name in FILES), f"{package}: 7 written"]
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == said
    assert sorted(tree(tmp_path / "a" / "b")) == [
        PACKAGE,
        *(f"{PACKAGE}/{name}" for name in [".aoba-gen.json", *FILES]),
    ]


def test_second_run_changes_nothing(cli: Cli, spec: Path, out: Path) -> None:
    before = {place: place.stat().st_mtime_ns for place in out.rglob("*")}
    result = cli(spec, "-o", out)
    assert (result.exit_code, result.stdout) == (0, f"out/{PACKAGE}: 7 unchanged\n")
    assert {place: place.stat().st_mtime_ns for place in out.rglob("*")} == before


@pytest.mark.parametrize("arguments", [["SPEC", "-o", "out"], ["SPEC", "-o", "out", "--check"], ["SPEC", "-o", "out", "--diff"], ["--help"], ["--version"], ["validate", "--help"], ["rules"]], ids=" ".join)  # fmt: skip
def test_a_run_that_changes_nothing_imports_no_engine(
    arguments: list[str], spec: Path, out: Path
) -> None:
    words = [str(spec) if word == "SPEC" else word for word in arguments]
    heavy = ENGINES if {"validate", "rules"} & {*arguments} else ENGINES | PASSES
    code = (
        "import sys\nfrom aoba_gen.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit as end: assert not end.code\n"
        f"print('imported', sorted(sys.modules.keys() & {heavy!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.splitlines()[-1:], done.stderr) == (["imported []"], "")


def test_help_shows_examples(cli: Cli) -> None:
    result = cli("--help")
    assert result.exit_code == 0
    examples = [line for line in result.stdout.splitlines() if line.startswith("    aoba-gen ")]
    assert len(examples) >= 3
    assert any("--check" in line for line in examples)
    for option in (
        "-o, --out",
        "--package",
        "--check",
        "--diff",
        "--force",
        "--quiet",
        "--version",
    ):
        assert option in result.stdout
    assert cli("-h").stdout == result.stdout


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_the_help_of_a_command_is_whole(cli: Cli, name: str) -> None:
    """Purpose, synopsis, every option explained, examples that call this command, exit codes; no line too long."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    text = cli(name, "--help").stdout
    assert re.match(rf"Usage: aoba-gen {name} .*\n\n  [A-Z].*\n", text)
    for option in command.params:
        told = getattr(option, "help", "")
        assert isinstance(option, click.Argument) or re.search(r"[.:)]$", told or "")
    for title in ("Examples", "Exit codes"):
        assert f"\n  {title}:\n    " in text
    _, _, examples = text.partition("\n  Examples:\n")
    assert set(re.findall("--disable ([a-z][a-z-]*)", examples)) <= set(OPTIONAL)
    called = name if name != "generate" else "-o generated/"
    assert re.search(rf"^    .*aoba-gen .*{called}", f"{examples}", re.MULTILINE)
    assert "    0  " in text and not re.search(r"^.{110,}$", text, re.MULTILINE)


def test_a_mistyped_command_is_no_missing_document(cli: Cli, tmp_path: Path) -> None:
    for words in (("valdate", "x.yaml"), ("breking",)):
        result = cli(*words)
        wanted = {"valdate": "validate", "breking": "breaking"}[words[0]]
        text = f"no such file: {words[0]!r}; did you mean the command {wanted!r}?"
        assert (result.exit_code, result.stdout) == (2, "")
        assert text in result.stderr
    for word in ("valdate.yaml", "./valdate"):
        result = cli(word, "-o", tmp_path)
        assert (result.exit_code, "command" in result.stderr) == (2, False)
        assert f"{Path(word)}:1:1: no such file" in result.stderr


def test_version(cli: Cli, tmp_path: Path) -> None:
    from importlib.metadata import version

    result = cli("--version")
    assert (result.exit_code, result.stdout) == (0, f"aoba-gen {version('aoba-gen')}\n")
    assert process("--version", cwd=tmp_path).stdout == result.stdout


def test_as_a_module(spec: Path, tmp_path: Path, fresh: Path) -> None:
    done = process(spec, "-o", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"out/{PACKAGE}: 7 written"
    assert tree(tmp_path / "out") == tree(fresh)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "SPEC"),
        (["x.yaml"], "--out"),
        (["x.yaml", "-o", "out", "--chekc"], "--check"),
        (["x.yaml", "-o", "out", "--package", "my-api"], "my-api"),
        (["x.yaml", "-o", "out", "--package", "class"], "'class' is a keyword of Python"),
        (["x.yaml", "-o", "out", "--package", "../up"], "../up"),
        (["x.yaml", "-o", "out", "--package", ""], "--package"),
    ],
)
def test_a_wrong_call_is_2(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_bytes(SMALL.read_bytes())
    result = cli(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert named in result.stderr
    assert sorted(tree(tmp_path)) == ["x.yaml"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", ["rules", "--help", "--version", "validate --help"])
def test_a_full_disk_behind_what_is_printed_is_told(words: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "aoba_gen", *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "aoba-gen: [Errno 28] No space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
@pytest.mark.parametrize("start", ["module", "script"])
@pytest.mark.parametrize("ignored", [False, True])
def test_ctrl_c_while_it_starts(root: Path, tmp_path: Path, start: str, ignored: bool) -> None:
    """What the import of click does stands for all that takes a while; who was started to ignore Ctrl-C goes on to."""
    (tmp_path / "click.py").write_text(
        "import sys\nprint('importing', flush=True)\nprint(input())\nsys.exit()\n"
    )
    scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["aoba-gen"].partition(":")
    script = f"from {module} import {name}\n{name}()"
    words = ["-m", "aoba_gen"] if start == "module" else ["-c", script]
    with subprocess.Popen(
        [sys.executable, *words, "rules"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN) if ignored else None,
    ) as running:
        assert running.stdout is not None and running.stdout.readline() == "importing\n"
        running.send_signal(signal.SIGINT)
        said, wrong = running.communicate("went on\n", timeout=30)
    wanted = (0, "went on\n") if ignored else (-signal.SIGINT, "")
    assert ((running.returncode, said), wrong) == (wanted, "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
def test_ctrl_c_later_ends_without_a_word(tmp_path: Path) -> None:
    """A pipe that nobody writes to stands for a document that takes a while to read."""
    os.mkfifo(tmp_path / "spec.yaml")
    with subprocess.Popen(
        [sys.executable, "-m", "aoba_gen", "validate", "spec.yaml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        with open(tmp_path / "spec.yaml", "w"):  # once it is being read
            running.send_signal(signal.SIGINT)
            said = running.communicate(timeout=30)
    assert (running.returncode, said) == (130, ("", ""))


def test_a_reader_who_has_left_is_no_error(tmp_path: Path) -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    command = [sys.executable, "-m", "aoba_gen", str(SMALL), "-o", str(tmp_path)]
    done = subprocess.run(command, stdout=ours, stderr=subprocess.PIPE, text=True)
    os.close(ours)
    assert (done.returncode, done.stderr) == (1, "")


def test_quiet_says_nothing_but_errors(cli: Cli, spec: Path, tmp_path: Path) -> None:
    for arguments in ([], [], ["--check"]):
        result = cli(spec, "-o", tmp_path, "--quiet", *arguments)
        assert (result.exit_code, result.output) == (0, "")
    (tmp_path / PACKAGE / "client.py").write_text("# mine\n")
    for arguments in ([], ["--check"]):
        result = cli(spec, "-o", tmp_path, "--quiet", *arguments)
        assert result.exit_code == 1
        assert f"{PACKAGE}/client.py" in result.output


def test_package_name(cli: Cli, spec: Path, tmp_path: Path, fresh: Path) -> None:
    assert cli(spec, "-o", tmp_path, "--package", "calls").exit_code == 0
    assert [place.name for place in tmp_path.iterdir()] == ["calls"]
    for name in FILES:  # nothing in the files depends on it
        assert (tmp_path / "calls" / name).read_bytes() == (fresh / PACKAGE / name).read_bytes()
    assert cli(spec, "-o", tmp_path, "--package", "calls", "--check").exit_code == 0
    assert cli(spec, "-o", tmp_path, "--check").exit_code == 1


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


# What is refused, and how


@pytest.mark.parametrize("case", sorted(place.name for place in REFUSED.iterdir()))
def test_refused(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Each case is a folder: the document, `args.txt` if not `spec.yaml -o out`, and `expected.txt`."""
    folder = REFUSED / case
    told = folder / "args.txt"
    arguments = told.read_text().split() if told.exists() else ["spec.yaml", "-o", "out"]
    unseen = shutil.ignore_patterns("args.txt", "expected.txt")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True, ignore=unseen)
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    result: Result = cli(*arguments)
    assert f"{result.stderr}exit {result.exit_code}\n" == (folder / "expected.txt").read_text()
    assert result.stdout == ""
    assert tree(tmp_path) == before


def test_a_refusal_reads_the_same_from_a_process(tmp_path: Path) -> None:
    folder = REFUSED / "several-problems"
    done = process("spec.yaml", "-o", tmp_path / "out", cwd=folder)
    assert f"{done.stderr}exit {done.returncode}\n" == (folder / "expected.txt").read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [([], ["-o", "out"]), (["validate"], []), (["breaking", SMALL, "--against"], [])],
    ids=["generate", "validate", "breaking"],
)
def test_the_text_of_a_document_is_no_name_of_one(
    cli: Cli, before: list[str | Path], after: list[str | Path]
) -> None:
    result = cli(*before, f"{SMALL.read_text()}# {'long ' * 1000}", *after)
    assert result.exit_code == 2
    assert result.output.startswith(
        r"asyncapi: 3.0.0\ninfo:\n  title: Ping API…:1:1: this is the text of a document, and"
    )
    assert len(result.output) < 400


# What is warned of, and how


@pytest.mark.parametrize("case", sorted(place.name for place in WARNED.iterdir()))
def test_warned(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Each case is a folder: the document, and `expected.txt` with what is said of it; a package is written."""
    shutil.copy(WARNED / case / "spec.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    result: Result = cli("spec.yaml", "-o", "out", "--package", "api")
    assert result.stderr == (WARNED / case / "expected.txt").read_text()
    assert result.exit_code == 0
    assert (tmp_path / "out" / "api" / "client.py").is_file()
