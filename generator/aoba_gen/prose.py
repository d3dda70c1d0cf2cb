"""The one way by which text of a document enters code: as a literal or as a docstring, nothing else."""

from __future__ import annotations

import re
import textwrap
from typing import Final

from .diagnostics import escaped

WIDTH: Final = 100
_LITERAL_LINE: Final = re.compile(r"\s|[|>#*+-]|\d+[.)]\s|$")
"""A line that Markdown gives a shape: indented, a table, a list, a quote, a heading. It is not filled."""
_FENCE: Final = re.compile(r"\s*(```|~~~)")


def literal(value: object) -> str:
    """A JSON value as a Python expression that says the same."""
    return ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)


def docstring(text: str, indent: int = 0) -> str:
    """A text as a docstring whose lines are indented by `indent` spaces, the first one by its place in the code."""
    lines = _filled(text, WIDTH - indent - 3)
    body = f"\n{' ' * indent}".join(lines).strip()
    body = "\n".join(line.rstrip() for line in body.split("\n"))
    body = "\n".join(
        escaped(line) for line in body.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').split("\n")
    )
    if "\n" in body:
        return f'"""{body}\n{" " * indent}"""'
    if body.endswith('"') or len(body) + 6 > WIDTH - indent:
        body = body[:-1] + '\\"' if body.endswith('"') else body
    return f'"""{body}"""'


def _filled(text: str, width: int) -> list[str]:
    """The lines of a Markdown text, its paragraphs filled to `width`, all else as it stands."""
    lines: list[str] = []
    paragraph: list[str] = []
    fenced = False

    def flush() -> None:
        lines.extend(
            textwrap.wrap(
                " ".join(paragraph), width, break_long_words=False, break_on_hyphens=False
            )
        )
        paragraph.clear()

    for line in text.strip().splitlines():
        fence = _FENCE.match(line) is not None
        if fenced or fence or _LITERAL_LINE.match(line):
            flush()
            lines.append(line)
        else:
            paragraph.append(line.strip())
        fenced ^= fence
    flush()
    return lines
