"""write.py: all or nothing, whichever call of the system fails, whenever a run is killed, and whoever reads or writes meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from aoba_gen import swap, write
from aoba_gen.manifest import MANIFEST
from aoba_gen.write import Unwritable, apply, plan, sealed
from outputs import (
    DENIED,
    FULL,
    HAND,
    KILLED,
    NEW,
    NO_LINKS,
    OLD,
    A,
    B,
    Faulty,
    M,
    is_new,
    package,
    put,
    python,
    refused,
    run,
    tree,
)

FORCED = NEW | {"hand.py": B}


def prepare(folder: Path) -> None:
    """An old output in which the next run writes, replaces, removes and forces over hand edits."""
    run(OLD | {"hand.py": A}, folder, "old")
    put(folder, {"hand.py": HAND, "py.typed": "foreign", "mine": "mine"})


def whole(folder: Path) -> bool:
    """Whether the output is the new one, with nothing of the run left over."""
    return sealed(folder, "new") == tuple(sorted(FORCED)) and not write._stagings(folder)


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "existing"])
@pytest.mark.parametrize("error", [FULL, DENIED, KeyboardInterrupt()], ids=["full", "denied", "^C"])
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize(
    "name, often",
    [(name, 1) for name in ("open", "fsync", "mkdir", "link", "rename", "unlink")]
    + [(name, 999) for name in ("open", "fsync", "mkdir", "link", "rename")],
)
def test_every_failure_is_undone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    often: int,
    links: bool,
    error: BaseException,
    fresh: bool,
) -> None:
    """Let the n-th call of a system function fail, once or from then on, for every n."""
    for n in range(1, 100):
        top = tmp_path / str(n)
        package = top / "out" / "pkg"
        top.mkdir()
        if not fresh:
            prepare(package)
        before = tree(top)
        planned = plan(FORCED, package, "new")
        stopped = None
        with monkeypatch.context() as patch:
            if not links:
                patch.setattr(os, "link", Faulty("link", 1, 999, NO_LINKS))
            faulty = Faulty(name, n, n + often - 1, error)
            patch.setattr(os, name, faulty)
            try:
                apply(planned, force=True)
            except (Unwritable, KeyboardInterrupt) as caught:
                stopped = caught
        swept = {
            path: data for path, data in tree(top).items() if not path.startswith("out/.aoba-gen-")
        }
        if len(swept) < len(tree(top)):
            # What could not be cleared away is swept by the next run.
            assert swept in (before, before | {"out": None}) or is_new(package)
            run(FORCED, package, "new", force=True)
            assert whole(package)
        elif isinstance(stopped, KeyboardInterrupt) and is_new(package):
            assert whole(package)  # it came while the old output was being cleared away
        elif stopped:
            assert swept == before
        else:
            assert whole(package)
        if isinstance(stopped, Unwritable):
            assert str(stopped).startswith(f"{top / 'out'}") and "\n" not in str(stopped)
            assert f": cannot write here: {os.strerror(error.args[0]).lower()}" in str(stopped)
            assert "; nothing was changed; " in str(stopped)
        if faulty.count < n:
            return
    pytest.fail("the calls never end")


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_really_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """Partial writes, by a limit on the size of files."""
    prepare(tmp_path / "pkg")
    before = tree(tmp_path)
    planned = plan(FORCED | {"big.py": "# " * 1000}, tmp_path / "pkg", "new")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if not links:
        monkeypatch.setattr(os, "link", Faulty("link", 1, 999, NO_LINKS))
    for size in (0, 1, 5, 10, 300, 700, 1900):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            assert "file too large" in refused(lambda: apply(planned, force=True))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert tree(tmp_path) == before


@pytest.mark.parametrize("name, most", [("fsync", 4), ("unlink", 4), ("rmdir", 2), ("mkdir", 3)])
def test_killed_at_any_step(tmp_path: Path, name: str, most: int) -> None:
    """The package is the old or the new one, and a next run with either input sweeps up."""
    runs = {}
    for n in range(1, most + 1):
        run(OLD, tmp_path / str(n) / "pkg", "old")
        words = [word for item in NEW.items() for word in item]
        runs[n] = python(KILLED, name, str(n), str(tmp_path / str(n) / "pkg"), *words)
    ends = {n: process.wait(60) for n, process in runs.items()}
    for n, end in ends.items():
        assert end == -signal.SIGKILL
        folder = tmp_path / str(n) / "pkg"
        assert_old_or_new(folder)
        for files, seal in ((OLD, "old"), (NEW, "new")):
            again = tmp_path / f"{n}-{seal}"
            shutil.copytree(folder.parent, again)
            assert run(files, again / "pkg", seal).kept == ()
            assert sealed(again / "pkg", seal) == tuple(sorted(files))
            assert os.listdir(again) == ["pkg"]


def assert_old_or_new(folder: Path) -> None:
    found = {path: data for path, data in tree(folder).items() if data is not None}
    seal = json.loads(found.pop(MANIFEST) or b"")["seal"]
    wanted = {"old": OLD, "new": NEW}[seal]
    assert found == {path: text.encode() for path, text in wanted.items()}


def test_killed_at_random(tmp_path: Path) -> None:
    """200 runs, each killed at some moment of its writing: old or new, never some of each."""
    folder = tmp_path / "pkg"
    run(OLD, folder, "old")
    seed = random.randrange(2**32)
    print("seed", seed)
    chance, seals = random.Random(seed), ["old"]
    for _ in range(200):
        # The first run has something to write: one that finds its own output is over at once.
        outputs = [(NEW, "new"), (OLD, "old")]
        if seals[-1] == "new":
            outputs.reverse()
        ready, go = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(go, b"x")
                for files, seal in itertools.cycle(outputs):
                    run(files, folder, seal)
                    os.write(go, b"x")
            finally:
                os._exit(1)
        os.close(go)
        assert os.read(ready, 1)
        begun = time.perf_counter()
        assert os.read(ready, 1)
        # The first run is timed where it happens: a forked process may be far slower than this one.
        until = time.perf_counter() + chance.uniform(0, 2) * (time.perf_counter() - begun)
        while time.perf_counter() < until:
            pass
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it ended by itself"
        os.close(ready)
        assert_old_or_new(folder)
        seals.append(json.loads((folder / MANIFEST).read_text())["seal"])
    assert set(seals[1:]) == {"old", "new"}
    run(OLD, folder, "last")
    assert os.listdir(tmp_path) == ["pkg"]


def test_a_reader_sees_no_mixture(tmp_path: Path) -> None:
    """Whoever holds the folder open, or looks by name, finds one output whole while runs replace it."""
    folder = tmp_path / "pkg"
    run(OLD, folder, "old")
    wholes = [{path.partition("/")[0] for path in (*files, MANIFEST)} for files in (OLD, NEW)]
    writer = os.fork()
    if writer == 0:
        try:
            while True:
                run(NEW, folder, "new")
                run(OLD, folder, "old")
        finally:
            os._exit(1)
    try:
        seen, changes, until = wholes[0], 0, time.monotonic() + 60
        while changes < 20:
            assert time.monotonic() < until, f"{changes} outputs were replaced"
            handle = os.open(folder, os.O_RDONLY)
            names = set(os.listdir(handle))
            os.close(handle)
            # Less than a whole is left of the one that was replaced, while it is being cleared away.
            assert any(names <= one for one in wholes), names
            if names in wholes and names != seen:
                seen, changes = names, changes + 1
            assert folder.is_dir()
    finally:
        os.kill(writer, signal.SIGKILL)
        assert os.waitpid(writer, 0)[1] == signal.SIGKILL, "it ended by itself"


def test_where_two_steps_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that cannot exchange two folders, a run killed in between is healed by the next."""
    monkeypatch.setattr(swap, "_exchanged", lambda one, other: False)
    folder = tmp_path / "pkg"
    run(OLD, folder, "old")
    put(folder, {"notes.md": "mine"})
    assert run(NEW, folder, "new").removed == ("sub/x.py",)
    assert (folder / "notes.md").read_text() == "mine"
    staging = tmp_path / f".aoba-gen-pkg-{'0' * 16}"
    staging.mkdir()
    folder.rename(staging / swap.OLD)
    put(folder.with_name("other"), {})
    assert run(NEW, folder, "newer").written == ()
    assert (folder / "notes.md").read_text() == "mine"
    assert os.listdir(tmp_path) == ["pkg"]


