"""Anchors of a page: readable, made of the kind and the name, each given once."""

from __future__ import annotations

import re
from typing import Final

_ODD: Final = re.compile(r"[^\w.]+")
_LONGEST: Final = 80


class Anchors:
    """Gives anchors; of several that are spelled alike, the first in document order has it plain."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._counts: dict[str, int] = {}

    def give(self, kind: str, name: str) -> str:
        """A new anchor, such as "message-CallOffer"."""
        plain = f"{kind}-{_ODD.sub('-', name)[:_LONGEST].strip('-') or 'unnamed'}"
        wanted = plain
        while wanted in self._given:
            self._counts[plain] = self._counts.get(plain, 1) + 1
            wanted = f"{plain}-{self._counts[plain]}"
        self._given.add(wanted)
        return wanted
