"""YAML as the same tree, with the types of YAML 1.2's core schema: the only import of yaml."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from aoba_gen.diagnostics import Location, Refused, Report, shown, suggestion
from aoba_gen.load_tree import (
    Array,
    Node,
    Object,
    Scalar,
    check_fields,
    check_items,
    check_text,
    duplicate_key,
    not_json,
    whole_text,
)
from aoba_gen.load_yaml_syntax import explain

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = "tag:yaml.org,2002:"
_MERGE = _STANDARD + "merge"

# The parser follows YAML 1.1, where these three end a line; in 1.2 they do not: they pass masked.
_BREAKS, _MASKS = "\x85\u2028\u2029", "\ufdd0\ufdd1\ufdd2"
_MASK, _UNMASK = str.maketrans(_BREAKS, _MASKS), str.maketrans(_MASKS, _BREAKS)

# The parser also stops at blank lines that hold a tab, which YAML allows.
_BLANK = re.compile(r"(?<![^\r\n])[ \t]+(?![^\r\n])")

_Value: TypeAlias = "str | int | float | bool | None"
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER = re.compile(
    r"(?P<int>[-+]?[0-9]+)|0o(?P<oct>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


def read_yaml(text: str, name: str, report: Report) -> Node | None:
    """The tree of a YAML text; None when it holds no document.

    Raises `Refused` at the first syntax error and beyond the limits; reads on after other errors.
    """
    masked = any(mark in text for mark in _BREAKS) and not any(mark in text for mark in _MASKS)
    try:
        return _Reader(text.translate(_MASK) if masked else text, masked, name, report).document()
    except yaml.MarkedYAMLError as wrong:
        stop = wrong.problem_mark
        assert stop is not None
        if "maximum nesting depth" in (wrong.problem or ""):
            place = Location(name, stop.line + 1, stop.column + 1)
            message = (
                "the brackets here stand deeper inside each other than the parser of YAML reads"
            )
            report.error(
                "limit-depth", message, place, "nest less deep: no limit can be raised here"
            )
            raise Refused(report.diagnostics) from None
        start = wrong.context_mark or stop
        lines = re.split(r"\r\n?|\n", text)
        line = lines[stop.line] if stop.line < len(lines) else ""
        if "\t" in line and not line.strip(" \t"):
            return read_yaml(_BLANK.sub(_spaces, text), name, report)
        said = f"{wrong.context or ''}: {wrong.problem}"
        fault = explain(lines, said, (start.line, start.column), (stop.line, stop.column))
        place = Location(name, fault.row + 1, fault.column + 1)
        report.error("yaml-syntax", fault.message, place, fault.hint)
        raise Refused(report.diagnostics) from None


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A node that an alias can repeat: a scalar's source text, how many nodes, how many levels."""

    node: Node
    text: str | None
    nodes: int
    levels: int


