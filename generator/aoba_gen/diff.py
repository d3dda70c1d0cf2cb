"""What writing would change, in git's form of a diff."""

from __future__ import annotations

import re

from .beside import BESIDE, place_of
from .write import Plan, State


def diff(plan: Plan, *, force: bool = False) -> str:
    """What `apply` would change, in git's form of a diff; kept files with `force` only.

    The paths are those in the package; where files beside it are ours too, those from the folder around it.
    """
    top = plan.folder.parent if any(c.path in BESIDE for c in plan.changes) else plan.folder
    text: list[str] = []
    for change in plan.touched(force=force):
        path = place_of(plan.folder, change.path).relative_to(top).as_posix()
        if change.old is None and change.state is not State.MISSING:
            a, b = f"a/{path}", f"b/{path}"
            gone = "deleted file mode 100644\n" if change.new is None else ""
            b = "/dev/null" if gone else b
            text.append(f"diff --git {a} b/{path}\n{gone}Binary files {a} and {b} differ\n")
        else:
            text.append(diff_of(path, change.old, change.new))
    return "".join(text)


def diff_of(path: str, old: str | None, new: str | None) -> str:
    """From one text of a file to another, in git's form of a diff; `None` where there is no file."""
    import difflib

    a, b = f"a/{path}", f"b/{path}"
    text = [f"diff --git {a} {b}\n"]
    if old is None:
        text.append("new file mode 100644\n")
        a = "/dev/null"
    elif new is None:
        text.append("deleted file mode 100644\n")
        b = "/dev/null"
    before, after = (re.findall(".*\n|.+", side or "") for side in (old, new))
    for line in difflib.unified_diff(before, after, a, b):
        text.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(text)
