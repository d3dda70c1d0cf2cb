"""Bytes to a tree whose every node knows its line and column. What it means is for later passes."""

from __future__ import annotations

import errno
import os
import re
import shlex
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final, NoReturn

from aoba_gen.diagnostics import Location, Refused, Report, suggestion
from aoba_gen.load_json import read_json
from aoba_gen.load_tree import (
    Array,
    Json,
    Node,
    Object,
    Places,
    Scalar,
    check_text,
    plain,
)
from aoba_gen.load_yaml import read_yaml

__all__ = [
    "Array",
    "Json",
    "Node",
    "Object",
    "Scalar",
    "Source",
    "load",
    "load_text",
    "parse",
    "plain",
    "source_of",
    "source_of_text",
]

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_ENCODINGS: Final = (
    (rb"\xef\xbb\xbf", "utf-8"),
    (rb"\xff\xfe\x00\x00", "utf-32-le"),
    (rb"\x00\x00\xfe\xff", "utf-32-be"),
    (rb"\xff\xfe", "utf-16-le"),
    (rb"\xfe\xff", "utf-16-be"),
    (rb"(?=[\x01-\x7f]\x00{3})", "utf-32-le"),
    (rb"(?=\x00{3}[\x01-\x7f])", "utf-32-be"),
    (rb"(?=[\x01-\x7f]\x00)", "utf-16-le"),
    (rb"(?=\x00[\x01-\x7f])", "utf-16-be"),
    (rb"", "utf-8"),
)
"""How a document begins that is so encoded: with a byte order mark, else with a character of ASCII (YAML 1.2, 5.2)."""
_FORBIDDEN: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_URL: Final = re.compile(r"(?:^|[/\\])([A-Za-z][A-Za-z0-9+.-]+):[/\\]+(.*)")
"""In a path, which has one slash where a URL has two."""
_TEXT: Final = re.compile(r"\n|^\s*asyncapi\s*:|^\s*\{.*[\"']asyncapi[\"']")
_LONGEST_SHOWN: Final = 40
_FORBIDDEN_SHOWN: Final = 20  # a file that is no text at all need not list every byte


@dataclass(frozen=True, slots=True)
class Source:
    """A document as read: where it lies, the user's name for it, its SHA-256, its tree, its size in bytes."""

    path: Path
    name: str
    digest: str
    root: Node
    size: int = 0


def load(path: Path, report: Report, real: Path | None = None) -> Source:
    """Read and parse a file, which is at `real` if that is given. Raises `Refused` when there is no tree."""
    name = str(path)
    return source_of(_read(real or path, name, report), path, name, report)


def load_text(path: Path, report: Report, real: Path | None = None) -> Source:
    """Read a file as one text, whatever it holds. Raises like `load`."""
    name = str(path)
    return source_of_text(_read(real or path, name, report), path, name, report)


def source_of(data: bytes, path: Path, name: str, report: Report) -> Source:
    """What the bytes of a document are. Raises like `load`."""
    return Source(path, name, sha256(data).hexdigest(), parse(data, name, report), len(data))


def source_of_text(data: bytes, path: Path, name: str, report: Report) -> Source:
    """The bytes as one text. Raises like `load`."""
    text = _decode(data, name, report)
    place = Location(name, 1, 1)
    check_text(text, place, report)
    return Source(path, name, sha256(data).hexdigest(), Scalar(text, place), len(data))


def parse(data: bytes, name: str, report: Report) -> Node:
    """The tree of a YAML or JSON document, called `name` in its locations. Raises like `load`."""
    start = Location(name, 1, 1)
    text = _decode(data, name, report)
    root = _parse(text, name, report) if text.strip() else None
    if root is None:
        hint = "an AsyncAPI document begins with 'asyncapi: 3.0.0'"
        _refuse("empty-document", "the document is empty", start, report, hint)
    return root