class _Reader:
    def __init__(self, text: str, masked: bool, name: str, report: Report) -> None:
        self._events: Iterator[Event] = yaml.parse(text, Loader=_LOADER)
        self._masked = masked
        self._name = name
        self._report = report
        self._anchors: dict[str, _Anchor | None] = {}  # None while the node is being read
        self._nodes = 0
        self._deepest = 0

    def document(self) -> Node | None:
        next(self._events)  # the start of the stream
        if not isinstance(next(self._events), DocumentStartEvent):
            return None
        event = next(self._events)
        root = self._node(event, 1)
        empty = isinstance(event, ScalarEvent) and not event.value and event.implicit[0]
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, StreamEndEvent):
            message = "a second document begins here, expected one document in a file"
            hint = "put each document in a file of its own; remove the '---'"
            self._report.error("yaml-documents", message, self._at(after), hint)
        return None if empty and isinstance(after, StreamEndEvent) else root

    def _node(self, event: Event, depth: int) -> Node:
        assert isinstance(event, NodeEvent)
        if isinstance(event, AliasEvent):
            return self._repeated(event, depth)
        nodes, deepest = self._nodes, self._deepest
        if event.anchor:
            self._anchors[event.anchor], self._deepest = None, depth
        self._count(1, depth, event)
        node: Node
        if isinstance(event, ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, MappingStartEvent):
            node = self._mapping(event, depth)
        else:
            assert isinstance(event, SequenceStartEvent)
            node = self._sequence(event, depth)
        if event.anchor:
            text = event.value if isinstance(event, ScalarEvent) else None
            levels = self._deepest - depth
            self._anchors[event.anchor] = _Anchor(node, text, self._nodes - nodes, levels)
            self._deepest = max(self._deepest, deepest)
        return node

    def _sequence(self, start: SequenceStartEvent, depth: int) -> Array:
        if start.tag not in (None, "!", _STANDARD + "seq"):
            self._unknown_tag(start.tag, "a list", "!!seq", self._at(start))
        items: list[Node] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
            check_items(len(items), items[-1].location, self._report)
        return Array(tuple(items), self._at(start))

    def _mapping(self, start: MappingStartEvent, depth: int) -> Object:
        if start.tag not in (None, "!", _STANDARD + "map"):
            self._unknown_tag(start.tag, "a mapping", "!!map", self._at(start))
        fields: dict[str, Node] = {}
        keys: dict[str, Location] = {}
        merged: set[str] = set()
        while not isinstance(event := next(self._events), MappingEndEvent):
            if _is_merge(event):
                for base in self._bases(next(self._events), depth):
                    new = [key for key in base.fields if key not in fields]
                    merged.update(new)
                    fields.update((key, base.fields[key]) for key in new)
                    keys.update((key, base.keys[key]) for key in new)
                    self._count(len(new), depth, event)
                check_fields(len(fields), self._at(event), self._report)
                continue
            name = self._key(event, depth)
            if name is not None:
                check_text(name, self._at(event), self._report, is_key=True)
            value = self._node(next(self._events), depth + 1)
            if name is None:
                continue
            if name in fields and name not in merged:
                duplicate_key(name, keys[name], self._at(event), self._report)
                continue
            merged.discard(name)
            fields[name], keys[name] = value, self._at(event)
            check_fields(len(fields), keys[name], self._report)
        return Object(fields, keys, self._at(start))

    def _key(self, event: Event, depth: int) -> str | None:
        """The source text of a scalar key; None, and an error, for any other."""
        if isinstance(event, ScalarEvent) and event.tag is None and event.anchor is None:
            return self._text(event)
        self._node(event, depth + 1)
        if isinstance(event, ScalarEvent):
            return self._text(event)
        if isinstance(event, AliasEvent):
            anchor = self._anchors.get(event.anchor or "")
            if anchor and anchor.text is not None:
                return anchor.text
        kind = "a mapping" if isinstance(event, MappingStartEvent) else "a list"
        message = f"{kind} cannot be a key, expected text"
        hint = "put quotes around a value that begins with '{' or '['"
        self._report.error("yaml-key", message, self._at(event), hint)
        return None

    def _bases(self, event: Event, depth: int) -> list[Object]:
        """What a merge key `<<` brings in, the first to win first."""
        node = self._node(event, depth + 1)
        bases = [node] if not isinstance(node, Array) else list(node.items)
        found = [base for base in bases if isinstance(base, Object)]
        if len(found) < len(bases):
            message = "'<<' merges mappings, expected a mapping or a list of mappings"
            hint = "put quotes around '<<' if it is a key like others"
            self._report.error("yaml-merge", message, self._at(event), hint)
        return found

    def _repeated(self, event: AliasEvent, depth: int) -> Node:
        name = event.anchor or ""
        place = self._at(event)
        anchor = self._anchors.get(name)
        if anchor:
            self._count(anchor.nodes, depth + anchor.levels, event)
            return anchor.node
        if name in self._anchors:
            message = f"the alias '*{name}' stands inside the node it repeats"
            hint = "refer to a schema that holds itself with $ref"
            self._report.error("yaml-recursive-alias", message, place, hint)
        else:
            message = f"the alias '*{name}' repeats nothing, expected an anchor '&{name}' above"
            hint = suggestion(name, self._anchors) or "put quotes around it if it is meant as text"
            self._report.error("yaml-undefined-alias", message, place, hint)
        return Scalar(None, place)

    def _text(self, event: ScalarEvent) -> str:
        if event.style != '"' and not self._masked:
            return event.value
        value = event.value.translate(_UNMASK) if self._masked else event.value
        return whole_text(value, self._at(event), self._report)

    def _scalar(self, event: ScalarEvent) -> Scalar:
        text, place = self._text(event), self._at(event)
        check_text(text, place, self._report)
        value: _Value = text
        if event.tag is not None:
            value = self._tagged(event.tag, text, place)
        elif event.implicit[0] and not event.style:
            value = _core(text)
        if isinstance(value, float) and not math.isfinite(value):
            not_json(text, place, self._report)
        return Scalar(value, place)

    def _tagged(self, tag: str, text: str, place: Location) -> _Value:
        value = _core(text)
        if tag in ("!", _STANDARD + "str"):
            return text
        if tag == _STANDARD + "float" and type(value) is int:
            return float(value)
        kind = {int: "int", float: "float", bool: "bool", type(None): "null"}.get(type(value))
        if tag == f"{_STANDARD}{kind}":
            return value
        if tag in [_STANDARD + known for known in ("int", "float", "bool", "null")]:
            message = f"{shown(text)} is not what its tag {_short(tag)} says"
            self._report.error("yaml-tag", message, place, "remove the tag or mend the value")
        else:
            expected = "!!str, !!int, !!float, !!bool, !!null"
            self._unknown_tag(tag, "a scalar", expected, place)
        return text

    def _unknown_tag(self, tag: str, kind: str, expected: str, place: Location) -> None:
        message = (
            f"the tag {shown(_short(tag))} is not known for {kind}, expected {expected} or none"
        )
        hint = "remove the tag, or put quotes around the value if '!' is part of its text"
        self._report.error("yaml-tag", message, place, hint)

    def _count(self, nodes: int, depth: int, event: Event) -> None:
        self._nodes += nodes
        self._deepest = max(self._deepest, depth)
        limits = self._report.limits
        if self._nodes > limits.nodes:
            repeats = ", its aliases expanded" if isinstance(event, AliasEvent) else ""
            message = f"the document has more than {limits.nodes:,} nodes{repeats}"
            self._report.exceed("nodes", message, self._at(event))
        if depth > limits.depth:
            message = f"the document nests deeper than {limits.depth} levels"
            self._report.exceed("depth", message, self._at(event))

    def _at(self, event: Event) -> Location:
        mark = event.start_mark
        assert mark is not None
        return Location(self._name, mark.line + 1, mark.column + 1)


def _core(text: str) -> _Value:
    """The value of a plain scalar by the core schema; infinity for a number too large to hold."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    try:
        match number.lastgroup:
            case "int":
                return int(text)
            case "oct":
                return int(number["oct"], 8)
            case "hex":
                return int(number["hex"], 16)
            case "float":
                return float(text)
            case _:
                return float(text.replace(".", ""))
    except ValueError:  # Python's own limit on the digits of a number
        return math.inf


def _is_merge(event: Event) -> bool:
    if not isinstance(event, ScalarEvent) or event.value != "<<":
        return False
    return event.tag == _MERGE or (event.tag is None and event.implicit[0] and not event.style)


def _spaces(blank: re.Match[str]) -> str:
    return " " * len(blank[0])


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_STANDARD) if tag.startswith(_STANDARD) else tag
