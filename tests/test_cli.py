"""The command line, at every edge that a user touches: what a run says, its exit codes, what is refused and warned of, and the very words."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import click
import pytest
from aoba_gen.cli import main
from aoba_gen.validate import OPTIONAL
from cli_runs import FILES, PACKAGE, SMALL, out, process
from click.testing import Result
from conftest import Cli
from outputs import tree

REFUSED = Path(__file__).parent / "cases" / "refused"
WARNED = Path(__file__).parent / "cases" / "warned"
ENGINES = {"black", "datamodel_code_generator", "jinja2", "pydantic"}
PASSES = {"aoba_gen.pipeline", "aoba_gen.compare", "ctypes", "jsonschema", "ssl", "tomllib", "yaml"}
"""What a run that changes nothing has no use for either."""

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
        (["x.yaml", "out"], "unexpected 'out': -o names the folder, and [tool.aoba-gen] in"),
        (["x.yaml", "-o", "out", "y.yaml"], "unexpected 'y.yaml': -o names the folder"),
        (["help"], "'aoba-gen --help' lists the commands"),
        (["x.yaml", "-o", "out", "--allow-remote", "https://a.org/b"], "host; write: a.org"),
        (["x.yaml", "-o", "out", "--allow-remote", ""], "write one such as: schemas.example.org"),
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


def test_a_folder_that_no_file_system_takes_is_told_with_output_there_already(
    cli: Cli, tmp_path: Path
) -> None:
    assert cli(SMALL, "-o", tmp_path, "-q").exit_code == 0
    result = cli(f"{'a' * 300}/{SMALL.name}", "-o", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "file name too long [file-unreadable]" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no folder that is in use")
def test_a_current_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        ["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh", sys.executable]
        + ["-m", "aoba_gen", str(SMALL), "-o", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
    )
    told = "aoba-gen: the current folder is not there any more; go to another one\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


@pytest.mark.parametrize("name", ["client.py.j2", "part.txt"])
def test_a_template_that_is_not_utf8_is_told(cli: Cli, tmp_path: Path, name: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "client.py.j2").write_text("{% include 'part.txt' %}")
    (tmp_path / "own" / name).write_bytes(b"# one\n# caf\xe9\n")
    result = cli(SMALL, "-o", tmp_path / "out", "--templates", tmp_path / "own")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"{tmp_path}/own/{name}:2:1: the byte 0xE9 is not UTF-8 [template]\n"
        "    hint: save the file as UTF-8\n"
    )


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
