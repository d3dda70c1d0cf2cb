"""seal.py: a run that has nothing to do takes no pass, and everything that could change what it does or says is noticed."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

SHARED: Final = (
    "{type: object, required: [text], properties: {text: {type: string, maxLength: 80}}}\n"
)
UNCHANGED: Final = "out/ping: 6 unchanged\n"


def document(payload: str) -> str:
    ping = (Path(__file__).parent / "cases" / "ping.yaml").read_text()
    head, _, _ = ping.partition("  schemas:\n")
    return head.replace("'#/components/schemas/Ping'", payload)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A document in two files and its package; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "api" / "parts").mkdir(parents=True)
    (folder / "api" / "ping.yaml").write_text(document("parts/ping.yaml"))
    (folder / "api" / "parts" / "ping.yaml").write_text(SHARED)
    assert cli(folder / "api" / "ping.yaml", "-o", folder / "out").stderr == ""
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it in the current folder: api/, out/."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each run that went through the passes."""
    from aoba_gen import pipeline

    runs: list[str] = []
    generate = pipeline.generate

    def noted(spec: Path, *rest: Any) -> object:
        runs.append(spec.name)
        return generate(spec, *rest)

    monkeypatch.setattr(pipeline, "generate", noted)
    return runs


def edit(manifest: Path, **parts: str) -> None:
    tree: dict[str, Any] = json.loads(manifest.read_text())
    tree["origin"] |= parts
    manifest.write_text(json.dumps(tree))


def test_nothing_has_changed(cli: Cli, here: Path, passes: list[str]) -> None:
    for more in ([], ["--check"], ["--diff", "-q"], ["--package", "ping", "--check"]):
        result = cli("api/ping.yaml", "-o", "out", *more)
        assert (result.exit_code, result.stderr) == (0, "")
    assert passes == ["ping.yaml"]  # of the call with --package, which the first run was not
    assert cli("api/ping.yaml", "-o", "out").stdout == UNCHANGED


@pytest.mark.parametrize("name", ["api/ping.yaml", "api/parts/ping.yaml"])
def test_each_file_that_was_read_counts(cli: Cli, here: Path, name: str) -> None:
    place = here / name
    place.write_text(place.read_text().replace("80", "81").replace("Ping API", "Ping"))
    assert cli("api/ping.yaml", "-o", "out", "--check").exit_code == 1
    place.unlink()
    assert "[ref-file]" in cli("api/ping.yaml", "-o", "out").stderr or name == "api/ping.yaml"


def test_the_output_counts(cli: Cli, here: Path) -> None:
    Path("out/ping/models.py").write_text("# mine\n")
    assert "edited by hand" in cli("api/ping.yaml", "-o", "out", "--check").stdout


def test_options_count(cli: Cli, here: Path) -> None:
    assert "[limit-files]" in cli("api/ping.yaml", "-o", "out", "--limit", "files=1").stderr
    assert cli("api/ping.yaml", "-o", "out", "--side", "peer", "--check").exit_code == 1
    shutil.copy("api/ping.yaml", "api/ping.json")  # the name says how it is read
    assert "[json-syntax]" in cli("api/ping.json", "-o", "out").stderr


def test_the_users_templates_count_with_their_names(cli: Cli, here: Path) -> None:
    Path("mine").mkdir()
    Path("mine/__init__.py.j2").write_text("X = 1\n")
    told = cli("api/ping.yaml", "-o", "out", "--templates", "mine")
    assert "1 written" in told.stdout
    Path("mine/__init__.py.j2").rename("mine/operations.py.j2")
    assert "2 written" in cli("api/ping.yaml", "-o", "out", "--templates", "mine").stdout


def test_another_package_of_the_same_document_is_not_taken_for_it(cli: Cli, here: Path) -> None:
    assert cli("api/ping.yaml", "-o", "out", "--package", "pong", "-q").exit_code == 0
    shutil.copytree("out/ping", "out/a_copy")
    assert cli("api/ping.yaml", "-o", "out").stdout == UNCHANGED
    shutil.rmtree("out/ping")
    assert cli("api/ping.yaml", "-o", "out").stdout.endswith("out/ping: 6 written\n")