def _parse(text: str, name: str, report: Report) -> Node | None:
    """As JSON if the name or the first character says so; what is not JSON may still be YAML."""
    begins = text.lstrip()
    named_json = name.lower().endswith(".json")
    if not named_json and not begins.startswith(("{", "[")):
        return read_yaml(text, name, report)
    failures: list[Refused] = []
    for read in (read_json,) if named_json else (read_json, read_yaml):
        attempt = report.scratch()
        try:
            root = read(text, name, attempt)
        except Refused as refused:
            failures.append(refused)
            if refused.diagnostics[-1].rule != "json-syntax":  # beyond the limits either way
                break
        else:
            report.extend(attempt.diagnostics)
            return root
    meant_json = named_json or re.match(r"[{\[]\s*[\"{\[]", begins)
    report.extend(failures[0 if meant_json else -1].diagnostics)
    raise Refused(report.diagnostics)


def _read(path: Path, name: str, report: Report) -> bytes:
    start = Location(name, 1, 1)
    try:
        with path.open("rb") as file:
            return file.read(report.limits.bytes + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: it names no file
        _refuse_other(name, report)
        near = suggestion(path.name, _documents(path.parent))
        hint = near or "a path is relative to the current folder"
        _refuse(
            "file-missing", "no such file, expected a YAML or JSON document", start, report, hint
        )
    except OSError as wrong:
        if os.path.isdir(path):
            inside = _documents(path)
            near = f", such as {path / inside[0]}" if inside else ""
            hint = f"name the document{near}"
            _refuse("file-is-folder", "this is a folder, expected a file", start, report, hint)
        reason = (wrong.strerror or str(wrong)).lower()
        hint = "give who runs this the right to read it"
        if wrong.errno == errno.ENAMETOOLONG:
            _refuse_other(name, report)
            start = Location(_cut(name), 1, 1)
            hint = "no file can have that name: check what is given as the document"
        _refuse("file-unreadable", f"the file cannot be read: {reason}", start, report, hint)


def _refuse_other(name: str, report: Report) -> None:
    """Refuse a name that is no file's but a URL, the text of a document, or that of standard input."""
    url = _URL.search(name)
    hint = "save the document to a file first, and name that"
    if url:
        scheme, rest = url.groups()
        name, what = f"{scheme}://{rest}", "this is a URL"
        if scheme.lower() == "file":
            name, hint = f"file:///{rest}", f"name the file itself: /{rest}"
        elif scheme.lower() in ("http", "https"):
            _, *below = re.split("[?#]", rest)[0].split("/")
            file = shlex.quote(below[-1] if below else "spec.yaml")
            hint = f"download it first, such as with: curl -fL -o {file} {shlex.quote(name)}"
    elif _TEXT.search(name):
        name, what, hint = (
            _cut(name),
            "this is the text of a document",
            hint.replace("document", "text"),
        )
    elif name == "-":
        what = "standard input is not read"
    else:
        return
    message = f"{what}, and a document is read from a file"
    _refuse("file-missing", message, Location(name, 1, 1), report, hint)


def _cut(name: str) -> str:
    """A name that may be as long as a document, as far as it helps to see it."""
    return name if len(name) <= _LONGEST_SHOWN else f"{name[: _LONGEST_SHOWN - 1]}…"


def _documents(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix in _SUFFIXES)
    except OSError:
        return []


def _decode(data: bytes, name: str, report: Report) -> str:
    most = report.limits.bytes
    if len(data) > most:
        size = f"{most // 1024**2} MiB" if most >= 1024**2 else f"{most:,} bytes"
        report.exceed("bytes", f"the document is larger than {size}", Location(name, 1, 1))
    encoding, mark = next(
        (name, begin[0]) for first, name in _ENCODINGS if (begin := re.match(first, data))
    )
    data = data[len(mark) :]
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as wrong:
        before = data[: wrong.start].decode(encoding)
        place = Places(before, name).at(len(before))
        message = f"the byte 0x{data[wrong.start]:02X} is not {encoding[:6].upper()}"
        _refuse("not-utf8", message, place, report, "save the file as UTF-8")
    found = list(islice(_FORBIDDEN.finditer(text), _FORBIDDEN_SHOWN))
    if found:
        places = Places(text, name)
        for bad in found:
            message = f"the character U+{ord(bad[0]):04X} cannot stand in a document"
            hint = "remove it, or write it as an escape in double quotes"
            report.error("forbidden-character", message, places.at(bad.start()), hint)
        raise Refused(report.diagnostics)
    return text


def _refuse(rule: str, message: str, location: Location, report: Report, hint: str) -> NoReturn:
    report.error(rule, message, location, hint)
    raise Refused(report.diagnostics)
