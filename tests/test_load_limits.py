"""Loading: hostile documents end quickly, each limit holds to the number, and a usual document loads at once."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest
import yaml
from aoba_gen.diagnostics import Refused, Report
from aoba_gen.limits import Limits
from aoba_gen.load import parse
from texts import rules, tree
from yaml._yaml import get_version_string

LIMITS = Limits()


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)
MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i}\n  <<: [*a{i - 1}, *a{i - 1}]\n  k{i}: *a{i - 1}\n" for i in range(1, 40)
)
SCANNED_AHEAD = tuple(map(int, get_version_string().split("."))) >= (0, 2, 6)
"""Whether libyaml itself ends at 1,000 brackets, and reads on to the end of a line before it tells of its beginning."""
LADDER = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 300))


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        (BOMB, "7:10", "limit-nodes"),
        (MERGE_BOMB, "36:8", "limit-nodes"),
        (LADDER, "199:14", "limit-depth"),
        ("[" * 10**6, "1:201", "limit-depth"),
        ('{"a":' * 10**6, "1:1001", "limit-depth"),
        ("- " * 10**6, "1:401", "limit-depth"),
        ("? " * 10**6, "1:401", "limit-depth"),
        ("a: " + "{" * 10**6, "1:1003" if SCANNED_AHEAD else "1:203", "limit-depth"),
        ("x" * (LIMITS.bytes + 1), "1:1", "limit-bytes"),
        ("a: b\n\t\n" + "\t" * 10**6 + "x\n", "3:1", "yaml-syntax"),
        ("x" + " " * 10**6 + "y: z: w\n", "1:1", "limit-text"),
    ],
)
def test_hostile_documents_end_quickly(text: str, place: str, rule: str) -> None:
    begun = time.process_time()  # other programs take none of it
    assert rules(text) == [f"{place} {rule}"]
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("name", ["f", "f.json"])
@pytest.mark.parametrize(
    ("limit", "text", "complaint"),
    [
        ("nodes", "[1, 2, 3]", "1:8: the document has more than 3 nodes"),
        ("items", "[1, 2, 3, 4]", "1:11: the list has more than 3 items"),
        ("fields", '{"a": 1, "b": 1, "c": 1, "d": 1}', "1:26: the object has more than 3 fields"),
        ("name", '{"abcd": 1}', "1:2: the key 'abcd' has more than 3 characters"),
        ("text", '["abcd"]', "1:2: the text 'abcd' has more than 3 characters"),
        ("depth", "[[[[]]]]", "1:4: the document nests deeper than 3 levels"),
        ("bytes", "1234", "1:1: the document is larger than 3 bytes"),
    ],
)
def test_limits(name: str, limit: str, text: str, complaint: str) -> None:
    for n in (3, 4):
        report = Report(limits=replace(LIMITS, **{limit: n}))
        try:
            parse(text.encode(), name, report)
        except Refused:
            pass
        told = f"{name}:{complaint} [limit-{limit}]\n    hint: --limit {limit}=N raises it, "
        said = [f"{told}for a document that you trust"] if n == 3 else []
        assert [*map(str, report.diagnostics)] == said


@pytest.mark.parametrize("text", ["[" * LIMITS.depth + "]" * LIMITS.depth, "- " * LIMITS.depth])
def test_the_deepest_document_allowed(text: str) -> None:
    if text.startswith("- "):
        text = text[2:] + "x"  # the scalar is a level too
    found = tree(text)
    for _ in range(LIMITS.depth - 1):
        assert isinstance(found, list)
        found = found[0]
    assert found in ([], "x")


def test_a_document_of_900_lines_loads_at_once() -> None:
    entry = (
        "    name{0}:\n      type: string\n      description: What {0} says, in a line of text.\n"
    )
    data = ("components:\n  schemas:\n" + "".join(entry.format(i) for i in range(300))).encode()
    durations = []
    for _ in range(5):
        begun = time.process_time()
        parse(data, "f", Report())
        durations.append(time.process_time() - begun)
    limit = 0.2 if hasattr(yaml, "CSafeLoader") else math.inf
    assert min(durations) < limit
