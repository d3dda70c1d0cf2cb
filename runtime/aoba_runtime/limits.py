"""What a message of a peer may cost. A program that needs other limits sets them: `limits.LIMITS.bytes = 2**26`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Limits:
    """The most that `decode` takes; beyond it a message is refused with `BadMessage` before it is read."""

    bytes: int = 16 * 1024**2
    """The size of a payload."""
    values: int = 500_000
    """Its values: what stands between commas, and every array and object."""
    tries: int = 50_000
    """How often its values may be tried against unions that hold themselves and have no tag, beyond once for each value."""
    pattern_text: int = 200
    """The characters of a text that Python's `re` searches, for patterns that pydantic's engine cannot run."""


LIMITS: Final = Limits()
"""Those of this process. 200 arrays and objects inside each other are pydantic's own limit."""


def excess(data: bytes) -> str | None:
    """What is too much about `data`; `None` where nothing is."""
    if len(data) > LIMITS.bytes:
        return f"should be no larger than {LIMITS.bytes:,} bytes"
    if len(data) > LIMITS.values and values_in(data) > LIMITS.values:
        return f"should have no more than {LIMITS.values:,} values"
    return None


def values_in(data: bytes) -> int:
    """How many values JSON text has, or some more: what is in its texts counts too."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")
