"""write.py: what it plans, that it writes all or nothing, and that it never leaves the package."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import random
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from aoba_gen import swap, write
from aoba_gen.manifest import MANIFEST
from aoba_gen.diff import diff
from aoba_gen.write import Outcome, State, Unwritable, apply, plan, sealed

OLD = {"__init__.py": "old = 1\n", "models.py": "class A: ...\n", "sub/x.py": "x = 1\n"}
NEW = {
    "__init__.py": "old = 1\n",
    "models.py": "class B: ...\n",
    "py.typed": "",
    "deep/er/y.py": "",
}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: files with their bytes, folders as None."""
    return {
        str(place.relative_to(folder)): place.read_bytes() if place.is_file() else None
        for place in sorted(folder.rglob("*"))
    }


def put(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())


def run(files: Mapping[str, str], folder: Path, seal: str = "s", force: bool = False) -> Outcome:
    return apply(plan(files, folder, seal), force=force)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(Unwritable) as info:
        action()
    assert "\n" not in str(info.value)
    return str(info.value)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package as an earlier run left it, with a file of the user's beside ours."""
    folder = tmp_path / "out" / "pkg"
    run(OLD, folder, "old")
    put(folder, {"sub/mine.txt": "mine", "notes.md": "mine"})
    return folder


def test_first_run(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "pkg"
    planned = plan({"b.py": "é\n", "a/c.py": "no newline"}, folder, "5ea1")
    assert not folder.parent.parent.exists() and not planned.clean
    assert apply(planned) == Outcome(("a/c.py", "b.py"), (), (), ())
    assert (
        planned.manifest
        == (folder / MANIFEST).read_text()
        == (
            "{\n"
            '  "files": {\n'
            f'    "a/c.py": "{sha("no newline")}",\n'
            f'    "b.py": "{sha("é" + chr(10))}"\n'
            "  },\n"
            '  "seal": "5ea1"\n'
            "}\n"
        )
    )
    assert sorted(tree(folder)) == [MANIFEST, "a", "a/c.py", "b.py"]
    assert (folder / "b.py").read_bytes() == b"\xc3\xa9\n"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((folder / "b.py").stat().st_mode) == 0o644 & ~mask


def test_second_run_touches_nothing(package: Path) -> None:
    before = {place: place.stat() for place in package.rglob("*")} | {package: package.stat()}
    planned = plan(OLD, package, "old")
    assert planned.clean and diff(planned) == ""
    assert apply(planned) == Outcome((), tuple(sorted(OLD)), (), ())
    assert {place: place.stat() for place in before} == before


def test_next_run(package: Path) -> None:
    assert run(NEW, package) == Outcome(
        ("deep/er/y.py", "models.py", "py.typed"), ("__init__.py",), ("sub/x.py",), ()
    )
    left = {path: data for path, data in tree(package).items() if data is not None}
    assert left.pop(MANIFEST)
    assert left == {k: v.encode() for k, v in NEW.items()} | {
        "sub/mine.txt": b"mine",
        "notes.md": b"mine",
    }
    assert sealed(package, "s") == tuple(sorted(NEW))


def test_folders_left_empty_go_but_no_others(tmp_path: Path) -> None:
    run({"a/b/c.py": "", "d/e.py": "", "f.py": ""}, tmp_path)
    (tmp_path / "d" / "mine").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "a/b/c.py").unlink()  # as a run killed before it came to the folders
    assert run({}, tmp_path).removed == ("d/e.py", "f.py")
    assert sorted(tree(tmp_path)) == [MANIFEST, "d", "d/mine", "empty"]


M, HAND, BIN = "m.py", "by hand\n", b"\xff\x00"
A, B = "a\n", "b\n"


