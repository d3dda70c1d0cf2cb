"""Diagnostics for machines: JSON, GitHub's workflow commands, SARIF 2.1.0; and the text for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Final

from .diagnostics import Diagnostic, Severity, escaped

_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(found: Sequence[Diagnostic], rules: Mapping[str, str]) -> str:
    """One diagnostic after the other, as everywhere else."""
    return "".join(f"{one}\n" for one in found)


def as_json(found: Sequence[Diagnostic], rules: Mapping[str, str]) -> str:
    """An object with every diagnostic and how many there are of each severity."""
    diagnostics = [
        {
            "rule": one.rule,
            "severity": str(one.severity),
            "message": one.message,
            "hint": one.hint,
            "file": one.location.file,
            "line": one.location.line,
            "column": one.location.column,
        }
        for one in found
    ]
    counts = {f"{kind}s": sum(one.severity is kind for one in found) for kind in Severity}
    return json_text({"diagnostics": diagnostics, **counts})


def as_github(found: Sequence[Diagnostic], rules: Mapping[str, str]) -> str:
    """Workflow commands, which GitHub shows beside the lines of a change."""
    lines = []
    for one in found:
        place = one.location
        where = {"file": place.file, "line": str(place.line), "col": str(place.column)}
        told = ",".join(
            f"{key}={_property(value)}" for key, value in (where | {"title": one.rule}).items()
        )
        text = "\n".join(escaped(part) for part in (one.message, one.hint) if part)
        lines.append(f"::{one.severity} {told}::{data(text)}\n")
    return "".join(lines)


def as_sarif(found: Sequence[Diagnostic], rules: Mapping[str, str]) -> str:
    """A SARIF 2.1.0 log of one run; `rules` holds the sentences of the rules that have one."""
    from importlib.metadata import version  # as slow as half a run that changes nothing

    ids = sorted({one.rule for one in found})
    driver = {
        "name": "aoba-gen",
        "version": version("aoba-gen"),
        "rules": [
            {"id": rule, "shortDescription": {"text": rules.get(rule, rule.replace("-", " "))}}
            for rule in ids
        ],
    }
    results = [
        {
            "ruleId": one.rule,
            "ruleIndex": ids.index(one.rule),
            "level": str(one.severity),
            "message": {"text": f"{one.message}; {one.hint}" if one.hint else one.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(one.location.file)},
                        "region": {
                            "startLine": one.location.line,
                            "startColumn": one.location.column,
                        },
                    }
                }
            ],
        }
        for one in found
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json_text({"$schema": _SARIF, "version": "2.1.0", "runs": [run]})


FORMATS: Final[Mapping[str, Callable[[Sequence[Diagnostic], Mapping[str, str]], str]]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}


def json_text(value: object) -> str:
    """A value as JSON for people and logs: what does not show is escaped, and no log takes a text for a command."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    shows = (c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    return "".join(shows).replace("##", "#\\u0023")


def data(text: str) -> str:
    """A text as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return data(text).replace(":", "%3A").replace(",", "%2C")


def _uri(file: str) -> str:
    path = PurePath(file)
    if path.is_absolute():
        return path.as_uri()
    from urllib.parse import quote

    return quote(path.as_posix())
