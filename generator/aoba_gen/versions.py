"""Which versions of AsyncAPI are read, and which one a document is written in."""

from __future__ import annotations

import re
from typing import Final

from .diagnostics import Report, shown, suggestion
from .load import Node, Object, Scalar, Source, plain

SUPPORTED_VERSIONS: Final = (*(f"2.{minor}.0" for minor in range(7)), "3.0.0", "3.1.0")
_QUOTED: Final = (
    "the whole document stands here as one text: save that text itself, without the quotes and escapes"
)
_EXPECTED: Final = "expected 2.0.0 to 2.6.0, 3.0.0 or 3.1.0"


def version_of(root: Node) -> str | None:
    """The version in a document's `asyncapi` field; `None` where it is no document of a known version."""
    if not isinstance(root, Object):
        return None
    node = root.fields.get("asyncapi")
    value = node.value if isinstance(node, Scalar) else None
    return value if isinstance(value, str) and value in SUPPORTED_VERSIONS else None


def check_version(source: Source, report: Report) -> None:
    """Report a source that is no AsyncAPI document, or of a version that there is not."""
    root = source.root
    if not isinstance(root, Object):
        text = root.value if isinstance(root, Scalar) else None
        is_quoted = isinstance(text, str) and re.search("asyncapi: |[\"']asyncapi[\"']:", text)
        report.error(
            "not-asyncapi",
            f"expected an AsyncAPI document, an object that begins with 'asyncapi', found {shown(plain(root))}",
            root.location,
            _QUOTED if is_quoted else f"begin with: asyncapi: {SUPPORTED_VERSIONS[-1]}",
        )
        return
    node = root.fields.get("asyncapi")
    if node is None:
        other = next((name for name in ("openapi", "swagger") if name in root.fields), None)
        found = (
            f"this is an OpenAPI document ({other!r})" if other else "there is no 'asyncapi' field"
        )
        report.error(
            "not-asyncapi",
            f"expected an AsyncAPI document, but {found}",
            root.keys.get(other, root.location) if other else root.location,
            f"an AsyncAPI document says its version first: asyncapi: {SUPPORTED_VERSIONS[-1]}",
        )
        return
    version = plain(node)
    if version in SUPPORTED_VERSIONS:
        return
    near = "write it as text: '3.0.0'"
    if isinstance(version, str):
        is_old = version.startswith("1.")
        convert = "convert the document, for example with 'asyncapi convert'"
        near = convert if is_old else suggestion(version, SUPPORTED_VERSIONS)
    report.error(
        "unknown-version",
        f"{shown(version)} is no version of AsyncAPI that can be read, {_EXPECTED}",
        node.location,
        near or f"write: asyncapi: {SUPPORTED_VERSIONS[-1]}",
    )
