"""The manifest of a package: what is ours in it and beside it, by the digests of what we wrote, and of what it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from .beside import BESIDE

MANIFEST: Final = ".aoba-gen.json"
RESERVED: Final = ".aoba-gen"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says: `files` maps paths to digests, `origin` is what they were generated from, in parts.

    `pending` has the digests of what stood beside the package before a run whose end nobody saw.
    """

    seal: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The same as JSON, without what is empty."""
        tree: dict[str, object] = {"seal": self.seal, "files": self.files}
        more = {"origin": self.origin, "pending": self.pending}
        tree |= {name: table for name, table in more.items() if table}
        return json.dumps(tree, indent=2, sort_keys=True) + "\n"

    def is_ours(self, path: str, found: str) -> bool:
        """Whether the bytes of that digest are what we wrote to `path`."""
        return found in (self.files.get(path), self.pending.get(path))


def read_manifest(data: bytes | None) -> Manifest:
    """A manifest as far as it is one: with no files if it is damaged, with no seal if an entry is odd."""
    tree: object = None
    with suppress(ValueError, RecursionError):
        tree = json.loads(data or b"")
    if not isinstance(tree, dict):
        return Manifest()
    files, pending = (
        {path: value for path, value in _texts(tree, name).items() if is_ours_to_write(path)}
        for name in ("files", "pending")
    )
    seal = tree.get("seal")
    known = seal if isinstance(seal, str) and files == tree.get("files") else ""
    return Manifest(known, files, _texts(tree, "origin"), pending)


def is_ours_to_write(path: str) -> bool:
    """Whether a path is relative, plain, printable and not reserved, on any system; or one of those beside a package."""
    odd = {"", ".", ".."} & {*path.split("/")} or {"\\", ":"} & {*path}
    inside = path.isprintable() and not odd and not path.casefold().startswith(RESERVED)
    return inside or path in BESIDE


def digest(data: bytes) -> str:
    """What a file is known by."""
    return hashlib.sha256(data).hexdigest()


def _texts(tree: Mapping[str, object], name: str) -> dict[str, str]:
    table = tree.get(name)
    named = table if isinstance(table, dict) else {}
    return {str(key): value for key, value in named.items() if isinstance(value, str)}
