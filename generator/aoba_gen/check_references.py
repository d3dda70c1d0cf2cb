"""Every reference is looked at before anything else is: a broken one is reported where it stands, once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .diagnostics import Location, Report, shown, suggestion
from .files import is_absolute, is_remote
from .load import Object, Scalar, plain
from .references import (
    Broken,
    Cycle,
    Lost,
    NoAnchor,
    NoFile,
    Outside,
    References,
    Spot,
    reference,
)

_REMOTE_HINT: Final = (
    "save a copy beside the document and refer to that; or let --allow-remote name the host"
)
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
"""Fields that hold values: a `$ref` in there is no reference."""
_MAPS: Final = frozenset("""
    $defs channelBindings channels correlationIds definitions dependencies dependentSchemas externalDocs
    messageBindings messageTraits messages operationBindings operationTraits operations parameters patternProperties
    properties replies replyAddresses schemas securitySchemes serverBindings serverVariables servers tags variables
    """.split())
"""Fields whose keys are names that the document chose: a property called "default" is no default."""
_SCHEMAS: Final = frozenset("""
    bindings channelBindings headers messageBindings operationBindings payload schema schemas serverBindings
    """.split())
"""Fields below which schemas stand: what lies outside may be left open there."""


_MESSAGE: Final = "any payload is taken here"
_UNKNOWN: Final = "what it says is not known here"
_ABSENT: Final = "it is left out"
_OPEN: Final[Mapping[str, str]] = {
    **dict.fromkeys(("message", "messages", "oneOf[]"), _MESSAGE),
    **dict.fromkeys(
        "messageTraits operationTraits parameters serverVariables traits[] variables".split(),
        _UNKNOWN,
    ),
    **dict.fromkeys(
        """
        bindings channelBindings correlationId correlationIds externalDocs messageBindings operationBindings security[]
        securitySchemes serverBindings tags tags[]
        """.split(),
        _ABSENT,
    ),
}
"""Where a remote reference may stay open outside of schemas, by the field that holds it; what becomes of it."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """A place to look for references below.

    `names`: its keys are names and not fields; `schema`: a schema stands there; `field`: the one that holds it.
    """

    spot: Spot
    names: bool = False
    schema: bool = False
    field: str = ""


def check_references(references: References, root: Spot, report: Report) -> None:
    """Report every broken reference below `root`, and below what references lead to, in whichever file."""
    todo = [_Visit(root)]
    seen = {root.pointer}
    checked: set[str] = set()
    remote: dict[str, Spot | Broken] = {}
    for visit in todo:  # grows on the way
        for found in _below(visit):
            if found.spot.pointer in checked:
                continue
            checked.add(found.spot.pointer)
            end = _check(found, references, remote, report)
            if end is not None and end.pointer not in seen and _is_passed_over(end):
                seen.add(end.pointer)
                todo.append(_Visit(end, found.names, found.schema, found.field))
    references.settle(remote)


def _below(visit: _Visit) -> Iterator[_Visit]:
    """Every reference at or below a place."""
    node = visit.spot.node
    if not isinstance(node, Object):
        for _, item in visit.spot.children():
            yield from _below(_Visit(item, False, visit.schema, f"{visit.field}[]"))
        return
    is_name = visit.names and reference(node) is None  # a property called "$ref"
    if "$ref" in node.fields and not is_name:
        yield visit
    for name, inner in visit.spot.children():
        if visit.names or not _is_data(name):
            names = not visit.names and name in _MAPS
            field = visit.field if visit.names else name
            yield from _below(_Visit(inner, names, visit.schema or name in _SCHEMAS, field))


def _is_data(name: str) -> bool:
    return name in _DATA or name.startswith("x-")


def _is_passed_over(spot: Spot) -> bool:
    """Whether a place may not be looked at on the way from the root of the main document."""
    return bool(spot.file) or any(map(_is_data, spot.pointer.split("/")))


def _check(
    visit: _Visit, references: References, remote: dict[str, Spot | Broken], report: Report
) -> Spot | None:
    """What to look at next: where a reference leads, or the one by which it is broken; `None` after a complaint."""
    spot = visit.spot
    assert isinstance(spot.node, Object)
    ref, location = reference(spot.node), spot.node.fields["$ref"].location
    if ref is None:
        found = shown(plain(spot.node.fields["$ref"]))
        report.error(
            "ref-not-text",
            f"a $ref is a pointer in text such as '#/components/schemas/X', not {found}",
            location,
            "put it in quotes: outside of them '#' begins a comment",
        )
        return None
    try:
        target = references.hop(spot)
        if target.pointer == spot.pointer and isinstance(target.node, Scalar):
            _tell_remote(visit, ref, location, remote, report)
            return None
        references.arrive(spot)
    except Broken as broken:
        if isinstance(broken, Cycle) and spot.pointer in broken.pointers:
            broken.reference = spot  # each reference of a cycle is told of
        if broken.reference.pointer != spot.pointer:
            return broken.reference  # the one to be told of
        _tell(ref, broken, references, location, report)
        return None
    if (pointer := references.mended.get(spot.pointer)) is not None:
        report.warn(
            "ref-unescaped",
            f"$ref {shown(ref)} does not escape the names in it",
            location,
            f"write: $ref: '{ref.partition('#')[0]}#{pointer}'",
        )
    if (pointer := references.embedded.get(spot.pointer)) is not None:
        report.warn(
            "ref-embedded",
            f"$ref {shown(ref)} begins at the schema around it, expected at the root of the file",
            location,
            f"write: $ref: '#{pointer}'",
        )
    return target


def _tell(
    ref: str, broken: Broken, references: References, location: Location, report: Report
) -> None:
    match broken:
        case NoAnchor():
            _tell_no_pointer(ref, location, report)
        case NoFile():
            _tell_no_file(ref, broken, references, location, report)
        case Outside():
            _tell_outside(ref, location, report)
        case Lost():
            _tell_lost(ref, broken, location, report)
        case Cycle():
            report.error(
                "ref-cycle",
                f"$ref {shown(ref)} leads back to itself and never to a value",
                location,
                "let one of the references on the way be the value itself",
            )


def _tell_remote(
    visit: _Visit, ref: str, location: Location, remote: dict[str, Spot | Broken], report: Report
) -> None:
    spot, becomes = visit.spot, _OPEN.get(visit.field, "")
    if visit.schema and becomes != _ABSENT:
        becomes = "any value is taken here"
    elif becomes in (_MESSAGE, _UNKNOWN):
        fields = {"payload": Scalar(True, location)} if becomes == _MESSAGE else {}
        stand_in = Object(fields, dict.fromkeys(fields, location), location)
        remote[spot.pointer] = Spot(stand_in, spot.pointer)
    else:
        remote[spot.pointer] = Broken(spot)
    away = f"$ref {shown(ref)} is not on this machine and is not fetched"
    if becomes:
        report.warn("remote-ref", f"{away}: {becomes}", location, _REMOTE_HINT)
    else:
        report.error("remote-ref", away, location, _REMOTE_HINT)


def _tell_no_pointer(ref: str, location: Location, report: Report) -> None:
    report.error(
        "ref-dangling",
        f"$ref {shown(ref)} is no pointer, expected one such as '#/components/schemas/X'",
        location,
        (
            "begin with '#/'"
            if not ref.startswith("#")
            else f"did you mean {shown(('' if is_remote(ref[1:]) else '#/') + ref.lstrip('#'))}?"
        ),
    )


def _tell_outside(ref: str, location: Location, report: Report) -> None:
    """Say that it may not be read, or is nothing that could be shared; not which, nor what else there is."""
    report.error(
        "ref-outside",
        f"$ref {shown(ref)} leads out of the folder of the document",
        location,
        "--allow-ref-root DIR lets references read what lies in that folder, and says what is missing there",
    )


def _tell_no_file(
    ref: str, missing: NoFile, references: References, location: Location, report: Report
) -> None:
    name = ref.partition("#")[0]
    if not re.search(r"[./\\]", name):
        _tell_no_pointer(ref, location, report)
    elif is_absolute(name):
        report.error(
            "ref-file",
            f"$ref {shown(ref)} is a path of one machine, expected one relative to this file",
            location,
            "write it relative to the folder of this file, such as './schema.yaml'",
        )
    elif references.files.is_out_of_reach(missing.path):
        _tell_outside(ref, location, report)
    else:
        file = references.files.file(missing.path)
        if os.path.isdir(file):
            message = f"$ref {shown(ref)} leads nowhere: {shown(str(file), 160)} is a folder"
            report.error("ref-file", message, location, "name a file in it")
            return
        near = suggestion(file.name, references.files.beside(missing.path))
        report.error(
            "ref-file",
            f"$ref {shown(ref)} leads nowhere: there is no file {shown(str(file), 160)}",
            location,
            (
                "write '/' between the folders of a path"
                if "\\" in name
                else near or "a path is relative to the file that the reference stands in"
            ),
        )


def _tell_lost(ref: str, lost: Lost, location: Location, report: Report) -> None:
    known = [name for name, _ in lost.spot.children()] if isinstance(lost.spot.node, Object) else []
    path, _, steps = lost.spot.pointer.partition("#")
    where = shown(lost.spot.pointer) if steps else shown(path) if path else "the document"
    listed = f"{where} has {', '.join(map(shown, known[:8]))}" if known else "name what is there"
    report.error(
        "ref-dangling",
        f"$ref {shown(ref)} leads nowhere: {where} has no {shown(lost.name)}",
        location,
        suggestion(lost.name, known) or listed,
    )
