"""`[tool.aoba-gen]` of a pyproject.toml: the documents of a project, and what holds for all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from os.path import relpath
from pathlib import Path
from typing import Final, TypeAlias, get_args

from .access import host_fault
from .diagnostics import Location, Refused, Report, shown, suggestion
from .limits import NAMES, Limits
from .options import Side

FILE: Final = "pyproject.toml"
_TABLE: Final = "tool.aoba-gen"
_SHARED: Final = (
    "documents",
    "templates",
    "disable",
    "allow-ref-root",
    "allow-remote",
    "allow-slow-patterns",
    "limits",
    "breaking",
)
_BREAKING: Final = ("accept",)
_ACCEPT: Final = ("rule", "at", "reason")
_OWN: Final = ("spec", "output", "package", "side", "templates", "dist", "docs")
_RULE: Final = "config"
_QUOTE_IT: Final = "write one text in quotes"

Keys: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True, slots=True)
class Target:
    """A document, the folder for its package, and the options that only it has; `docs` is the folder for its pages."""

    spec: Path
    out: Path
    package: str | None = None
    side: Side | None = None
    templates: Path | None = None
    dist: bool = False
    docs: Path | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """A change that is accepted: by its rule and the pointer of where it is found or what is around that, and why."""

    rule: str
    at: str
    reason: str
    place: Location


@dataclass(frozen=True, slots=True)
class Config:
    """What a project says; `disabled` are the rules that are off, `templates` is a folder of its own.

    `roots` and `hosts` are what references may read beside the documents' folders, `limits` those that are other than usual.
    `accepts` are the changes that `aoba-gen breaking` does not hold against a document.
    """

    targets: tuple[Target, ...] = ()
    templates: Path | None = None
    disabled: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    slow_patterns: bool = False
    accepts: tuple[Accept, ...] = ()


def find_config() -> Path | None:
    """The nearest pyproject.toml with our table, in the current folder or above it; `None` where there is none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / FILE
        if file.is_file():
            try:
                text = file.read_text(encoding="utf-8", errors="replace")
            except OSError:  # not ours to tell of
                return None
            return Path(relpath(file)) if re.search(r"tool\s*\.\s*aoba-gen", text) else None
    return None


def read_config(file: Path, why_on: Callable[[str], str | None], report: Report) -> Config:
    """The configuration in `file`; `why_on` tells what to say of a rule that cannot be turned off; raises `Refused` with all that is wrong with it."""
    import tomllib  # most calls find no configuration

    text = _text(file, report)
    try:
        tools = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError as fault:
        reason = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(fault))
        line, column = (int(reason[2]), int(reason[3])) if reason else (1, 1)
        message = f"this is no TOML: {reason[1] if reason else fault}"
        hint = "text stands in quotes, and each setting on a line of its own"
        report.error(_RULE, message, Location(str(file), line, column), hint)
        raise Refused(report.diagnostics) from None
    table = tools.get("aoba-gen", {}) if isinstance(tools, dict) else {}
    config = _Reader(file, text, report).config(table, why_on)
    report.raise_errors()
    return config


def _text(file: Path, report: Report) -> str:
    """What the file says, which TOML wants to be in UTF-8; raises `Refused`."""
    data = file.read_bytes()
    place, hint = Location(str(file), 1, 1), "save the file as UTF-8"
    try:
        text = data.decode()
    except UnicodeDecodeError as wrong:
        before = data[: wrong.start].decode().splitlines(keepends=True) or [""]
        *above, last = [*before, ""] if before[-1].endswith("\n") else before
        place = Location(str(file), len(above) + 1, len(last) + 1)
        report.error(_RULE, f"the byte 0x{data[wrong.start]:02X} is not UTF-8", place, hint)
        raise Refused(report.diagnostics) from None
    if text.startswith("\ufeff"):
        message = "this is no TOML: it begins with a byte order mark"
        report.error(_RULE, message, place, f"{hint} without one")
        raise Refused(report.diagnostics)
    return text


