"""Our verdict on public documents and on changes of them against that of the official schemas: no difference unexplained.

The documents lie beside the checkout and not in it; without them these tests are skipped and say so. `AOBA_MUTATIONS=2000`
makes the run as long as the one that docs/validation.md tells of.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import official
import pytest
from aoba_gen.cli_options import prepare
from aoba_gen.diagnostics import Refused, Report, Severity
from aoba_gen.load import load
from aoba_gen.pipeline import check

ROOT = Path(__file__).parents[1]
REFUSED = official.CORPUS / "refused"
TEXT = (ROOT / "docs" / "validation.md").read_text()
READS_WELL = "asyncapi__cli/test/fixtures/badFormatAsyncapi.json"
"""Listed as no JSON, which it is."""
DEREFERENCED = (
    "asyncapi__jasyncapi/asyncapi-core/src/test/resources/examples/v2.0.0/streetlights-kafka.yml"
)
"""Refused by the official schema for a parameter that is a reference, which the specification allows."""

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not official.CORPUS.exists(),
        reason="no public documents at ../shared/corpus beside the checkout",
    ),
]


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    prepare()


def manifest() -> list[dict[str, str]]:
    if not REFUSED.exists():
        return []
    with (REFUSED / "manifest.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize("row", manifest(), ids=lambda row: row["path"])
def test_what_official_tools_refuse_we_refuse_or_warn_of(row: dict[str, Any]) -> None:
    report = Report()
    try:
        check(load(REFUSED / row["path"], report), report)
        found = report.diagnostics
    except Refused as refused:
        found = refused.diagnostics
    kinds = {one.severity for one in found}
    if row["path"] in (READS_WELL, DEREFERENCED):
        assert not kinds
    elif row["strength"] == "must":
        assert Severity.ERROR in kinds
    else:
        assert kinds


def test_every_difference_has_a_cause() -> None:
    count, found = official.disagreements(int(os.environ.get("AOBA_MUTATIONS", "150")))
    assert count > 450
    unexplained = [one for one in found if not official.cause(one)]
    assert [(one.name, one.said, one.theirs) for one in unexplained] == []
    assert {official.cause(one) for one in found} <= {
        line.split("|")[2].strip() for line in TEXT.splitlines() if line.count("|") == 4
    }
