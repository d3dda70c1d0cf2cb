"""What a YAML syntax error means to its writer. Knows the parser's words, not the parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from aoba_gen.diagnostics import shown


@dataclass(frozen=True, slots=True)
class Fault:
    """A syntax error as we tell it: what, how to mend it, and where, counted from zero."""

    message: str
    hint: str
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class _Place:
    row: int
    column: int
    line: str  # the whole line

    def before(self) -> str:
        return self.line[: self.column]

    def rest(self) -> str:
        return self.line[self.column :].rstrip()

    def fault(self, message: str, hint: str) -> Fault:
        return Fault(message, hint, self.row, self.column)


_QUOTE_IT: Final = "put quotes around the value if it is meant as text"
_CLOSERS: Final = {"[": "]", "{": "}"}

# The parser's words; True to point at what it was reading, False at where it stopped; our message
# and hint, with {} for the character at that place.
_FAULTS: Final = (
    (r"quoted scalar.*(end of|document)", True, "this text has no closing {}", "close it with {}"),
    (r"scanning an alias", True, "'*' begins an alias, expected its name", _QUOTE_IT),
    (r"scanning an anchor", True, "'&' begins an anchor, expected its name", _QUOTE_IT),
    (r"\btag\b", True, "'!' begins a tag, and this one is not known", _QUOTE_IT),
    (r"start any token", False, "an unquoted value cannot begin with '{}'", _QUOTE_IT),
    (
        r"sequence entries are not allowed",
        False,
        "a list cannot begin on the line of its key",
        "begin the list on the next line, or write it as [a, b]",
    ),
    (
        r"scanning a block scalar",
        False,
        "'{}' cannot stand after '|' or '>'",
        "begin the text on the next line, indented",
    ),
    (
        r"incompatible YAML",
        False,
        "this version of YAML is not known, expected 1.2",
        "remove the %YAML line",
    ),
    (r"directive", True, "'%' begins a directive here, and this one is not known", _QUOTE_IT),
    (
        r"<?document start>?",
        False,
        "expected '---' or the end of the file",
        "remove what follows the '...', or put '---' before it",
    ),
)


def explain(lines: list[str], said: str, start: tuple[int, int], stop: tuple[int, int]) -> Fault:
    """Turn the parser's words, and where it began and stopped reading, into ours."""
    begun, stopped = _place(lines, *start), _place(lines, *stop)
    if stopped.line.startswith("\t", stopped.column):
        message = (
            "a tab indents this line"
            if not stopped.before().strip()
            else "a tab stands where YAML expects a space"
        )
        return stopped.fault(message, "YAML forbids tabs for indentation; use spaces")
    if "mapping values are not allowed" in said:
        return _unexpected_colon(lines, stopped)
    if "simple key" in said:
        return _missing_space(begun) or _missing_colon(begun)
    if "flow" in said:
        return _flow(begun, stopped, said)
    if re.search("escape|hexa?decimal", said):
        return _escape(stopped)
    for words, at_begun, message, hint in _FAULTS:
        if re.search(words, said):
            place = begun if at_begun else stopped
            sign = place.rest()[:1]
            return place.fault(message.format(sign), hint.format(sign))
    if "block" in said:
        return _block(begun, stopped)
    return stopped.fault(said.removeprefix(": "), _QUOTE_IT)


def _place(lines: list[str], row: int, column: int) -> _Place:
    return _Place(row, column, lines[row] if row < len(lines) else "")


def _unexpected_colon(lines: list[str], stopped: _Place) -> Fault:
    twice = re.match(r"\s*(?:- +)*(?P<key>[^\s#][^:]*):\s+[^\s#]", stopped.before())
    if twice:
        message = f"the unquoted value of {shown(twice['key'].rstrip())} holds a colon and a space"
        return stopped.fault(message, "put quotes around the value")
    row = stopped.row
    while row > 0:
        row -= 1
        if lines[row].strip():
            break
    above = _place(lines, row, len(lines[row]) - len(lines[row].lstrip()))
    indented = len(stopped.line) - len(stopped.line.lstrip())
    here = _place(lines, stopped.row, indented)
    if above.row == here.row:
        return here.fault("a key cannot stand here", "begin it on a line of its own")
    if _missing_space(above) is None and re.search(r":\s+[^\s#]", above.line):
        message = "a key cannot stand here: the line above has a value already"
        hint = "indent both lines alike, or put quotes around a text of several lines"
        return here.fault(message, hint)
    return _missing_space(above) or _missing_colon(above)


def _missing_space(place: _Place) -> Fault | None:
    """`key:value` or `-item`, which YAML reads as one text."""
    found = re.match(
        r"(?:- +)*(?:(?P<dash>-)(?=[^\s-])|[^\s:#'\"\[{]+(?P<colon>:)(?=[^\s/]))", place.rest()
    )
    if found is None:
        return None
    sign, name = ("-", "dash") if found["dash"] else (":", "colon")
    column = place.column + found.start(name)
    message = f"no space after the {name} in {shown(place.rest())}"
    return Fault(message, f"write '{sign} ' with a space", place.row, column)


def _missing_colon(place: _Place) -> Fault:
    message = f"expected 'key: value', found {shown(place.rest())}"
    return place.fault(message, "put quotes around a text of several lines, or begin it with '|'")


def _flow(begun: _Place, stopped: _Place, said: str) -> Fault:
    found = shown(stopped.rest(), 30) if stopped.rest() else "the end of the file"
    opener = begun.rest()[:1]
    if "flow node" in said or opener not in _CLOSERS:
        return stopped.fault(f"expected a value, found {found}", _QUOTE_IT)
    if not stopped.rest():
        return begun.fault(
            f"this '{opener}' is never closed", f"close it with '{_CLOSERS[opener]}'"
        )
    message = f"expected ',' or '{_CLOSERS[opener]}', found {found}"
    hint = f"the '{opener}' at line {begun.row + 1}, column {begun.column + 1} is still open"
    return stopped.fault(message, hint)


def _escape(stopped: _Place) -> Fault:
    column = max(stopped.line.rfind("\\", 0, stopped.column + 1), 0)
    found = re.match(r"\\(?:[xuU][0-9a-fA-F]*|.?)", stopped.line[column:])
    message = f"the escape {found[0] if found else ''} stands for no character"
    hint = "write the character itself, or \\\\ for a backslash, or use single quotes"
    return Fault(message, hint, stopped.row, column)


def _block(begun: _Place, stopped: _Place) -> Fault:
    found = shown(stopped.rest(), 30)
    if stopped.before().strip():
        if stopped.before().rstrip().endswith(("'", '"')):
            hint = """inside "…" write \\" for a quote, inside '…' write ''"""
            return stopped.fault(f"unexpected {found} after the closing quote", hint)
        return stopped.fault(f"unexpected {found}", _QUOTE_IT)
    if begun.line.startswith("- ", begun.column):
        message = f"expected '- ' as in the list begun on line {begun.row + 1}, found {found}"
        return stopped.fault(message, "indent the lines of an item further than its '-'")
    if stopped.rest().startswith("- "):
        message = f"a list item cannot stand among keys, found {found}"
        return stopped.fault(message, "indent it below the key it belongs to")
    message = f"the indentation of {found} fits no line above"
    return stopped.fault(message, "the keys of one mapping begin in the same column")