class _Reader:
    """Reads the table, and tells what is wrong with it where that stands."""

    def __init__(self, file: Path, text: str, report: Report) -> None:
        self._file = file
        self._lines = text.splitlines()
        self._report = report

    def config(self, table: object, why_on: Callable[[str], str | None]) -> Config:
        fields = self._fields(table, _SHARED, ())
        disabled = self._list(fields.get("disable", []), ("disable",))
        for rule in disabled:
            if hint := why_on(str(rule)):
                message = f"there is no rule {shown(rule)} that can be turned off"
                self._wrong(("disable",), message, hint)
        documents = self._list(fields.get("documents", []), ("documents",))
        targets = [self._target(one, ("documents", index)) for index, one in enumerate(documents)]
        return Config(
            tuple(target for target in targets if target),
            self._folder(fields, "templates", ()),
            tuple(map(str, disabled)),
            tuple(self._roots(fields)),
            tuple(self._hosts(fields)),
            dict(self._limits(fields.get("limits", {}))),
            self._flag(fields, "allow-slow-patterns"),
            tuple(self._accepts(fields.get("breaking", {}))),
        )

    def _texts(self, fields: dict[str, object], name: str) -> Iterator[str]:
        for value in self._list(fields.get(name, []), (name,)):
            if isinstance(value, str):
                yield value
            else:
                self._wrong((name,), f"{name!r} should list text, not {shown(value)}", _QUOTE_IT)

    def _roots(self, fields: dict[str, object]) -> Iterator[Path]:
        for text in self._texts(fields, name := "allow-ref-root"):
            yield self._file.parent / text
            self._check_folder(text, (name,))

    def _hosts(self, fields: dict[str, object]) -> Iterator[str]:
        for text in self._texts(fields, name := "allow-remote"):
            yield text
            if hint := host_fault(text):
                self._wrong((name,), f"{shown(text)} is no name of a host", hint)

    def _flag(self, fields: dict[str, object], name: str, where: Keys = ()) -> bool:
        value = fields.get(name, False)
        if not isinstance(value, bool):
            message = f"{name!r} should be true or false, not {shown(value)}"
            self._wrong((*where, name), message, "write it without quotes")
        return value is True

    def _limits(self, table: object) -> Iterator[tuple[str, int]]:
        for name, value in self._fields(table, NAMES, ("limits",)).items():
            if isinstance(value, int) and value > 0:
                yield name, value
            else:
                message = f"{name!r} should be a whole number above 0, not {shown(value)}"
                self._wrong(("limits", name), message, f"such as {getattr(Limits(), name)}")

    def _accepts(self, table: object) -> Iterator[Accept]:
        """The changes to accept; which rules there are is known to who compares."""
        where: Keys = ("breaking",)
        fields = self._fields(table, _BREAKING, where)
        listed = self._list(fields.get("accept", []), (*where, "accept"))
        for index, one in enumerate(listed):
            place = (*where, "accept", index)
            inner = self._fields(one, _ACCEPT, place)
            texts = {name: self._text(inner, name, (*place, name)) for name in _ACCEPT}
            for name, text in texts.items():
                is_text = isinstance(inner.get(name, ""), str)  # else told of already
                if inner and is_text and not (text or "").strip():
                    self._wrong(place, f"what is accepted has no {name!r}", f'add: {name} = "..."')
            rule, at, reason = (texts[name] or "" for name in _ACCEPT)
            if at and "#" not in at:
                message = f"'at' should be a pointer, not {shown(at)}"
                self._wrong((*place, "at"), message, "such as '#/components/schemas/Order'")
            elif rule and at and reason:
                yield Accept(rule, at, reason, self._place(place))

    def _target(self, table: object, where: Keys) -> Target | None:
        fields = self._fields(table, _OWN, where)
        for name in ("spec", "output"):
            if fields and name not in fields:
                self._wrong(where, f"the document has no {name!r}", f'add: {name} = "..."')
        package, side = self._text(fields, "package", where), self._text(fields, "side", where)
        if package is not None and (reason := package_fault(package)):
            self._wrong((*where, "package"), reason, "leave it out to have it made of the title")
        if side not in (None, *get_args(Side)):
            message = f"'side' is {shown(side)}, expected 'described' or 'peer'"
            self._wrong(
                (*where, "side"),
                message,
                suggestion(str(side), get_args(Side)) or "leave it out for the usual one",
            )
        spec, out = self._path(fields, "spec", where), self._path(fields, "output", where)
        if spec is None or out is None:
            return None
        chosen: Side | None = next((one for one in get_args(Side) if one == side), None)
        templates = self._folder(fields, "templates", where)
        docs = self._path(fields, "docs", where)
        return Target(
            spec, out, package, chosen, templates, self._flag(fields, "dist", where), docs
        )

    def _fields(self, table: object, known: tuple[str, ...], where: Keys) -> dict[str, object]:
        if not isinstance(table, dict):
            self._wrong(
                where, f"expected a table, not {shown(table)}", "write it as {name = value}"
            )
            return {}
        for name in table:
            if name not in known:
                near = suggestion(name, known) or f"known are {', '.join(known)}"
                self._wrong((*where, name), f"there is no setting {shown(name)} here", near)
        return table

    def _list(self, value: object, where: Keys) -> list[object]:
        if isinstance(value, list):
            return value
        self._wrong(
            where, f"{where[-1]!r} should be a list, not {shown(value)}", "put it in brackets"
        )
        return []

    def _text(self, fields: dict[str, object], name: str, where: Keys) -> str | None:
        value = fields.get(name)
        if value is None or isinstance(value, str):
            return value
        self._wrong((*where, name), f"{name!r} should be text, not {shown(value)}", _QUOTE_IT)
        return None

    def _path(self, fields: dict[str, object], name: str, where: Keys) -> Path | None:
        """A path, which is relative to the file that names it."""
        text = self._text(fields, name, where)
        if text is not None and "\0" in text:
            message = f"{name!r} holds the character U+0000, which no path can: {shown(text)}"
            self._wrong((*where, name), message, "take it out")
            return None
        return None if text is None else self._file.parent / text

    def _folder(self, fields: dict[str, object], name: str, where: Keys) -> Path | None:
        """The path of a folder that has to be there."""
        path = self._path(fields, name, where)
        if path is not None:
            self._check_folder(str(fields[name]), (*where, name))
        return path

    def _check_folder(self, text: str, where: Keys) -> None:
        if not os.path.isdir(self._file.parent / text):
            hint = "a path is relative to the folder of this file"
            self._wrong(where, f"there is no folder {shown(text)}", hint)

    def _wrong(self, where: Keys, message: str, hint: str) -> None:
        self._report.error(_RULE, message, self._place(where), hint)

    def _place(self, where: Keys) -> Location:
        """Where the last of the keys stands, as near as reading line by line can tell."""
        spot = self._next(_Spot(), rf"\[\s*{re.escape(_TABLE)}\b|(?<![\w.-])aoba-gen(?=\s*[.=])")
        for number, step in enumerate(where):
            if isinstance(step, int):
                name = re.escape(".".join((_TABLE, *map(str, where[:number]))))
                spot = _Spot(spot.line)  # a header names the list and begins its first item
                for _ in range(step + 1):
                    spot = self._next(spot, rf"\[\[\s*{name}|\{{")
            else:
                spot = self._next(spot, rf"(?<![\w-])\"?{re.escape(step)}\"?(?=\s*[=.\]])")
        return Location(str(self._file), spot.line + 1, spot.begin + 1)

    def _next(self, spot: _Spot, pattern: str) -> _Spot:
        """The next match behind a spot; that spot itself where there is none."""
        for number in range(spot.line, len(self._lines)):
            start = spot.end if number == spot.line else 0
            if found := re.compile(pattern).search(self._lines[number], start):
                return _Spot(number, found.start(), found.end())
        return spot


@dataclass(frozen=True, slots=True)
class _Spot:
    """A part of a line, all counted from zero."""

    line: int = 0
    begin: int = 0
    end: int = 0


def package_fault(name: str) -> str:
    """Why a package cannot have this name; "" where it can."""
    import keyword

    from . import names

    if keyword.iskeyword(name):
        return (
            f"{name!r} is a keyword of Python and names no package; add to it, such as '{name}_api'"
        )
    if not name.isidentifier():
        return f"{name!r} is no name for a Python package; write letters, digits and '_'"
    if names.is_taken_module(name) or name.startswith("__"):
        return f"{name!r} is a name that Python or its libraries use"
    if names.is_long(name):
        return f"{shown(name)} is too long for the name of a folder"
    return ""
