"""What stands below the options in the help of a command: examples, exit codes, environment, see also."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENVIRONMENT: Final = {
    "TERM, CI": "a run of some seconds says on a terminal what it does, unless TERM is dumb or CI is set",
    "NO_COLOR": "it says so without colours",
}
"""What every command that reads documents looks at."""


def epilog(
    examples: Mapping[str, str],
    exits: Mapping[int, str],
    see: Mapping[str, str],
    environment: Mapping[str, str] = ENVIRONMENT,
) -> str:
    """The text for click: calls with what they do, codes and variables with what they mean, related commands."""
    calls = [line for call, what in examples.items() for line in (call, f"    {what}")]
    parts = (
        ("Examples", calls),
        ("Exit codes", _table(exits)),
        ("Environment", _table(environment)),
        ("See also", _table(see)),
    )
    return "\n\n".join(
        "\n".join(["\b", f"{title}:", *(f"  {line}" for line in lines)])
        for title, lines in parts
        if lines
    )


def _table(rows: Mapping[str, str] | Mapping[int, str]) -> list[str]:
    """Lines of two columns."""
    width = max((len(str(key)) for key in rows), default=0)
    return [f"{key!s:{width}}  {meaning}" for key, meaning in rows.items()]
