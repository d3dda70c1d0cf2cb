"""Source -> Document: every version in one shape, every reference checked here and followed from here on."""

from __future__ import annotations

from .access import Access
from .check_references import check_references
from .diagnostics import Report
from .document import Document, Place
from .files import Files
from .lift import lift
from .load import Source
from .references import References, Spot, reference
from .versions import SUPPORTED_VERSIONS, check_version

__all__ = ["SUPPORTED_VERSIONS", "Document", "Place", "reference", "resolve"]


def resolve(source: Source, report: Report, access: Access = Access()) -> Document:
    """The document in `source`, its broken references reported; raises `Refused` when it is no such document."""
    check_version(source, report)
    report.raise_errors()
    references = References(Files(source, report, access))
    check_references(references, Spot(source.root, "#"), report)
    return lift(Document(source, references))
