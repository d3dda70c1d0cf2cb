"""Which versions of AsyncAPI are read, and which one a document is written in."""

from __future__ import annotations

import re
from pathlib import PurePath
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
        _tell_other(root, report)
        return
    version = plain(node)
    if version in SUPPORTED_VERSIONS:
        return
    whole = ".".join([*str(version).split("."), "0", "0"][:3])
    near = f"write it as text: {shown(whole if whole in SUPPORTED_VERSIONS else '3.0.0')}"
    if isinstance(version, str) and whole not in SUPPORTED_VERSIONS:
        is_old = version.startswith("1.")
        convert = "convert the document, for example with 'asyncapi convert'"
        near = convert if is_old else suggestion(version, SUPPORTED_VERSIONS)
    report.error(
        "unknown-version",
        f"{shown(version)} is no version of AsyncAPI that can be read, {_EXPECTED}",
        node.location,
        near or f"write: asyncapi: {SUPPORTED_VERSIONS[-1]}",
    )


def _tell_other(root: Object, report: Report) -> None:
    """Report an object that does not say which AsyncAPI it is, by what it is instead."""
    fields = root.fields
    hint = f"an AsyncAPI document says its version first: asyncapi: {SUPPORTED_VERSIONS[-1]}"
    found, at = "there is no 'asyncapi' field", next(iter(fields), "")
    refer = "a schema is part of a document, which refers to it, such as by"
    file = f"{{$ref: './{PurePath(root.location.file).name}'}}"
    if other := next((name for name in ("openapi", "swagger") if name in fields), ""):
        found, at = f"this is an OpenAPI document ({other!r})", other
    elif near := next((name for name in fields if suggestion(name, ["asyncapi"])), ""):
        hint, at = f"write {shown(near)} as 'asyncapi'", near
    elif {"type", "fields"} <= fields.keys():
        found, at = "this is an Avro schema ('fields')", "fields"
        hint = f"{refer} schema: {file} below a 'schemaFormat'"
    elif "$schema" in fields or {"type", "properties"} <= fields.keys():
        at = "$schema" if "$schema" in fields else "properties"
        found, hint = f"this is a JSON Schema ({at!r})", f"{refer} payload: {file}"
    report.error(
        "not-asyncapi",
        f"expected an AsyncAPI document, but {found}",
        root.keys.get(at, root.location),
        hint,
    )
