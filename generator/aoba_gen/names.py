"""The only place that makes Python names; two things of one name are a diagnostic, never a silent suffix.

Schemas, properties and enum values that would share a name are told apart by rule, and a warning names both:
the one that is spelled like the Python name has it, else the first; the other keeps its own spelling where that is a
name, else it gets the number 2, or the next that is free. Whatever else shares a name is refused.

An inline schema is called after where it stands: its owner and the property, "Item" for the items of a list that are
classes or unions, "Value" for the values of a map, and in a union its title, its constant or its first property.
"""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from itertools import chain, count
from typing import Final

from .diagnostics import Location, Report, shown

_IMPORTED: Final = frozenset(
    {"annotated_types", "aoba_runtime", "pydantic", "pydantic_core", "typing_extensions"}
)
_FACTORIES: Final = frozenset({"by_default", "new_uuid", "now_milliseconds"})
_TYPES: Final = frozenset({"bool", "dict", "float", "int", "list", "str"})
_SIGNS: Final = {"-": "MINUS", "+": "PLUS"}
_CONTROLS: Final = {"\t": "TAB", "\n": "LF", "\r": "CR"}
_ENUM_ATTRIBUTES: Final = frozenset({"mro"})
_MODEL_ATTRIBUTES: Final = frozenset("""
    construct copy dict from_orm json parse_file parse_obj parse_raw schema schema_json update_forward_refs validate
    """.split())


def words(text: str) -> list[str]:
    """The words of a document name, whatever its case: "sdpMLineIndex" is sdp, M, Line, Index; "v2Beta" is v2, Beta."""
    text = unicodedata.normalize("NFKC", text)
    found = [""]
    for before, char, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if not f"a{char}".isidentifier() or char == "_":
            found.append("")
            continue
        begins = char.isupper() and (not before.isupper() or after.islower())
        if begins and found[-1]:
            found.append("")
        found[-1] += char
    return [word for word in found if word]


def snake(text: str) -> str:
    """`text` as a name for a function, a variable or a field: "sendIceCandidate" is send_ice_candidate."""
    return _safe("_".join(word.lower() for word in words(text)))


def constant(text: str) -> str:
    """`text` as a name for a constant or an enum member: "call:ice-candidate" is CALL_ICE_CANDIDATE."""
    return _safe("_".join(word.upper() for word in words(text)))


def pascal(text: str) -> str:
    """`text` as a name for a class; one that is a fitting class name already stays as it is."""
    text = unicodedata.normalize("NFKC", text)
    if text.isidentifier() and text[0].isupper() and "_" not in text:
        return _safe(text)
    return _safe("".join(word[0].upper() + word[1:] for word in words(text)))


def field(text: str) -> str:
    """`text` as a name for a model's field: public, and none that pydantic or the field's own type needs."""
    name = snake(text)
    if name.startswith("_"):
        name = f"field{name}"
    taken = name in _MODEL_ATTRIBUTES | _TYPES | _FACTORIES or name.startswith("model_")
    return f"{name}_" if taken else name


def member(value: str) -> str:
    """An enum value as the name of its member: "1m" is V1M, "-1" is MINUS_1, "+" is PLUS_SIGN, "" is EMPTY."""
    if not value:
        return "EMPTY"
    found = constant(value).strip("_") if words(value) else ""
    if not found:
        return constant(" ".join(_called(char) for char in value[:4]))
    if value[0] in _SIGNS and found[0].isdigit():
        return f"{_SIGNS[value[0]]}_{found}"
    if not found.isidentifier() or found in _ENUM_ATTRIBUTES:
        return f"V{found}" if f"V{found}".isidentifier() else f"V_{found}"
    return _safe(found)


