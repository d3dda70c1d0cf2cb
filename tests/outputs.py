"""What the tests of writing share: an old and a new output, the tree of a folder, calls of the system that fail, runs that are killed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from aoba_gen import write
from aoba_gen.manifest import MANIFEST
from aoba_gen.write import Outcome, Unwritable, apply, plan

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


def states(folder: Path) -> dict[Path, tuple[int, ...]]:
    """A folder and everything below it with what says that it was changed or replaced; to read it may change nothing of that."""
    found = {place: place.stat() for place in (folder, *folder.rglob("*"))}
    return {
        place: (one.st_ino, one.st_mode, one.st_size, one.st_mtime_ns, one.st_ctime_ns)
        for place, one in found.items()
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


M, HAND, BIN = "m.py", "by hand\n", b"\xff\x00"
A, B = "a\n", "b\n"


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
