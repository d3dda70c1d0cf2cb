"""Our verdict on public documents, and on random changes of them, beside that of the official JSON Schemas.

    python tests/official.py [MUTATIONS]     # prints the table of disagreements, each with what causes it

A mutation deletes, renames, adds or replaces one thing in a document. The official schema looks at the document as it lies
there and follows no reference; we follow them, and hold what they lead to against the tables.
"""

from __future__ import annotations

import copy
import json
import random
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
from aoba_gen.diagnostics import Location, Refused, Report, Severity
from aoba_gen.limits import Limits
from aoba_gen.load import Array, Node, Object, Scalar, Source, load, plain
from aoba_gen.pipeline import check
from aoba_gen.versions import SUPPORTED_VERSIONS
from jsonschema.exceptions import ValidationError

CORPUS: Final = Path(__file__).resolve().parents[2] / "shared" / "corpus"
SEED: Final = 5


@dataclass(frozen=True)
class Verdict:
    """What one document is to both: the rules of our errors, and what the official schema complains of first."""

    name: str
    ours: tuple[str, ...]
    theirs: ValidationError | None
    warned: tuple[str, ...] = ()
    said: str = ""
    beside_reference: bool = False

    @property
    def agree(self) -> bool:
        return bool(self.ours) == (self.theirs is not None)


def documents() -> Iterator[tuple[Path, Any]]:
    """Every document of a version with an official schema, as plain data."""
    for folder in ("documents", "refused"):
        for place in sorted((CORPUS / folder).rglob("*")):
            if place.suffix in (".json", ".yml", ".yaml"):
                try:
                    data = plain(load(place, Report()).root)
                except Refused:
                    continue
                if isinstance(data, dict) and data.get("asyncapi") in SUPPORTED_VERSIONS:
                    yield place, data


def judge(place: Path, data: Any, name: str) -> Verdict:
    """Both verdicts on `data`, which lies at `place`, or would."""
    report = Report()
    try:
        check(Source(place, str(place), "", _node(data, place.name)), report)
        found = report.diagnostics
    except Refused as refused:
        found = refused.diagnostics
    rules = {kind: [one.rule for one in found if one.severity is kind] for kind in Severity}
    return Verdict(
        name,
        tuple(dict.fromkeys(rules[Severity.ERROR])),
        _first(data),
        tuple(dict.fromkeys(rules[Severity.WARNING])),
        next((one.message for one in found if one.severity is Severity.ERROR), ""),
        _beside_reference(data, _first(data)),
    )


def mutations(originals: list[tuple[Path, Any]], many: int) -> Iterator[tuple[Path, Any, str]]:
    """Seeded changes of random documents, and in words what was changed."""
    chosen = random.Random(SEED)
    for _ in range(many):
        place, data = chosen.choice(originals)
        changed = copy.deepcopy(data)
        yield place, changed, _mutate(changed, chosen)


def cause(verdict: Verdict) -> str:
    """Why the two disagree, in the words of docs/validation.md; "" where nobody has said why yet."""
    if verdict.theirs is None:
        if re.match(r"'(headers|payload)' of message", verdict.said):
            return _WRAPPER
        return next((OURS[rule] for rule in verdict.ours if rule in OURS), "")
    error = verdict.theirs
    path = [str(step) for step in error.absolute_path]
    return next((words for words, test in THEIRS.items() if test(verdict, path, error)), "")


_REFERENCES: Final = "a reference leads nowhere, and they follow none"
_LED: Final = "a reference leads to an object of another kind, and they follow none"
_RULE: Final = (
    "the specification demands it in words: rules channel-address, operation-channel, operation-message"
)
_WRAPPER: Final = "a wrapper holds `schemaFormat` and `schema` and nothing else"
OURS: Final = {
    "ref-dangling": _REFERENCES,
    "ref-file": _REFERENCES,
    "ref-outside": _REFERENCES,
    "ref-cycle": _REFERENCES,
    "remote-ref": _REFERENCES,
    "ref-not-text": "a `$ref` is no text, and their schema takes the object for something else",
    "channel-address": _RULE,
    "operation-channel": _RULE,
    "operation-message": _RULE,
    "wrong-type": "an object should stand here, and their schema says so of objects only",
    "misplaced-reference": "a reference stands for a map of components, whose entries they look at by name",
    "unknown-field": _LED,
    "missing-field": _LED,
}
"""Why we refuse what they take, by the rule."""
THEIRS: Final[dict[str, Callable[[Verdict, list[str], ValidationError], bool]]] = {
    "a parameter is a reference, which their 2.0 to 2.4 schemas take for two things at once": (
        lambda verdict, path, error: "parameters" in path and error.validator == "oneOf"
    ),
    "bindings are open to us: each protocol has its own specification": (
        lambda verdict, path, error: any(step.lower().endswith("bindings") for step in path)
    ),
    "what stands beside a `$ref` does not count": (
        lambda verdict, path, error: verdict.beside_reference
    ),
    "a later minor version has it, and we warn": (
        lambda verdict, path, error: "newer-version" in verdict.warned
    ),
    "a list holds something twice, which harms nobody; we warn where a name is meant": (
        lambda verdict, path, error: error.validator == "uniqueItems"
    ),
    "headers are of another type than object, and we warn": (
        lambda verdict, path, error: "headers" in path and error.validator == "const"
    ),
    "`true` and `false` are schemas, also as a payload or headers": (
        lambda verdict, path, error: isinstance(error.instance, bool)
    ),
    "schemas of OpenAPI are open to us, as all schemas are": (
        lambda verdict, path, error: error.validator == "additionalProperties" and "payload" in path
    ),
    "your own fields begin with `x-`, also in an example of a message": (
        lambda verdict, path, error: "examples" in path and "'x-" in error.message
    ),
}
"""Why they refuse what we take: a test of their complaint."""