@pytest.mark.parametrize(
    "before, disk, after, state, kept, forced",
    [
        (None, None, A, State.MISSING, A, A),
        (A, None, A, State.MISSING, A, A),
        (A, None, None, None, None, None),
        (A, A, A, State.UNCHANGED, A, A),
        (A, A, B, State.STALE, B, B),
        (A, A, None, State.EXTRA, None, None),
        (A, HAND, A, State.EDITED, HAND, A),
        (A, HAND, B, State.EDITED, HAND, B),
        (A, BIN, B, State.EDITED, BIN, B),
        (A, HAND, None, State.EDITED, HAND, None),
        (A, B, B, State.UNCHANGED, B, B),
        (None, A, A, State.UNCHANGED, A, A),
        (None, HAND, A, State.FOREIGN, HAND, A),
        (None, BIN, A, State.FOREIGN, BIN, A),
        (None, "", A, State.FOREIGN, "", A),
        (None, HAND, None, None, HAND, HAND),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_states(
    tmp_path: Path,
    before: str | None,
    disk: str | bytes | None,
    after: str | None,
    state: State | None,
    kept: str | bytes | None,
    forced: str | bytes | None,
    force: bool,
) -> None:
    place = tmp_path / M
    run({} if before is None else {M: before}, tmp_path)
    place.unlink(missing_ok=True)
    if disk is not None:
        place.write_bytes(disk if isinstance(disk, bytes) else disk.encode())
    files = {} if after is None else {M: after}
    planned = plan(files, tmp_path, "s2")
    assert [change.state for change in planned.changes] == ([state] if state else [])
    assert [change.old for change in planned.changes] == (
        [None if isinstance(disk, bytes) else disk] if state else []
    )
    outcome = apply(planned, force=force)
    assert outcome == planned.outcome(force=force)
    left = state in (State.EDITED, State.FOREIGN) and not force
    assert outcome.kept == ((M,) if left else ())
    wanted = forced if force else kept
    wanted = wanted.encode() if isinstance(wanted, str) else wanted
    assert (place.read_bytes() if place.exists() else None) == wanted
    # A run with the same input finds the same, and the fast path never hides a kept file.
    again = plan(files, tmp_path, "s2")
    assert again.clean is not left and again.outcome().kept == outcome.kept
    assert (sealed(tmp_path, "s2") is None) is left


def test_a_kept_edit_stays_an_edit_until_it_is_undone(package: Path) -> None:
    put(package, {"models.py": HAND})
    for text in ("class B: ...\n", "class C: ...\n"):
        assert run({**OLD, "models.py": text}, package).kept == ("models.py",)
    assert run({}, package).kept == ("models.py",)
    put(package, {"models.py": OLD["models.py"]})
    assert "models.py" in run(NEW, package).written


def test_force_never_removes_what_was_never_ours(tmp_path: Path) -> None:
    put(tmp_path, {M: HAND})
    assert run({M: A}, tmp_path).kept == (M,)
    assert run({}, tmp_path, force=True).removed == ()
    assert (tmp_path / M).read_text() == HAND


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "\xff",
        "{",
        "[]",
        "null",
        "7",
        '{"seal": "old"}',
        '{"seal": "old", "files": []}',
        '{"seal": "old", "files": {"models.py": 1, "sub/x.py": null}}',
        "[" * 100_000,
        '{"seal": 1' + "0" * 5000 + "}",
    ],
)
def test_damaged_manifest(package: Path, text: str | None) -> None:
    (package / MANIFEST).unlink()
    if text is not None:
        (package / MANIFEST).write_bytes(text.encode("latin-1"))
    assert sealed(package, "old") is None
    planned = plan(NEW, package, "s")
    assert planned.paths(State.FOREIGN) == ("models.py",)
    assert apply(planned) == Outcome(
        ("deep/er/y.py", "py.typed"), ("__init__.py",), (), ("models.py",)
    )
    assert (package / "sub/x.py").exists() and (package / "models.py").read_text() == OLD[
        "models.py"
    ]
    assert run(NEW, package, force=True).written == ("models.py",)
    assert sealed(package, "s") == tuple(sorted(NEW))


