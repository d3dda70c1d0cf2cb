"""What was found between two documents: as text, JSON, GitHub commands, SARIF, and as a comment in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from .compare import RULES
from .compare_model import Verdict
from .compare_result import Change, Comparison, counts
from .diagnostics import Diagnostic, Severity, escaped
from .formats import as_github, as_sarif, data, json_text
from .markdown import code, inert, table

_HEADINGS: Final = {
    Verdict.BREAKING: "Breaks clients",
    Verdict.RISKY: "May break clients",
    Verdict.COMPATIBLE: "Breaks nobody",
}


def as_text(found: Comparison) -> str:
    """One change after the other, the worst first."""
    return "".join(map(_text, found.changes))


def as_json(found: Comparison) -> str:
    """An object with every change, and how many there are of each kind."""
    changes = [
        {
            "rule": one.rule,
            "verdict": str(one.verdict),
            "for": [str(each) for each in one.who],
            "message": one.text,
            "hint": one.hint,
            "accepted": one.accepted or None,
            "old": _place(one, is_old=True),
            "new": _place(one, is_old=False),
        }
        for one in found.changes
    ]
    versions = {"old": found.old.version, "new": found.new.version}
    told = {"versions": versions, "changes": changes, "counts": counts(found.changes)}
    return json_text(told)


def github(found: Comparison) -> str:
    """Annotations for what breaks or may break clients; what is accepted has none."""
    return as_github(_diagnostics(found), RULES)


def sarif(found: Comparison) -> str:
    """A SARIF log of what breaks or may break clients; what is accepted is left out."""
    return as_sarif(_diagnostics(found), RULES)


def as_markdown(found: Comparison) -> str:
    """A comment for a pull request."""
    title = f"{found.new.title}: {found.old.version} → {found.new.version}"
    lines = [f"### {inert(title)}", "", _summary(found), ""]
    for verdict, heading in _HEADINGS.items():
        listed = [one for one in found.changes if one.verdict is verdict and not one.accepted]
        if listed:
            many = verdict is Verdict.COMPATIBLE
            lines += (
                ["<details>", f"<summary>{heading} ({len(listed)})</summary>"]
                if many
                else [f"**{heading}**"]
            )
            rows = (
                (inert(_sentence(one)), _whom(one), code(str(one.new)), code(one.rule))
                for one in listed
            )
            lines += ["", *table(("what", "for whom", "where", "rule"), rows), ""]
            lines += ["</details>", ""] if many else []
    if accepted := [one for one in found.changes if one.accepted]:
        reasons = ((inert(_sentence(one)), inert(one.accepted), code(one.rule)) for one in accepted)
        lines += ["**Accepted**", "", *table(("what", "why", "rule"), reasons), ""]
    return "\n".join(lines)


FORMATS: Final[Mapping[str, Callable[[Comparison], str]]] = {
    "text": as_text,
    "json": as_json,
    "github": github,
    "sarif": sarif,
    "markdown": as_markdown,
}

NO_PAST: Final = "the old document has errors, so no client of it is known"


def _beginning_on_github(found: Sequence[Diagnostic]) -> str:
    text = f"{NO_PAST}: {found[0].location}: {found[0].message} [{found[0].rule}]"
    return f"::notice title=not-compared::{data(escaped(text))}\n"


def _beginning_in_markdown(found: Sequence[Diagnostic]) -> str:
    first = found[0]
    return f"Nothing was compared: {NO_PAST}. {code(str(first.location))}: {inert(first.message)} (`{first.rule}`)\n\n"


BEGINNINGS: Final[Mapping[str, Callable[[Sequence[Diagnostic]], str]]] = {
    "github": _beginning_on_github,
    "markdown": _beginning_in_markdown,
}
"""What a pull request that mends a document is told: there is nothing to compare it with, for these errors."""


def summary(found: Comparison) -> str:
    """How many changes of each kind, in one line."""
    told = [f"{count} {kind}" for kind, count in counts(found.changes).items() if count]
    return ", ".join(told) or "no changes"


def _text(one: Change) -> str:
    kind = f"{one.verdict}, accepted" if one.accepted else str(one.verdict)
    lines = [f"{one.new}: {kind}: {one.text} [{one.rule}]"]
    if one.who:
        lines.append(f"    for: {_whom(one)}")
    lines.append(f"    was: {one.old}")
    if one.verdict is not Verdict.COMPATIBLE and not one.accepted:
        lines.append(f"    at: {one.pointer}")
    if one.accepted:
        lines.append(f"    accepted: {one.accepted}")
    elif one.hint:
        lines.append(f"    hint: {one.hint}")
    return "".join(f"{escaped(line)}\n" for line in lines)


def _place(one: Change, *, is_old: bool) -> dict[str, object]:
    place, pointer = (one.old, one.old_pointer) if is_old else (one.new, one.new_pointer)
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "pointer": pointer,
    }


def _diagnostics(found: Comparison) -> list[Diagnostic]:
    kinds = {Verdict.BREAKING: Severity.ERROR, Verdict.RISKY: Severity.WARNING}
    return [
        Diagnostic(
            one.rule,
            f"{one.text} (breaks {_whom(one)}; was {one.old})",
            one.new,
            one.hint,
            kinds[one.verdict],
        )
        for one in found.changes
        if one.verdict in kinds and not one.accepted
    ]


def _whom(one: Change) -> str:
    return ", ".join(map(str, one.who)) or "nobody"


def _summary(found: Comparison) -> str:
    breaking = sum(one.breaks for one in found.changes)
    if breaking:
        what = f"{breaking} change{'' if breaking == 1 else 's'}"
        return f"**{what} would break clients that are out there.** {summary(found)}."
    return f"Clients that are out there go on working: {summary(found)}."


def _sentence(one: Change) -> str:
    return f"{one.text}; {one.hint}" if one.hint and not one.accepted else one.text
