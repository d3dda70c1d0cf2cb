"""Our verdict on public documents and on changes of them against that of the official schemas: no difference unexplained.

The documents lie beside the checkout and not in it; without them these tests are skipped and say so. `AOBA_MUTATIONS=2000`
makes the run as long as the one that docs/validation.md tells of.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import Any

import official
import pytest
from aoba_gen.diagnostics import Location, Refused, Report, Severity
from aoba_gen.limits import Limits
from aoba_gen.load import Array, Node, Object, load
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
    sys.setrecursionlimit(Limits().recursion)


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


def places(node: Node, path: str) -> set[Location]:
    """Where the last thing of a path stands that there is, by its value and by its key; keys may hold slashes."""
    found = {node.location}
    while path:
        if isinstance(node, Array) and path.partition("/")[0].isdecimal():
            name, _, rest = path.partition("/")
            node, path = node.items[int(name)], rest
            found = {node.location}
            continue
        named = node.fields if isinstance(node, Object) else {}
        keys = [key for key in named if path == key or path.startswith(f"{key}/")]
        if not keys or not isinstance(node, Object):
            break
        key = max(keys, key=len)
        found = {node.keys[key], node.fields[key].location}
        node, path = node.fields[key], path[len(key) + 1 :]
    return found


@pytest.mark.parametrize(
    "row",
    [row for row in manifest() if row["category"].startswith("rule:")],
    ids=lambda row: row["path"].rpartition("/")[2],
)
def test_what_a_rule_of_theirs_finds_we_find_there(row: dict[str, Any]) -> None:
    report = Report()
    source = load(REFUSED / row["path"], report)
    try:
        check(source, report)
        found = report.diagnostics
    except Refused as refused:
        found = refused.diagnostics
    path = row["expected"].rpartition("@")[2].rstrip('"')
    if not path:  # the whole document, where we name what in it is wrong
        assert found
        return
    assert {one.location for one in found} & places(source.root, path)


def test_every_difference_has_a_cause() -> None:
    count, found = official.disagreements(int(os.environ.get("AOBA_MUTATIONS", "150")))
    assert count > 450
    unexplained = [one for one in found if not official.cause(one)]
    assert [(one.name, one.said, one.theirs) for one in unexplained] == []
    assert {official.cause(one) for one in found} <= {
        line.split("|")[2].strip() for line in TEXT.splitlines() if line.count("|") == 4
    }
