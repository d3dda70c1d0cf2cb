"""write.py: the project files beside a package come, go and fail with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from aoba_gen import swap
from aoba_gen.diff import diff
from aoba_gen.manifest import MANIFEST
from aoba_gen.write import State, Unwritable, apply, plan, sealed
from outputs import (
    DENIED,
    HAND,
    KILLED,
    NEW,
    OLD,
    Faulty,
    a_link,
    is_new,
    put,
    python,
    refused,
    run,
    states,
    tree,
)

TOML, README = "../pyproject.toml", "../README.md"
WITH_OLD = OLD | {TOML: "old = 1\n", README: "# old\n"}
WITH_NEW = NEW | {TOML: "new = 1\n", README: "# new\n"}


def beside(folder: Path) -> tuple[str | None, ...]:
    places = (folder.parent / Path(path).name for path in (TOML, README))
    return tuple(place.read_text() if place.exists() else None for place in places)


def test_what_stands_beside_a_package_comes_and_goes_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "pkg"
    put(folder.parent, {"mine.md": "mine", "other/x.py": ""})
    assert run(WITH_OLD, folder, "old").written == tuple(sorted(WITH_OLD))
    assert sealed(folder, "old") == tuple(sorted(WITH_OLD))
    before = states(tmp_path)
    assert run(WITH_OLD, folder, "old").unchanged == tuple(sorted(WITH_OLD))
    assert states(tmp_path) == before
    put(folder.parent, {"README.md": HAND})
    assert sealed(folder, "old") is None
    assert run(WITH_NEW, folder).kept == (README,)
    assert beside(folder) == ("new = 1\n", HAND)
    outcome = run(NEW, folder)
    assert (outcome.removed, outcome.kept) == ((TOML,), (README,))
    assert run(NEW, folder, force=True).removed == (README,)
    assert sorted(os.listdir(folder.parent)) == ["mine.md", "other", "pkg"]


def test_the_users_own_project_file_is_kept(tmp_path: Path) -> None:
    put(tmp_path, {"pyproject.toml": HAND})
    planned = plan(WITH_NEW, tmp_path / "pkg", "s")
    assert planned.paths(State.FOREIGN) == (TOML,)
    assert "pyproject.toml" not in diff(planned)
    assert apply(planned).kept == (TOML,)
    assert beside(tmp_path / "pkg") == (HAND, "# new\n")
    assert run(NEW, tmp_path / "pkg").kept == ()
    assert beside(tmp_path / "pkg") == (HAND, None)


def test_a_diff_with_files_beside_the_package_is_of_the_folder_around(tmp_path: Path) -> None:
    run(WITH_OLD, tmp_path / "old" / "pkg")
    text = diff(plan(WITH_NEW, tmp_path / "old" / "pkg", "s"))
    assert "+++ b/pyproject.toml\n" in text and "+++ b/pkg/models.py\n" in text
    subprocess.run(["git", "apply", "-"], cwd=tmp_path / "old", input=text.encode(), check=True)
    run(WITH_NEW, tmp_path / "new" / "pkg")
    (tmp_path / "old" / "pkg" / MANIFEST).unlink()
    (tmp_path / "new" / "pkg" / MANIFEST).unlink()
    assert tree(tmp_path / "old") == tree(tmp_path / "new")


@pytest.mark.parametrize("make", [a_link, os.mkdir, os.mkfifo])
def test_what_stands_in_the_way_beside_a_package(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    (tmp_path / "pkg").mkdir()
    make(tmp_path / "README.md")
    before = tree(tmp_path)
    text = refused(lambda: run(WITH_NEW, tmp_path / "pkg", force=True))
    assert text.startswith(f"{tmp_path / 'README.md'}: cannot write here: it is a ")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "error", "one_step"),
    [
        ("replace", DENIED, True),
        ("replace", KeyboardInterrupt(), True),
        ("replace", DENIED, False),
        ("unlink", DENIED, True),
        ("unlink", KeyboardInterrupt(), False),
        ("rename", DENIED, False),
        ("link", DENIED, True),
    ],
)
@pytest.mark.parametrize("after", [WITH_NEW, NEW], ids=["new", "gone"])
@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "existing"])
def test_every_failure_beside_a_package_is_undone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    error: BaseException,
    after: Mapping[str, str],
    fresh: bool,
    one_step: bool,
) -> None:
    if not one_step:
        monkeypatch.setattr(swap, "_exchanged", lambda one, other: False)
    for n in range(1, 100):
        folder = tmp_path / str(n) / "pkg"
        folder.parent.mkdir()
        if not fresh:
            run(WITH_OLD, folder, "old")
        before = tree(folder.parent)
        faulty = Faulty(name, n, n, error)
        with monkeypatch.context() as patch:
            patch.setattr(os, name, faulty)
            try:
                run(after, folder, "new")
            except (Unwritable, KeyboardInterrupt):
                found = tree(folder.parent)
                left = {path for path in found if path.startswith(".aoba-gen-")}
                if not (left or is_new(folder)):  # else it failed while the old was cleared away
                    assert found == before
        run(after, folder, "new")
        assert sealed(folder, "new") == tuple(sorted(after))
        assert beside(folder) == (after.get(TOML), after.get(README))
        if faulty.count < n:
            return
    pytest.fail("the calls never end")


@pytest.mark.parametrize(
    ("name", "n"), [("replace", 1), ("replace", 2), ("replace", 3), ("unlink", 1), ("unlink", 2)]
)
def test_killed_before_all_has_followed(tmp_path: Path, name: str, n: int) -> None:
    """Whatever was left, a run of either document, or of another, knows it all as ours."""
    after = WITH_NEW if name == "replace" else NEW
    run(WITH_OLD, tmp_path / "out" / "pkg", "old")
    words = [word for item in after.items() for word in item]
    killed = python(KILLED, name, str(n), str(tmp_path / "out" / "pkg"), *words)
    assert killed.wait(60) == -signal.SIGKILL
    assert set(beside(tmp_path / "out" / "pkg")) <= {*WITH_OLD.values(), after.get(TOML), after.get(README)}  # fmt: skip
    assert sealed(tmp_path / "out" / "pkg", "new") is None
    for count, files in enumerate((WITH_OLD, WITH_NEW, NEW, {TOML: "third\n"})):
        again = tmp_path / str(count)
        shutil.copytree(tmp_path / "out", again)
        assert run(files, again / "pkg", "s").kept == ()
        assert sealed(again / "pkg", "s") == tuple(sorted(files))
        assert beside(again / "pkg") == (files.get(TOML), files.get(README))
        assert not any(name.startswith(".aoba-gen") for name in os.listdir(again))