def test_warnings_are_told_every_time(cli: Cli, here: Path) -> None:
    text = Path("api/parts/ping.yaml").read_text()
    Path("api/parts/ping.yaml").write_text(text.replace("maxLength: 80", "odd: 80"))
    off = ["--disable", "unknown-keyword"]
    assert cli("api/ping.yaml", "-o", "out", *off).stderr == ""
    for _ in range(2):
        assert "[unknown-keyword]" in cli("api/ping.yaml", "-o", "out").stderr
        assert "[unknown-keyword]" in cli("api/ping.yaml", "-o", "out", "--check").stderr
        assert cli("api/ping.yaml", "-o", "out", "--check", *off).stderr == ""


def test_a_file_that_comes_to_be_where_one_was_looked_for_counts(cli: Cli, here: Path) -> None:
    """A reference is an `$id` only as long as there is no file of that name."""
    inner = SHARED.strip().replace("{type", "{$id: own.yaml, type", 1)
    text = document("own.yaml") + "  schemas:\n    Ping: " + inner + "\n"
    Path("api/ping.yaml").write_text(text)
    assert cli("api/ping.yaml", "-o", "out", "-q").stderr == ""
    assert cli("api/ping.yaml", "-o", "out", "--check").exit_code == 0
    Path("api/own.yaml").write_text(SHARED.replace("80", "7"))
    assert cli("api/ping.yaml", "-o", "out", "--check").exit_code == 1


def test_a_document_that_names_itself_is_read_again(cli: Cli, here: Path) -> None:
    text = document("ping.yaml#/components/schemas/Ping")
    Path("api/ping.yaml").write_text(text + "  schemas:\n    Ping: " + SHARED)
    assert cli("api/ping.yaml", "-o", "out", "-q").exit_code == 0
    Path("api/ping.yaml").rename("api/pong.yaml")
    assert "[ref-file]" in cli("api/pong.yaml", "-o", "out", "--check").stderr


def test_a_file_out_of_reach_counts_as_changed(cli: Cli, here: Path) -> None:
    Path("api/ping.yaml").write_text(document("../else/ping.yaml"))
    shutil.copytree("api/parts", "else")
    assert cli("api/ping.yaml", "-o", "out", "--allow-ref-root", "else").exit_code == 0
    assert "[ref-outside]" in cli("api/ping.yaml", "-o", "out", "--check").stderr


def test_the_manifest_is_the_same_from_everywhere(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("api/ping.yaml").write_text(document("../else/ping.yaml"))
    shutil.copytree("api/parts", "else")
    assert cli("api/ping.yaml", "-o", "one", "--allow-ref-root", "else").exit_code == 0
    monkeypatch.chdir("api")
    roots = ["--allow-ref-root", here / "else", "--allow-ref-root", "."]
    assert cli(here / "api" / "ping.yaml", "-o", here / "two", *roots).exit_code == 0
    one, two = (here / name / "ping" / ".aoba-gen.json" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert str(here) not in one.read_text()
    assert json.loads(one.read_text())["origin"]["read"] == "../else/ping.yaml"


@pytest.mark.parametrize(
    "beside",
    [
        "pipe.yaml",
        "../pipe.yaml",
        "parts/ping.yaml\nparts",
        "/etc/passwd",
        "a\0b",
        "\ud800",
        "https://example.org/a.yaml",
        "\n".join(f"{number}.yaml" for number in range(1_000)),
        "\x1b[2J\n\u202e",
    ],
)
def test_what_a_forged_manifest_names_is_neither_read_nor_told(
    cli: Cli, here: Path, passes: list[str], beside: str
) -> None:
    """A pipe that nobody writes to would be waited for."""
    os.mkfifo("pipe.yaml")
    os.mkfifo("api/pipe.yaml")
    edit(Path("out/ping/.aoba-gen.json"), read=beside)
    result = cli("api/ping.yaml", "-o", "out")
    assert (result.exit_code, result.output) == (0, UNCHANGED)
    assert passes == ["ping.yaml"]


def test_a_document_from_a_pipe_is_read_once(cli: Cli, here: Path) -> None:
    text = Path("api/ping.yaml").read_bytes()
    Path("api/ping.yaml").unlink()
    os.mkfifo("api/ping.yaml")
    for said in ("6 unchanged", "6 unchanged"):
        writer = threading.Thread(target=Path("api/ping.yaml").write_bytes, args=[text])
        writer.start()
        assert said in cli("api/ping.yaml", "-o", "out").stdout
        writer.join()