# Beside the package


def test_what_comes_meanwhile_is_kept(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that appears in the folder, or changes, between its mirroring and its replacement."""

    def late(staging: Path, folder: Path) -> None:
        put(folder, {"late.txt": "late", "sub/late.txt": "late"})
        (folder / "notes.md").unlink()
        put(folder, {"notes.md": "other"})
        swap.put_in_place(staging, folder)

    monkeypatch.setattr(write, "put_in_place", late)
    run(NEW, package)
    found = tree(package)
    assert (found["late.txt"], found["sub/late.txt"]) == (b"late", b"late")
    assert found["notes.md"] == b"other"


def test_sweeping_spares_what_is_not_a_staging_folder(package: Path) -> None:
    around = package.parent
    mine = {
        ".aoba-gen-notes/0.new": "",
        ".aoba-gen-other-0123456789abcdef/x": "",
        ".aoba-gen-x": "",
    }
    put(around, mine | {".aoba-gen-pkg-0123456789abcdef/new/x.py": ""})
    (around / ".aoba-gen-pkg-fedcba9876543210").symlink_to("pkg")
    run(NEW, package)
    left = {path for path in tree(around) if path.startswith(".aoba-gen-")}
    assert left >= {*mine, ".aoba-gen-pkg-fedcba9876543210"}
    assert ".aoba-gen-pkg-0123456789abcdef" not in left


def test_runs_at_once_leave_one_whole_output(tmp_path: Path) -> None:
    """Threads hold locks of their own, as processes do."""
    outputs = [{"same.py": str(n) * 9999, f"m{n}.py": "", M: f"{n}\n"} for n in range(2)]
    for _ in range(50):
        threads = [
            threading.Thread(target=run, args=(files, tmp_path / "pkg", str(n)))
            for n, files in enumerate(outputs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        (seal,) = (n for n in range(2) if sealed(tmp_path / "pkg", str(n)))
        assert set(tree(tmp_path / "pkg")) == {*outputs[seal], MANIFEST}
