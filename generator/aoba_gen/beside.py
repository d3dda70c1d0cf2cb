"""The two files of a distribution that stand beside the package: they follow it, each in one step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

README: Final = "../README.md"
PYPROJECT: Final = "../pyproject.toml"
BESIDE: Final = frozenset({README, PYPROJECT})
"""Their paths, as seen from the package."""
PAGES: Final = ("api.md", "index.html")
"""The pages of an API, in the folder that is theirs."""


def place_of(folder: Path, path: str) -> Path:
    """Where a file of the package in `folder`, or one beside it, lies."""
    return folder.parent / Path(path).name if path in BESIDE else folder / path


class Followers:
    """What is to become of the files beside a package: they wait in the staging folder, and can be undone.

    `texts` holds what is to be in each, `None` where it is to go.
    """

    def __init__(self, staging: Path, folder: Path, texts: Mapping[str, str | None]) -> None:
        self._moves = [
            (place_of(folder, path), staging / f"new-{name}", staging / f"old-{name}", text)
            for path, text in texts.items()
            for name in [Path(path).name]
        ]

    def waiting(self) -> dict[Path, str]:
        """The files to write into the staging folder before anything changes, and their texts."""
        return {new: text for _, new, _, text in self._moves if text is not None}

    def keep(self) -> None:
        """Keep what is there now, for `undo`."""
        for place, _, old, _ in self._moves:
            if os.path.lexists(place):
                try:
                    os.link(place, old, follow_symlinks=False)
                except OSError:
                    shutil.copy2(place, old, follow_symlinks=False)

    def follow(self) -> None:
        """Put all in place, each in one step."""
        for place, new, _, text in self._moves:
            if text is None:
                os.unlink(place)
            else:
                os.replace(new, place)

    def undo(self) -> None:
        """Make all as it was."""
        for place, _, old, _ in self._moves:
            if os.path.lexists(old):
                os.replace(old, place)
            else:
                place.unlink(missing_ok=True)
