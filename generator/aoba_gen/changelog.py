"""What has changed between two versions of an API, as a person would write it down: Markdown for a changelog."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest
from typing import Final

from .compare_model import Verdict, Who
from .compare_result import Change, Comparison
from .markdown import code, inert

_SECTIONS: Final = ("Breaking", "Added", "Changed", "Removed", "Documented")
_THINGS: Final = re.compile("(?:channel|server|operation|reply|parameter)-(?!message)")
"""Rules about what clients use, and neither send nor receive themselves."""
_WHOM: Final = {
    "field-required": "clients that leave it out",
    "field-added-required": "clients that leave it out",
    "operation-headers-needed": "clients that leave them out",
    "field-optional": "clients that demand it",
    "field-removed": "clients that demand it",
    "object-closed": "clients that send some",
}
"""Whom changes break that do not break all who send or receive what they are about."""


def changelog(found: Comparison) -> str:
    """The section of a changelog for the new version."""
    listed = [one for one in found.changes if not _implied(one, found.changes)]
    lines = [f"## {inert(found.new.version)}", ""]
    if not listed:
        return "\n".join([*lines, "Nothing has changed.", ""])
    for section in _SECTIONS:
        entries = [one for one in listed if _section(one) == section]
        if not entries:
            continue
        lines += [f"### {section}", ""]
        lines += _documented(entries) if section == "Documented" else map(_entry, entries)
        lines.append("")
    return "\n".join(lines)


def _section(one: Change) -> str:
    if one.breaks:
        return "Breaking"
    if one.rule.endswith("description-changed"):
        return "Documented"
    if one.rule.endswith(("-added", "-added-required")):
        return "Added"
    return "Removed" if one.rule.endswith("-removed") else "Changed"


def _entry(one: Change) -> str:
    """One line: what it is, and whom it breaks. Hints are for who edits the document, not for who reads this."""
    text = f"- {_sentence(one.text)}"
    if one.accepted:
        return f"{text} Accepted: {_sentence(one.accepted)}"
    if one.verdict is not Verdict.COMPATIBLE:
        verb = "Breaks" if one.verdict is Verdict.BREAKING else "May break"
        text += f" {verb} {_whom(one)}."
    return text


def _whom(one: Change) -> str:
    code = Who.CALLERS in one.who
    words = {Who.SENDERS: "send", Who.RECEIVERS: "receive"}
    told = " or ".join(word for who, word in words.items() if who in one.who)
    if not told:
        return "Python code that uses it"
    if _THINGS.match(one.rule):
        return "clients and Python code that use it" if code else "clients that use it"
    clients = _WHOM.get(one.rule, f"clients that {told} it")
    return f"{clients} and Python code that uses it" if code else clients


def _documented(entries: list[Change]) -> list[str]:
    """All new words in one line."""
    what = [
        one.text.removeprefix("the description of ").removesuffix(" has changed") for one in entries
    ]
    verb = "has" if len(what) == 1 else "have"
    return [f"- {_sentence(f'{_listed(what)} {verb} a new description')}"]


def _implied(one: Change, changes: Iterable[Change]) -> bool:
    """Whether a new class is what a new message carries, or a new operation what sends it, so that one line will do."""
    if one.rule != "class-added" or one.verdict is not Verdict.COMPATIBLE:
        return False
    return any(other.rule in ("message-added", "field-added") for other in changes)


def _sentence(text: str) -> str:
    marked = _marked(re.sub("; (.+) looks like its new name$", r"; it is \1 now", text))
    marked = marked.replace(" seems to be called ", " is called ")
    return f"{marked[:1].upper()}{marked[1:]}{'' if marked.endswith('.') else '.'}"


def _marked(text: str) -> str:
    """Names in quotes, methods and hooks as code, all else as it reads."""
    pieces = re.split(r"'([^'`]+)'|(?<![\w'])(\w+\(\)|on_\w+)(?![\w'])", text)
    plain, names = pieces[::3], zip(pieces[1::3], pieces[2::3], strict=True)
    coded = [code(quoted or bare) for quoted, bare in names]
    inerts = (re.sub(r"\S(?:.*\S)?", lambda found: inert(found[0]), one) for one in plain)
    return "".join(map("".join, zip_longest(inerts, coded, fillvalue="")))


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