def test_sealed(package: Path) -> None:
    assert sealed(package, "old") == tuple(sorted(OLD))
    assert sealed(package, "other") is None and sealed(package, "") is None
    assert sealed(package.parent / "none", "old") is None
    for path, text in OLD.items():
        put(package, {path: text + " "})
        assert sealed(package, "old") is None
        (package / path).unlink()
        assert sealed(package, "old") is None
        (package / path).mkdir()
        assert sealed(package, "old") is None
        (package / path).rmdir()
        put(package, {path: text})
    assert sealed(package, "old") == tuple(sorted(OLD))


def test_a_new_seal_alone_rewrites_only_the_manifest(package: Path) -> None:
    times = {path: (package / path).stat().st_mtime_ns for path in OLD}
    planned = plan(OLD, package, "new")
    assert planned.clean and apply(planned).written == ()
    assert sealed(package, "new") == tuple(sorted(OLD))
    assert times == {path: (package / path).stat().st_mtime_ns for path in OLD}


ODD = ["", ".", "..", "/x", "../x", "a/../x", "a//x", "a/", "./x", "C:/x", "c:x", "a\\x", "..\\x"]
ODD += ["a\0x", "a\nx", "\ud800", MANIFEST, ".AOBA-gen-0/x", "a/../../x", "\u202ex"]


@pytest.mark.parametrize("path", ODD)
def test_odd_paths_are_refused_and_ignored(package: Path, path: str) -> None:
    assert "not a plain path" in refused(lambda: plan({path: ""}, package, "s"))
    put(package.parent, {"x": "precious"})
    put(package, {"x": "precious", "a/y": ""})
    named = {p: sha("precious") for p in (path, str(package.parent / "x"))}
    (package / MANIFEST).write_text(json.dumps({"seal": "s", "files": named}))
    before = tree(package.parent)
    assert sealed(package, "s") is None
    assert run({}, package, force=True).removed == ()
    before.pop(f"pkg/{MANIFEST}")
    after = tree(package.parent)
    assert json.loads(after.pop(f"pkg/{MANIFEST}") or "") == {"files": {}, "seal": "s"}
    assert after == before


def a_link(place: Path) -> None:
    place.symlink_to(place.parent.parent if place.name == "sub" else "notes.md")


def a_dead_link(place: Path) -> None:
    place.symlink_to("nowhere")


def a_socket(place: Path) -> None:
    here = os.getcwd()
    os.chdir(place.parent)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(place.name)
    os.chdir(here)


@pytest.mark.parametrize(
    "where, make, reason",
    [
        ("models.py", a_link, "it is a symbolic link, not a file"),
        ("models.py", a_dead_link, "it is a symbolic link, not a file"),
        ("models.py", os.mkdir, "it is a folder, not a file"),
        ("models.py", os.mkfifo, "it is a pipe, socket or device, not a file"),
        ("models.py", a_socket, "it is a pipe, socket or device, not a file"),
        ("sub", a_link, "it is a symbolic link, not a folder"),
        ("sub", a_dead_link, "it is a symbolic link, not a folder"),
        ("sub", Path.touch, "it is a file, not a folder"),
        ("sub", os.mkfifo, "it is a pipe, socket or device, not a folder"),
        (MANIFEST, a_link, "it is a symbolic link, not a file"),
        (MANIFEST, os.mkdir, "it is a folder, not a file"),
        (MANIFEST, os.mkfifo, "it is a pipe, socket or device, not a file"),
        ("", a_link, "it is a symbolic link, not a folder"),
        ("", a_dead_link, "it is a symbolic link, not a folder"),
        ("", Path.touch, "it is a file, not a folder"),
    ],
)
@pytest.mark.parametrize("files", [OLD, {}], ids=["generated", "listed only"])
def test_what_stands_in_the_way(
    package: Path,
    where: str,
    make: Callable[[Path], object],
    reason: str,
    files: Mapping[str, str],
) -> None:
    place = package / where
    shutil.move(place, package.parent / "away")
    make(place)
    before = tree(package.parent)
    assert refused(lambda: run(files, package, force=True)) == (
        f"{place}: cannot write here: {reason}; move it away"
    )
    assert sealed(package, "old") is None
    assert tree(package.parent) == before


