"""The rules of the house that a tool can check: who imports what, how large a module is, what no file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
GENERATOR: Final = sorted((ROOT / "generator" / "aoba_gen").rglob("*.py"))
RUNTIME: Final = sorted((ROOT / "runtime" / "aoba_runtime").rglob("*.py"))
GENERATED: Final = sorted((ROOT / "generated").rglob("*.py"))
TESTS: Final = sorted(
    place for place in (ROOT / "tests").rglob("*.py") if "golden" not in place.parts
)
MODULES: Final = [*GENERATOR, *RUNTIME]
ENGINES: Final = {
    "datamodel_code_generator": {"schemas.py"},
    "jinja2": {"render.py"},
    "black": {"render.py"},
    "pydantic_core": {"build_keywords.py"},
    "yaml": {"load_yaml.py"},
    "click": {
        "cli.py",
        "cli_breaking.py",
        "cli_complete.py",
        "cli_docs.py",
        "cli_drift.py",
        "cli_init.py",
        "cli_outcome.py",
        "cli_watch.py",
        "cli_options.py",
        "cli_validate.py",
    },
    "jsonschema": {"values.py"},
    "markdown_it": {"docs_prose.py"},
    "packaging": {"build_distribution.py"},
    "rich": {"progress.py"},
    "watchfiles": {"watch.py"},
}
HERE: Final = {"aoba_gen", "aoba_runtime"}


def identity(place: Path) -> str:
    return place.relative_to(ROOT).as_posix()


def imported(place: Path) -> Iterator[str]:
    """The top-level packages that a module imports, wherever in it the import stands."""
    package = next(name for name in place.parts[::-1] if name in HERE)
    for node in ast.walk(ast.parse(place.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield package if node.level else (node.module or "").partition(".")[0]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:  # an unpacked archive: what we ship is what matters
        return [*MODULES, *GENERATED, *TESTS]
    places = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [place for place in places if place.is_file()]


def test_import_contracts() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout)


@pytest.mark.parametrize("place", GENERATOR, ids=identity)
def test_an_engine_is_entered_through_one_module(place: Path) -> None:
    found = set(imported(place))
    assert {engine for engine in found & set(ENGINES) if place.name not in ENGINES[engine]} == set()
    assert found <= sys.stdlib_module_names | set(ENGINES) | {"aoba_gen"}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_engines_are_still_there(engine: str) -> None:
    assert {place.name for place in GENERATOR if engine in set(imported(place))} == ENGINES[engine]


EXTRAS: Final = {
    "audio_devices.py": {"sounddevice"},
    "audio_levels.py": {"numpy"},
    "audio_resample.py": {"av"},
    "audio_tones.py": {"numpy"},
    "audio_wav.py": {"av", "numpy"},
    "cli_common.py": {"click"},
    "devserver.py": {"websockets"},
    "devserver_stream.py": {"websockets"},
    "rtc.py": {"aiortc"},
    "rtc_codec.py": {"av", "numpy"},
    "rtc_engine.py": {"aioice", "aiortc"},
    "rtc_gather.py": {"aioice"},
    "rtc_guard.py": {"aioice", "aiortc"},
    "rtc_packets.py": {"aiortc", "pylibsrtp"},
    "sockets.py": {"websockets"},
    "tokens.py": {"jwt"},
    "websocket.py": {"websockets"},
    "xmpp": {"slixmpp", "websockets"},
}
"""What the modules beyond the core need; an extra of the distribution installs it."""


@pytest.mark.parametrize("place", RUNTIME, ids=identity)
def test_the_core_of_the_runtime_needs_pydantic_only(place: Path) -> None:
    core = {"aoba_runtime", "pydantic", "pydantic_core"}
    extra = EXTRAS.get("xmpp" if "xmpp" in place.parts else place.name, set())
    assert set(imported(place)) <= sys.stdlib_module_names | core | extra


@pytest.mark.parametrize("place", [*MODULES, *TESTS], ids=identity)
def test_a_module_says_in_one_line_what_lives_there(place: Path) -> None:
    first = (ast.get_docstring(ast.parse(place.read_text())) or "").partition("\n")[0]
    assert len(first) > 10
    assert first[-1] in ".!?"


@pytest.mark.parametrize("place", MODULES, ids=identity)
def test_a_module_is_one_room(place: Path) -> None:
    assert len(place.read_text().splitlines()) <= 400


FORBIDDEN: Final = {
    "a path of one machine": r"(?<![\w.~:/-])/(?:home|root|Users|work|opt)/\w",
    "a package registry": r"(?:pypi|pythonhosted|npmjs)\.(?:org|com)|index" r"-url",
    "a note to self": r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b",
    "a conflict": r"^(?:<{7}|>{7}) ",
    "a breakpoint": r"\b(?:breakpoint|set_trace)\(\)",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    found = []
    for place in tracked():
        try:
            text = place.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{identity(place)}:{text.count(chr(10), 0, hit.start()) + 1}: {hit[0]}"
            for hit in pattern.finditer(text)
        ]
    assert found == []


@pytest.mark.parametrize(
    "place", [place for place in TESTS if "interop" not in place.parts], ids=identity
)
def test_no_test_sleeps(place: Path) -> None:
    """Those against real servers may: broken links and pacing are matters of time."""
    calls = [node for node in ast.walk(ast.parse(place.read_text())) if isinstance(node, ast.Call)]
    sleeps = {ast.unparse(call) for call in calls if ast.unparse(call.func).endswith("sleep")}
    assert sleeps <= {"asyncio.sleep(0)"}


def test_everything_is_formatted() -> None:
    folders = [
        name
        for name in (
            "deploy",
            "generator",
            "runtime",
            "generated",
            "tests",
            "examples",
            "benchmarks",
        )
        if (ROOT / name).is_dir()
    ]
    done = subprocess.run(
        [sys.executable, "-m", "black", "--check", "--quiet", *folders], cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, "run black"