def _first(data: Any) -> ValidationError | None:
    """The deepest complaint of the official schema; that something is no reference is none where it may be more."""
    if "asyncapi" not in data:
        return None
    error = next(_official(data["asyncapi"]).iter_errors(data), None)
    while error is not None and error.context:
        telling = [one for one in error.context if "'$ref' is a required" not in one.message]
        error = max(telling or error.context, key=lambda one: len(one.absolute_path))
    return error


def _beside_reference(data: Any, error: ValidationError | None) -> bool:
    """Whether a complaint is about something beside a `$ref`, or below that."""
    for step in error.absolute_path if error else ():
        if isinstance(data, dict) and isinstance(data.get("$ref"), str):
            return True
        data = data[step]
    return isinstance(data, dict) and isinstance(data.get("$ref"), str)


@cache
def _official(version: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(
        json.loads((CORPUS / "schemas" / f"{version}.json").read_text())
    )


def _node(data: Any, name: str) -> Node:
    """The tree that reading `data` would give; where things stand is of no interest here."""
    start = Location(name, 1, 1)
    if isinstance(data, dict):
        fields = {key: _node(value, name) for key, value in data.items()}
        return Object(fields, dict.fromkeys(fields, start), start)
    if isinstance(data, list):
        return Array(tuple(_node(value, name) for value in data), start)
    return Scalar(data, start)


def _holders(data: Any) -> Iterator[Any]:
    """Every object and list that is not empty."""
    if isinstance(data, (dict, list)) and data:
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from _holders(value)


_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "text",
    [],
    {},
    ["text"],
    {"text": "text"},
    [{}],
)


def _mutate(data: Any, chosen: random.Random) -> str:
    holder = chosen.choice(list(_holders(data)))
    key = chosen.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    if key == "asyncapi":
        return "nothing"
    kind = chosen.choice(("delete", "replace", "rename", "add", "swap"))
    if kind == "delete":
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        holder[f"{key}s"] = holder.pop(key)
    elif kind == "add" and isinstance(holder, dict):
        key = chosen.choice(("extra", "x-extra", "description", "tags", "$ref", "type", "name"))
        holder[key] = chosen.choice(_VALUES)
    elif kind == "swap":  # the value of another key, or of another object's key of that name
        others = [one for one in _holders(data) if isinstance(one, dict)]
        other = chosen.choice(others)
        holder[key] = copy.deepcopy(other[chosen.choice(list(other))])
    else:
        holder[key] = copy.deepcopy(chosen.choice(_VALUES))
    return f"{kind} {key!r}"


def disagreements(many: int) -> tuple[int, list[Verdict]]:
    """How many were judged, and on which the two disagree."""
    sys.setrecursionlimit(Limits().recursion)
    warnings.simplefilter("ignore")
    given = list(documents())
    judged = [judge(place, data, place.name) for place, data in given]
    taken = [one for one, verdict in zip(given, judged) if verdict.agree and verdict.theirs is None]
    judged += [
        judge(place, data, f"{place.name}: {what}") for place, data, what in mutations(taken, many)
    ]
    return len(judged), [verdict for verdict in judged if not verdict.agree]


def main() -> None:
    """Print how many documents of each cause there are, and those without one."""
    count, found = disagreements(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
    print(f"{count} documents, {len(found)} verdicts differ")
    for (refused_by, words), many in Counter(
        ("they refuse" if one.theirs else "we refuse", cause(one)) for one in found
    ).most_common():
        print(f"{many:5} {refused_by}: {words or 'no cause known'}")
    for one in found:
        if not cause(one):
            error = one.theirs
            said = (
                f"{'/'.join(map(str, error.absolute_path))}: {error.message[:150]} ({error.validator})"
                if error
                else ""
            )
            print(f"{one.name}\n    we: {one.ours} {one.said}\n    they: {said}")


if __name__ == "__main__":
    main()
