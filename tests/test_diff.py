"""diff.py: what a run would change, as a patch that git applies."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from aoba_gen.diff import diff
from aoba_gen.manifest import MANIFEST
from aoba_gen.write import apply, plan
from outputs import BIN, HAND, OLD, A, M, package, put, python, run, tree

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


def test_a_run_that_changes_nothing_does_not_load_difflib() -> None:
    code = "import sys, aoba_gen.diff, aoba_gen.write; sys.exit('difflib' in sys.modules)"
    assert python(code).wait(60) == 0
