"""Text of a document as Markdown that says no more than that: plain, as code, in a table, in a fence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from .diagnostics import escaped

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>|#@&~$!])")
"""What means something to CommonMark, GitHub's tables, mentions and mathematics wherever it stands."""
_PIECES: Final = re.compile(
    r"(?<!`)(`+)(?!`)(.{1,500}?)(?<!`)\1(?!`)|\\[!-/:-@[-`{-~]|[<>\[\]`~\\&@$]"
)
"""What a line of Markdown may lead out with: code as a whole, an escape, or a mark."""
_BARS: Final = re.compile(r" *(`{3,}|~{3,}) *([^`]*)")
"""What begins or ends a block of code."""
_START: Final = re.compile(r"^(\d{0,9})(?:(?<=\d)([.)])(?=\s|$)|(?<!\d)([-+=]))")
"""What begins a list or underlines a heading at the start of a line."""

_ACTIVE: Final = re.compile(
    r"(?<=[@#])(?=\w)|(?:(?<=http:)|(?<=https:)|(?<=ftp:))(?=//)|(?<=www)(?=\.)", re.IGNORECASE
)
"""Where a mention, the number of an issue or an address goes on: in a comment GitHub takes it for one, escaped or not.
Of addresses with a scheme it takes these three only (GitHub Flavored Markdown, section 6.9)."""


def inert(text: str) -> str:
    """A text on one line, which a comment shows as it is: nobody is told of it, and it leads nowhere."""
    return _ACTIVE.sub("<!-- -->", plain(text))


def plain(text: str) -> str:
    """A text on one line, which Markdown shows as it is."""
    marked = _MARKS.sub(r"\\\1", escaped(" ".join(text.split())))
    return _START.sub(lambda found: f"{found[1]}\\{found[2] or found[3]}", marked)


def code(text: str) -> str:
    """A text on one line as code, also in a table; an empty one is nothing."""
    line = escaped(text.replace("\n", " "))
    if not line.strip():
        return f"<code>{'&nbsp;' * len(line)}</code>" if line else ""
    if "|" in line:  # no escape within backticks holds in tables and outside of them
        return f"<code>{_MARKS.sub(lambda found: f'&#{ord(found[0])};', line)}</code>"
    fence = "`" * (_longest(line) + 1)
    pad = " " if line[0] in "` " or line[-1] in "` " else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def fence(text: str, language: str = "") -> list[str]:
    """The lines of a block of code, which holds `text` as it is."""
    bars = "`" * max(3, _longest(text) + 1)
    lines = (escaped(line.replace("\t", "    ")) for line in text.rstrip("\n").split("\n"))
    return [f"{bars}{language}", *lines, bars]


def quoted(text: str) -> list[str]:
    """The lines of a description, which is Markdown itself, as a quotation: nothing in it reaches beyond.

    Lists, headings, emphasis, tables and code keep their shape; HTML, links, images and definitions of links show as written.
    """
    lines: list[str] = []
    block: list[str] = []
    bars = ""
    for line in text.strip().replace("\r\n", "\n").split("\n"):
        found = _BARS.fullmatch(line)
        if bars:
            if found and not found[2] and found[1].startswith(bars):
                lines += [*fence("\n".join(block)), ""]
                bars = ""
            else:
                block.append(line)
        elif found:
            bars, block = found[1], []
            lines += [""] if lines and lines[-1] else []
        else:
            lines.append(_harmless(line))
    if bars:
        lines += fence("\n".join(block))
    return [f"> {line}".rstrip() for line in lines] if text.strip() else []


def _harmless(line: str) -> str:
    """A line without what leads out of it; code stays code."""
    return _PIECES.sub(_piece, escaped(line.replace("\t", "    ")))


def _piece(found: re.Match[str]) -> str:
    if found[2]:
        return code(found[2].strip()) if found[2].strip() else ""
    return f"&#{ord(found[0][-1])};"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are Markdown already."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def link(text: str, anchor: str) -> str:
    """A link within the page; `text` is Markdown already."""
    return f"[{text}](#{anchor})"


def _longest(text: str) -> int:
    """How many backticks stand in a row at most."""
    return max((len(found) for found in re.findall("`+", text)), default=0)


def address(text: str) -> str:
    """Where a link leads, as it stands in the brackets behind its text."""
    if re.fullmatch(r"[\w#:/.?=%~+@-]+", text):
        return text
    safe = re.sub(r"[<>\\|`\s]", lambda found: f"%{ord(found[0]):02X}", text)
    return f"<{safe.replace('&', '&amp;')}>"
