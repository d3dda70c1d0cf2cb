"""Model -> {path: text}: the only import of jinja2 and black; what it returns parses."""

from __future__ import annotations

import ast
import traceback
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .allowed import Forbidden, check_allowed
from .diagnostics import Diagnostic, Location, Refused, commanding_nothing, shown, suggestion
from .model import Model
from .options import TEMPLATES
from .prose import WIDTH, docstring, literal
from .schemas import models_text

if TYPE_CHECKING:
    from jinja2 import Environment

ABI: Final = 2
"""The ABI of aoba-runtime that generated code is written for."""

_TEMPLATE_HINT: Final = "'aoba-gen model SPEC' prints what templates read"


class Flawed(Exception):
    """A file is not what may be written, which is a bug; the message says which and why."""


def render(model: Model, templates: Path | None = None) -> dict[str, str]:
    """The files of the package by their path in it; a file of the user's folder `templates` wins over ours.

    Raises `Flawed` when a file is no Python or holds what generated code never holds, and `Refused` for a fault in a
    template of the user's. What the user's own templates write may be anything.
    """
    environment = _environment(templates, TEMPLATES) if templates else _ours(TEMPLATES)
    ours = sorted(place.name for place in TEMPLATES.glob("*.j2"))
    _check_names(templates, ours)
    try:
        texts = {
            name.removesuffix(".j2"): environment.get_template(name).render(model=model, abi=ABI)
            for name in ours
            if model.calls or name != "calls.py.j2"
        }
    except Exception as fault:  # a template of the user's may do anything
        refused = _of_the_user(fault, templates)
        if refused is None:
            raise
        raise refused from fault
    for path in texts.keys() - {"__init__.py"}:
        if not (templates and (templates / f"{path}.j2").is_file()):
            texts[path] = _without_idle_imports(texts[path])
    texts["models.py"] = models_text(model)
    return {path: _formatted(path, text, templates) for path, text in sorted(texts.items())} | {
        "py.typed": ""
    }


@cache
def _ours(folder: Path) -> Environment:
    """Our own templates, read once for any number of documents; the user's own may change meanwhile."""
    return _environment(folder)


def _environment(*folders: Path) -> Environment:
    from jinja2 import (
        FileSystemLoader,
        StrictUndefined,
    )  # like black: slow, and most runs change nothing
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(  # the user's own may come with a checkout
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        autoescape=False,  # what is written is Python: every text goes through `literal` or `docstring`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(docstring=docstring, literal=literal)
    return environment


def _check_names(templates: Path | None, ours: list[str]) -> None:
    """Raise `Refused` when a template of the user's takes no place of ours, and so would never be read."""
    found = []
    for place in sorted(templates.glob("*.j2")) if templates else ():
        if place.name not in ours:
            hint = suggestion(place.name, ours) or (
                f"there are {', '.join(ours)}; what they include has another suffix"
            )
            message = f"there is no template {shown(place.name)} that this could replace"
        elif not place.is_file():
            message, hint = "a template should be a file", "ours is read when there is none here"
        else:
            continue
        found.append(Diagnostic("template", message, Location(str(place), 1, 1), hint))
    if found:
        raise Refused(found)


def _of_the_user(fault: Exception, templates: Path | None) -> Refused | None:
    """The refusal of a template in the user's folder that is at fault; `None` where it is not his."""
    if isinstance(fault, UnicodeDecodeError) and templates:
        return _undecoded(fault, templates)
    line, file = getattr(fault, "lineno", None), getattr(fault, "filename", None)
    for frame in traceback.extract_tb(fault.__traceback__):  # jinja2 puts the templates' lines in
        if templates and Path(frame.filename).parent == templates:
            file, line = frame.filename, frame.lineno
    if not templates or not file or Path(file).parent != templates:
        return None
    place, hint, why = Location(file, line or 1, 1), _TEMPLATE_HINT, str(fault)
    if isinstance(fault, RecursionError):
        why, hint = "it comes back to itself", "look at what it extends, includes and calls"
    return Refused([Diagnostic("template", f"the template fails: {why}", place, hint)])


def _undecoded(fault: UnicodeDecodeError, templates: Path) -> Refused | None:
    """The refusal of the file in the user's folder whose bytes are those at fault."""
    for file in sorted(templates.iterdir()):
        if file.is_file() and file.read_bytes() == fault.object:
            line = fault.object.count(b"\n", 0, fault.start) + 1
            message = f"the byte 0x{fault.object[fault.start]:02X} is not UTF-8"
            place = Location(str(file), line, 1)
            return Refused([Diagnostic("template", message, place, "save the file as UTF-8")])
    return None


def _without_idle_imports(text: str) -> str:
    """`text` without the names that it imports and never uses: our templates import whatever they may need."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text  # reported when it is formatted
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    lines = text.splitlines(keepends=True)
    for node in reversed(tree.body):
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            kept = [alias for alias in node.names if alias.name in used]
            line = f"{ast.unparse(ast.ImportFrom(node.module, kept, node.level))}\n" if kept else ""
            end = node.end_lineno or node.lineno
            if not kept and lines[node.lineno - 2] == lines[end] == "\n":
                end += 1
            lines[node.lineno - 1 : end] = [line]
    return "".join(lines)


def _classes(text: str) -> list[str]:
    """`text` cut before each class at its top level; what stands between two classes goes with the first."""
    lines = text.split("\n")
    starts = [node.lineno - 1 for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    cuts = pairwise([0, *starts, len(lines)])
    return ["\n".join(lines[start:end]).rstrip() + "\n" for start, end in cuts]


def _formatted(path: str, text: str, templates: Path | None) -> str:
    import black
    from black.mode import Mode, TargetVersion
    from black.parsing import InvalidInput

    mode = Mode(line_length=WIDTH, target_versions={TargetVersion.PY311})
    own = templates / f"{path}.j2" if templates else None
    is_own = own is not None and own.is_file()
    try:
        # Class by class where a file may be long: half the memory, and what is right is not read twice.
        parts = _classes(text) if path == "models.py" and not is_own else [text.rstrip() + "\n"]
        formatted = "\n\n".join(black.format_str(part, mode=mode) for part in parts)
        if not is_own:
            formatted = commanding_nothing(formatted)  # --diff shows it, also in the logs of CI
        tree = ast.parse(formatted)
    except (InvalidInput, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if is_own:
            message = f"what the template writes is no Python: {' '.join(str(error).split())}"
            place = Location(str(own), 1, 1)
            raise Refused([Diagnostic("template", message, place, _TEMPLATE_HINT)]) from error
        raise Flawed(f"{path} is no Python: {error}") from error
    if not is_own:
        try:
            check_allowed(path, formatted, tree)
        except Forbidden as found:
            raise Flawed(str(found)) from found
    return formatted
