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
    """A JSON scalar as a Python expression that says the same; `TypeError` for anything else."""
    if isinstance(value, str):
        if value.isprintable() and not {'"', "\\"} & set(value):
            return f'"{value}"'  # as black has it: text that black changes it formats twice
        return repr(value) if value.isprintable() else ascii(value)
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    raise TypeError(f"not a JSON scalar: {value}")


def docstring(text: str, indent: int = 0) -> str:
    """A text as a docstring whose lines, but for the first, are indented by `indent` spaces."""
    lines = [line.rstrip() for line in _filled(text, WIDTH - indent - len('""""""'))]
    if len(lines) == 1:
        (line,) = lines
        body = f'{_quoted(line[:-1])}\\"' if line.endswith('"') else _quoted(line)
        return f'"""{body}"""'
    margin = " " * indent
    body = "\n".join(f"{margin}{_quoted(line)}" if line else "" for line in lines)
    return f'"""{body.removeprefix(margin)}\n{margin}"""'


def _quoted(line: str) -> str:
    return escaped(line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"'))


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

    for line in text.strip().replace("\r\n", "\n").split("\n"):
        fence = _FENCE.match(line) is not None
        if fenced or fence or _LITERAL_LINE.match(line):
            flush()
            lines.append(line)
        else:
            paragraph.append(line.strip())
        fenced ^= fence
    flush()
    return lines
