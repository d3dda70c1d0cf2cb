"""What is wrong, where, and how to mend it. Nothing here reads a document or ends the program."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final, NoReturn

from .limits import Limits, raising

_COMMAND: Final = re.compile(r"(?<=#)#(?=\[|vso\[)|^([^\S\n]*):(?=:)", re.MULTILINE | re.IGNORECASE)
"""What the logs of GitHub and Azure take for a command: `##[` and `##vso[` wherever they stand, `::` where a line begins."""
_MOST_CHOICES: Final = 8


class Severity(StrEnum):
    """Whether a run can still end well."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where a node begins: the file as the user named it, line and column counted from one."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: a kebab-case rule, what is wrong, where, and how to mend it."""

    rule: str
    message: str
    location: Location
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        kind = "warning: " if self.severity is Severity.WARNING else ""
        text = escaped(f"{self.location}: {kind}{self.message} [{self.rule}]")
        return f"{text}\n    hint: {escaped(self.hint)}" if self.hint else text


class Refused(Exception):
    """A document cannot be used; `diagnostics` says why, sorted by location."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = _ordered(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n".join(map(str, self.diagnostics))


class Report:
    """Collects the diagnostics of a run, so that all of them are shown at once.

    Warnings of the rules that are `disabled` are dropped. `limits` are those of the run; `slow_patterns` says whether
    messages may be checked against patterns that only Python's own engine runs. `begins` is told of each pass.
    """

    def __init__(
        self,
        disabled: Iterable[str] = (),
        limits: Limits = Limits(),
        slow_patterns: bool = False,
    ) -> None:
        self.disabled = frozenset(disabled)
        self.limits = limits
        self.slow_patterns = slow_patterns
        self.begins: Callable[[str], None] = lambda name: None
        self._diagnostics: list[Diagnostic] = []

    def error(self, rule: str, message: str, location: Location, hint: str) -> None:
        """Note something that makes the document unusable."""
        self._diagnostics.append(Diagnostic(rule, message, location, hint))

    def warn(self, rule: str, message: str, location: Location, hint: str) -> None:
        """Note something the user should know of that stops nothing."""
        if rule not in self.disabled:
            self._diagnostics.append(Diagnostic(rule, message, location, hint, Severity.WARNING))

    def exceed(self, limit: str, message: str, location: Location) -> NoReturn:
        """Raise `Refused` with all so far, and with what goes beyond the limit of that name."""
        self.error(f"limit-{limit}", message, location, raising(limit))
        raise Refused(self._diagnostics)

    def scratch(self) -> Report:
        """An empty report under the same rules and limits."""
        made = Report(self.disabled, self.limits, self.slow_patterns)
        made.begins = self.begins
        return made

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Take over diagnostics made elsewhere."""
        self._diagnostics.extend(diagnostics)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Everything noted so far, sorted by location, each once."""
        return _ordered(self._diagnostics)

    def raise_errors(self) -> None:
        """Raise `Refused` with every diagnostic so far if at least one is an error."""
        if any(found.severity is Severity.ERROR for found in self._diagnostics):
            raise Refused(self._diagnostics)


def shown(value: object, limit: int = 60) -> str:
    """An offending value for a message: on one line, quoted, escaped, at most `limit` long."""
    text = _rendered(value, limit, depth=3)
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 3
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest of the `known` words as "did you mean 'x'?", or "" when nothing is near."""
    if len(word) > 100:  # not a slip of the pen, and slow to compare
        return ""
    from difflib import get_close_matches  # only a run that fails pays for it

    spelled = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), spelled, n=1)
    return f"did you mean {shown(spelled[near[0]])}?" if near else ""


def choice(word: str, known: Iterable[str], otherwise: str) -> str:
    """The nearest of the `known` words, else all of them, else `otherwise`: what a hint says of a word that is none."""
    words = list(known)
    listed = ", ".join(map(shown, words[:_MOST_CHOICES])) + (", …" if words[_MOST_CHOICES:] else "")
    return suggestion(word, words) or (f"known are {listed}" if words else otherwise)


def escaped(text: str) -> str:
    """The text on one line: control, bidirectional and invisible characters escaped, and nothing in it a command."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return commanding_nothing(text)


def commanding_nothing(text: str) -> str:
    """The text with an escape, which a Python literal reads as the same, where a log would take it for a command."""
    if "##" not in text and "::" not in text:
        return text
    return _COMMAND.sub(lambda found: f"{found[1] or ''}\\x{ord(found[0][-1]):02x}", text)


def _rendered(value: object, limit: int, depth: int) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return str.__repr__(value if len(value) <= 2 * limit else value[:limit] + value[-limit:])
    if isinstance(value, Mapping):
        pairs = (
            f"{_rendered(k, limit, depth - 1)}: {_rendered(v, limit, depth - 1)}"
            for k, v in value.items()
        )
        return _listed("{", pairs, len(value), "}", depth)
    if isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, (bytes, bytearray)):
        items = (_rendered(item, limit, depth - 1) for item in value)
        return _listed("[", items, len(value), "]", depth)
    return escaped(repr(value))


def _listed(opener: str, items: Iterable[str], length: int, closer: str, depth: int) -> str:
    if depth <= 0 and length:
        return f"{opener}…{closer}"
    few = list(islice(items, 8))
    return opener + ", ".join(few if length <= 8 else [*few, "…"]) + closer


def _ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(dict.fromkeys(diagnostics), key=lambda found: found.location))