def either(python: str, name: str) -> tuple[str, ...]:
    """The name of a field or an enum member, and the document's own spelling where that will do if it is taken.

    "E" is E_ then, as E may be a class.
    """
    own = unicodedata.normalize("NFKC", name)
    if not own.isidentifier() or own[0] == "_" or keyword.iskeyword(own) or hasattr(str, own):
        return (python,)
    if own in _MODEL_ATTRIBUTES | _TYPES | _FACTORIES:
        return (python,)
    return python, f"{own}_" if own[0].isupper() or own in ("name", "value") else own


def _called(char: str) -> str:
    """What a character is called in Unicode, or among those that control a terminal."""
    return _CONTROLS.get(char, unicodedata.name(char, f"U{ord(char):04X}"))


def package(title: str) -> str:
    """The package that a document's title asks for, in snake_case without a trailing "API"."""
    return snake(_without_api(title))


def is_long(name: str) -> bool:
    """Whether a folder of that name is more than file systems take, with what is written beside it (255 bytes)."""
    return len(name.encode()) > 200


def shortened(name: str) -> str:
    """The words of `name` that fit into a folder's name, or else its first letters."""
    fitting = name.encode()[:100].decode(errors="ignore")
    return fitting.rpartition("_")[0].strip("_") or fitting


def is_taken_module(name: str) -> bool:
    """Whether a package of that name would hide a module that generated code needs, or has no letter in it."""
    return name in sys.stdlib_module_names or name in _IMPORTED or not name.strip("_")


def client(title: str) -> str:
    """The client class that a document's title asks for."""
    return pascal(_without_api(title)) + "Client"


def _without_api(title: str) -> str:
    return re.sub(r"\s+API$", "", title.strip(), flags=re.IGNORECASE)


def _safe(name: str) -> str:
    """`name`, made an identifier that is no keyword, as Python itself normalises it."""
    name = unicodedata.normalize("NFKC", name)
    if not name.isidentifier():
        name = f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


class Scope:
    """Python names that must differ from each other, such as the members of one class."""

    def __init__(self, what: str, report: Report, taken: frozenset[str] = frozenset()) -> None:
        self._what = what
        self._report = report
        self._reserved = taken
        self._claims: dict[str, tuple[str, Location]] = {}

    def claim(self, python: str, name: str, location: Location) -> str:
        """Keep `python` for what the document calls `name`; reports a clash with both places. Returns `python`."""
        hint = "give one of them another name in the document"
        if python in self._reserved:
            message = f"{shown(name)} becomes {python!r} in {self._what}, which generated code needs itself"
            self._report.error(
                "name-clash", message, location, "give it another name in the document"
            )
        elif python in self._claims and self._claims[python][1] != location:
            other, place = self._claims[python]
            message = (
                f"{shown(name)} and {shown(other)} ({place}) both become {python!r} in {self._what}"
            )
            self._report.error("name-clash", message, location, hint)
        else:
            self._claims[python] = (name, location)
        return python

    def settle(self, name: str, location: Location, *candidates: str, quiet: bool = False) -> str:
        """Keep the first free one of `candidates`, then of numbered ones, for what the document calls `name`.

        Reports by a warning when that is not the first of them, unless `quiet`. Returns the name kept.
        """
        first = candidates[0]
        numbered = (f"{first}_{number}" for number in count(2))
        python = next(
            python
            for python in chain(candidates, numbered)
            if python not in self._reserved and python not in self._claims
        )
        self._claims[python] = (name, location)
        if python != first and not quiet:
            holder = (
                "{} ({})".format(shown(self._claims[first][0]), self._claims[first][1])
                if first in self._claims
                else "generated code itself"
            )
            turns = "stays" if python == name else "becomes"
            self._report.warn(
                "name-clash-resolved",
                f"{shown(name)} {turns} {python!r} in {self._what}: {holder} has the name {first!r}",
                location,
                "give it another name in the document if this one does not suit you",
            )
        return python

    def reserve(self, python: str, name: str, location: Location) -> None:
        """Keep a name that something else has given to `name` already."""
        self._claims[python] = (name, location)