def test_out_may_be_a_link_but_not_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("real").mkdir()
    Path("link").symlink_to("real")
    assert run({M: A}, Path("link/pkg")).written == (M,)
    assert sealed(Path("real/pkg"), "s") == (M,)
    Path("out").touch()
    Path("dead").symlink_to("nowhere")
    for out in (Path("out/pkg"), Path("out/deeper/pkg")):
        assert refused(lambda: run({M: A}, out)) == (
            "out: cannot write here: it is a file, not a folder; choose another folder"
        )
    assert refused(lambda: run({M: A}, Path("dead/pkg"))) == (
        "dead: cannot write here: it is a symbolic link, not a folder; choose another folder"
    )
    long = Path("n" * 300)
    assert refused(lambda: run({M: A}, long)) == (
        f"{long}: cannot write here: file name too long; nothing was changed; "
        "make it writable or choose another folder"
    )
    assert refused(lambda: run({M: A}, Path("a\nb") / ("n" * 300))).startswith("'a\\nb/nnn")


FORCED = NEW | {"hand.py": B}


def prepare(folder: Path) -> None:
    """An old output in which the next run writes, replaces, removes and forces over hand edits."""
    run(OLD | {"hand.py": A}, folder, "old")
    put(folder, {"hand.py": HAND, "py.typed": "foreign", "mine": "mine"})


def whole(folder: Path) -> bool:
    """Whether the output is the new one, with nothing of the run left over."""
    return sealed(folder, "new") == tuple(sorted(FORCED)) and not write._stagings(folder)


def is_new(folder: Path) -> bool:
    """Whether the output is the new one, whatever lies beside it."""
    text = (folder / MANIFEST).read_text() if folder.exists() else "{}"
    seal: object = json.loads(text).get("seal")
    return seal == "new"


class Faulty:
    """A system function that fails from its `first` to its `last` call."""

    def __init__(self, name: str, first: int, last: int, error: BaseException) -> None:
        self.call: Callable[..., object] = getattr(os, name)
        self.first, self.last, self.error, self.count = first, last, error, 0

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.count += 1
        if self.first <= self.count <= self.last:
            raise self.error
        return self.call(*args, **kwargs)


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
DENIED = OSError(errno.EACCES, os.strerror(errno.EACCES))
NO_LINKS = OSError(errno.EPERM, os.strerror(errno.EPERM))


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


KILLED = """
import os, signal, sys
from pathlib import Path
from aoba_gen import swap, write
name, n, folder, *files = sys.argv[1:]
call, count = getattr(os, name), 0
def killed(*args, **kwargs):
    global count
    count += 1
    if count == int(n):
        os.kill(os.getpid(), signal.SIGKILL)
    return call(*args, **kwargs)
setattr(os, name, killed)
files = dict(zip(files[::2], files[1::2]))
write.apply(write.plan(files, Path(folder), "new"))
"""


def python(code: str, *args: str) -> subprocess.Popen[bytes]:
    source = Path(write.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", code, *args], env={**os.environ, "PYTHONPATH": str(source)}
    )


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
    chance, seals = random.Random(seed), set()
    for _ in range(200):
        ready, go = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(go, b"x")
                for files, seal in itertools.cycle([(NEW, "new"), (OLD, "old")]):
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
        seals.add(json.loads((folder / MANIFEST).read_text())["seal"])
    assert seals == {"old", "new"}
    run(OLD, folder, "last")
    assert os.listdir(tmp_path) == ["pkg"]


