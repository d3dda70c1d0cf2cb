"""write.py: what it plans by what stands there, what it says of it, and that a second run touches nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from aoba_gen.diff import diff
from aoba_gen.manifest import MANIFEST
from aoba_gen.write import Outcome, State, apply, plan, sealed
from outputs import (
    BIN,
    HAND,
    NEW,
    OLD,
    A,
    B,
    M,
    a_dead_link,
    a_link,
    a_socket,
    package,
    put,
    refused,
    run,
    sha,
    states,
    tree,
)


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
    before = states(package)
    planned = plan(OLD, package, "old")
    assert planned.clean and diff(planned) == ""
    assert apply(planned) == Outcome((), tuple(sorted(OLD)), (), ())
    assert states(package) == before


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


# Beside the package


def test_apply_looks_again(package: Path) -> None:
    """A file that was edited after planning is the user's too."""
    planned = plan(NEW, package, "s")
    put(package, {"models.py": HAND})
    assert apply(planned).kept == ("models.py",)
    assert (package / "models.py").read_text() == HAND


def test_same_input_same_bytes(tmp_path: Path) -> None:
    for name, files in (("a", NEW), ("b", dict(reversed(NEW.items())))):
        run(files, tmp_path / name)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
