"""What a run may be told beside the document and where its package goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from .access import Access

_HERE: Final = Path(__file__).parent
TEMPLATES: Final = (
    _HERE / "templates" if (_HERE / "templates").is_dir() else _HERE.parents[1] / "templates"
)
"""In the wheel the templates lie beside the modules, in a checkout at its top."""

Side: TypeAlias = Literal["described", "peer"]
"""Whom a package is for: the application that the document describes, or who talks to it."""


@dataclass(frozen=True, slots=True)
class Options:
    """`side` is whom the package is for, `templates` a folder of the user's own, `access` what references may read;
    `dist` asks for an installable distribution.
    """

    side: Side | None = None
    templates: Path | None = None
    access: Access = Access()
    dist: bool = False