def test_a_reader_sees_no_mixture(tmp_path: Path) -> None:
    """Whoever holds the folder open, or looks by name, finds one output whole while runs replace it."""
    folder = tmp_path / "pkg"
    run(OLD, folder, "old")
    writer = os.fork()
    if writer == 0:
        while True:
            run(NEW, folder, "new")
            run(OLD, folder, "old")
    try:
        for _ in range(300):
            handle = os.open(folder, os.O_RDONLY)
            names = set(os.listdir(handle))
            os.close(handle)
            if names:  # the one that was replaced is being cleared away
                assert names <= {"models.py", MANIFEST, *OLD, *NEW, "sub", "deep"}
            assert folder.is_dir()
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)


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
    before = {place: place.stat() for place in tmp_path.rglob("*")}
    assert run(WITH_OLD, folder, "old").unchanged == tuple(sorted(WITH_OLD))
    assert {place: place.stat() for place in before} == before
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


def test_apply_looks_again(package: Path) -> None:
    """A file that was edited after planning is the user's too."""
    planned = plan(NEW, package, "s")
    put(package, {"models.py": HAND})
    assert apply(planned).kept == ("models.py",)
    assert (package / "models.py").read_text() == HAND


DIFF = """\
diff --git a/gone.py b/gone.py
deleted file mode 100644
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/gone.typed b/gone.typed
deleted file mode 100644
diff --git a/m.py b/m.py
--- a/m.py
+++ b/m.py
@@ -1,3 +1,3 @@
 a\x0c\u2028
-b
+c
 d\r
diff --git a/new.py b/new.py
new file mode 100644
--- /dev/null
+++ b/new.py
@@ -0,0 +1 @@
+n
\\ No newline at end of file
diff --git a/py.typed b/py.typed
new file mode 100644
diff --git a/tail.py b/tail.py
--- a/tail.py
+++ b/tail.py
@@ -1 +1 @@
-t
+t
\\ No newline at end of file
"""


def test_diff(tmp_path: Path) -> None:
    package = tmp_path / "pkg"
    old = {M: "a\x0c\u2028\nb\nd\r\n", "gone.py": "x\n", "gone.typed": "", "tail.py": "t\n"}
    new = {M: "a\x0c\u2028\nc\nd\r\n", "new.py": "n", "py.typed": "", "tail.py": "t"}
    run(old, package)
    planned = plan(new, package, "s")
    assert diff(planned) == DIFF
    patched = shutil.copytree(package, tmp_path / "patched")
    subprocess.run(["git", "apply", "-"], cwd=patched, input=DIFF.encode(), check=True)
    apply(planned)
    assert diff(plan(new, package, "s")) == ""
    (patched / MANIFEST).unlink()
    (package / MANIFEST).unlink()
    assert tree(patched) == tree(package)


def test_diff_of_kept_files_with_force_only(package: Path) -> None:
    put(package, {"models.py": HAND})
    (package / "sub/x.py").write_bytes(BIN)
    planned = plan({"__init__.py": OLD["__init__.py"], "models.py": A}, package, "s")
    assert diff(planned) == ""
    assert diff(planned, force=True) == (
        "diff --git a/models.py b/models.py\n"
        "--- a/models.py\n+++ b/models.py\n@@ -1 +1 @@\n-by hand\n+a\n"
        "diff --git a/sub/x.py b/sub/x.py\ndeleted file mode 100644\n"
        "Binary files a/sub/x.py and /dev/null differ\n"
    )


def test_same_input_same_bytes(tmp_path: Path) -> None:
    for name, files in (("a", NEW), ("b", dict(reversed(NEW.items())))):
        run(files, tmp_path / name)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_run_that_changes_nothing_does_not_load_difflib() -> None:
    code = "import sys, aoba_gen.write; sys.exit('difflib' in sys.modules)"
    assert python(code).wait(60) == 0
