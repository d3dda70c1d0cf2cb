"""JSON text as a tree, to the exact place of each fault."""

from __future__ import annotations

import json
import math
import re
from typing import Final, NoReturn

from aoba_gen.diagnostics import Location, Refused, Report, shown
from aoba_gen.load_tree import (
    Array,
    Node,
    Object,
    Places,
    Scalar,
    check_fields,
    check_items,
    check_text,
    duplicate_key,
    not_json,
    whole_text,
)

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_TOKEN: Final = re.compile(r'"[^"\n\r]*"?|[\w.+-]+|.|', re.DOTALL)
_REMEDIES: Final = {
    "True": "write true",
    "False": "write false",
    "None": "write null",
    "undefined": "write null",
    "'": 'JSON puts text in double quotes: "…"',
    "/": "JSON has no comments; remove it",
    "#": "JSON has no comments; remove it",
}


_QUOTE_IT: Final = 'text stands in double quotes: "…"'


def read_json(text: str, name: str, report: Report) -> Node:
    """The tree of a JSON text. Raises `Refused` at the first syntax error and beyond the limits."""
    return _Reader(text, name, report).document()


class _Reader:
    def __init__(self, text: str, name: str, report: Report) -> None:
        self._text = text
        self._report = report
        self._places = Places(text, name)
        self._scan = json.JSONDecoder(parse_constant=float).raw_decode
        self._nodes = 0
        self._open: list[int] = []  # where the objects and arrays around the current node begin

    def document(self) -> Node:
        root, at = self._value(self._skip(0))
        at = self._skip(at)
        if at < len(self._text):
            self._expected("the end of the file", at, "a JSON file holds one value")
        return root

    def _value(self, at: int) -> tuple[Node, int]:
        self._nodes += 1
        limits = self._report.limits
        if self._nodes > limits.nodes:
            self._exceed("nodes", f"the document has more than {limits.nodes:,} nodes", at)
        if len(self._open) >= limits.depth:
            self._exceed("depth", f"the document nests deeper than {limits.depth} levels", at)
        opener = self._text[at : at + 1]
        if opener != "{" and opener != "[":
            return self._scalar(at)
        self._open.append(at)
        node, end = self._object(at) if opener == "{" else self._array(at)
        self._open.pop()
        return node, end

    def _object(self, opened: int) -> tuple[Node, int]:
        fields: dict[str, Node] = {}
        keys: dict[str, Location] = {}
        at = self._skip(opened + 1)
        while not self._text.startswith("}", at) or fields:
            place = self._places.at(at)
            key, at = self._key(at)
            value, at = self._value(at)
            if key in fields:
                duplicate_key(key, keys[key], place, self._report)
            else:
                fields[key], keys[key] = value, place
                check_fields(len(fields), place, self._report)
            at = self._skip(at)
            if self._text.startswith("}", at):
                break
            at = self._comma("}", at)
        return Object(fields, keys, self._places.at(opened)), at + 1

    def _array(self, opened: int) -> tuple[Node, int]:
        items: list[Node] = []
        at = self._skip(opened + 1)
        while not self._text.startswith("]", at) or items:
            value, at = self._value(at)
            items.append(value)
            check_items(len(items), value.location, self._report)
            at = self._skip(at)
            if self._text.startswith("]", at):
                break
            at = self._comma("]", at)
        return Array(tuple(items), self._places.at(opened)), at + 1

    def _key(self, at: int) -> tuple[str, int]:
        if not self._text.startswith('"', at):
            self._expected("a key", at, 'a key stands in double quotes: "…"')
        begin = at
        key, at = self._string(at)
        if len(key) > self._report.limits.name:
            check_text(key, self._places.at(begin), self._report, is_key=True)
        at = self._skip(at)
        if not self._text.startswith(":", at):
            self._expected(f"':' after the key {shown(key)}", at, 'write "key": value')
        return key, self._skip(at + 1)

    def _comma(self, closer: str, at: int) -> int:
        if not self._text.startswith(",", at):
            self._expected(f"',' or '{closer}'", at, "put a comma before it")
        return self._skip(at + 1)

    def _scalar(self, at: int) -> tuple[Scalar, int]:
        value: str | int | float | bool | None
        if self._text.startswith('"', at):
            value, end = self._string(at)
            place = self._places.at(at)
            check_text(value, place, self._report)
            return Scalar(value, place), end
        try:
            value, end = self._scan(self._text, at)
        except json.JSONDecodeError:
            self._expected("a value", at, _QUOTE_IT)
        except ValueError:  # Python's own limit on the digits of a number
            value, end = math.inf, at + len(self._token(at))
        if isinstance(value, float) and not math.isfinite(value):
            not_json(self._text[at:end], self._places.at(at), self._report)
        return Scalar(value, self._places.at(at)), end

    def _string(self, at: int) -> tuple[str, int]:
        try:
            value, end = self._scan(self._text, at)
        except json.JSONDecodeError as wrong:
            self._bad_string(at, wrong)
        return whole_text(str(value), self._places.at(at), self._report), end

    def _bad_string(self, at: int, wrong: json.JSONDecodeError) -> NoReturn:
        if wrong.msg.startswith("Unterminated") or self._text[wrong.pos] in "\r\n":
            message = "this text has no closing '\"' on its line"
            hint = "close it; a line break inside a text is written \\n"
            self._refuse("json-syntax", message, at, hint)
        if wrong.msg.startswith("Invalid control"):
            message = f"{shown(self._text[wrong.pos])} cannot stand in a text as it is"
            self._refuse("json-syntax", message, wrong.pos, "write a tab as \\t")
        slash = self._text.rindex("\\", at, wrong.pos + 1)
        message = f"{self._text[slash : slash + 2]} begins no escape that JSON knows"
        hint = "write \\\\ for a backslash; \\u needs four hexadecimal digits"
        self._refuse("json-syntax", message, slash, hint)

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _token(self, at: int) -> str:
        found = _TOKEN.match(self._text, at)
        return found[0] if found else ""

    def _expected(self, wanted: str, at: int, hint: str) -> NoReturn:
        token = self._token(at)
        if token in ("}", "]") and self._text[:at].rstrip().endswith(","):
            hint = "remove the comma before it"
        elif not token and self._open:
            opened = self._open[-1]
            hint = f"the '{self._text[opened]}' at {self._places.at(opened)} is not closed"
        found = shown(token) if token else "the end of the file"
        hint = _REMEDIES.get(token, hint)
        self._refuse("json-syntax", f"expected {wanted}, found {found}", at, hint)

    def _refuse(self, rule: str, message: str, at: int, hint: str) -> NoReturn:
        self._report.error(rule, message, self._places.at(at), hint)
        raise Refused(self._report.diagnostics)

    def _exceed(self, limit: str, message: str, at: int) -> NoReturn:
        self._report.exceed(limit, message, self._places.at(at))
