"""Loading: text in, tree or diagnostics out; every node knows where it begins."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from aoba_gen import load_yaml
from aoba_gen.diagnostics import Diagnostic, Refused, Report, escaped
from aoba_gen.load import (
    Json,
    Node,
    Object,
    Scalar,
    load,
    parse,
    plain,
)
from aoba_gen.limits import Limits
from hypothesis import given
from hypothesis import strategies as st
from yaml._yaml import get_version_string

LIMITS = Limits()


def tree(text: str | bytes, name: str = "f") -> Json:
    """The plain values of a text that has nothing wrong."""
    report = Report()
    node = parse(text.encode() if isinstance(text, str) else text, name, report)
    assert report.diagnostics == ()
    return plain(node)


def found(text: str | bytes, name: str = "f") -> tuple[Diagnostic, ...]:
    """What is wrong with a text, whether or not a tree comes out."""
    report = Report()
    try:
        parse(text.encode() if isinstance(text, str) else text, name, report)
    except Refused as refused:
        assert refused.diagnostics == report.diagnostics
    return report.diagnostics


def complaints(text: str | bytes, name: str = "f") -> list[str]:
    """The same as the user reads it."""
    return [str(wrong) for wrong in found(text, name)]


def rules(text: str | bytes, name: str = "f") -> list[str]:
    """The same, place and rule only."""
    return [f"{d.location.line}:{d.location.column} {d.rule}" for d in found(text, name)]


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes in it."""
    yield node
    children = node.fields.values() if isinstance(node, Object) else getattr(node, "items", ())
    for child in children:
        yield from walk(child)


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers that PyYAML may have."""
    if not hasattr(yaml, request.param):
        pytest.skip(f"PyYAML was built without {request.param}")
    monkeypatch.setattr(load_yaml, "_LOADER", getattr(yaml, request.param))


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        # null and truth
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("y", "y"),
        # numbers
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", "0b101"),
        ("-0x1F", "-0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e3", -500.0),
        ("1e3", 1000.0),
        ("1e", "1e"),
        (".", "."),
        ("1.0.0", "1.0.0"),
        ("٣", "٣"),
        ("9" * 30, int("9" * 30)),
        # dates and other text
        ("2020-01-01", "2020-01-01"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("=", "="),
        ("<<", "<<"),
        ("'12'", "12"),
        ('"true"', "true"),
        ('"\\u00e9\\x41\\U0001F600\\0"', "éA😀\0"),
        ("a  b", "a  b"),
        ("x\u2028y\x85z", "x\u2028y\x85z"),
        # tags
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!float 1", 1.0),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!seq [1]", [1]),
        ("!!map {a: 1}", {"a": 1}),
        # collections
        ("[1, 'a', null]", [1, "a", None]),
        ("{a: {b: []}}", {"a": {"b": []}}),
        ("\n- 1\n- - 2", [1, [2]]),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
    ],
)
def test_yaml_core_types(text: str, value: Json) -> None:
    found = tree(f"v: {text}\n")
    assert found == {"v": value}
    assert repr(found) == repr({"v": value})  # 1 is not True, nor 1.0


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("404: a\non: b\n~: c\n1.0: d\n", {"404": "a", "on": "b", "~": "c", "1.0": "d"}),
        ("? a\n: 1\n", {"a": 1}),
        ("&k a: 1\nb: *k\n", {"a": 1, "b": "a"}),
        ("&k a: {*k : 1}\n", {"a": {"a": 1}}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
        ("a: &x [1]\nb: [*x, *x]\n", {"a": [1], "b": [[1], [1]]}),
        ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}),
        ("---\n- a\n", ["a"]),
        ("a: b\n\t\n \t \nc: d\n", {"a": "b", "c": "d"}),
        ("a: b\r\t\rc: d\r", {"a": "b", "c": "d"}),
        ("text", "text"),
        ("~", None),
        ("{a: 1, b: c,}", {"a": 1, "b": "c"}),
        ("{'a': 1}", {"a": 1}),
        ("[a, b]", ["a", "b"]),
        ("{ # c\n  a: 1\n}", {"a": 1}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ],
)
def test_yaml_documents(text: str, value: Json) -> None:
    assert tree(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<<: *a\nx: 9", {"x": 9, "y": 2}),
        ("x: 9\n<<: *a", {"x": 9, "y": 2}),
        ("<<: [*b, *a]", {"x": 3, "z": 4, "y": 2}),
        ("<<: *a\n<<: *b", {"x": 1, "y": 2, "z": 4}),
        ("<<: {q: 1}", {"q": 1}),
        ("'<<': 1", {"<<": 1}),
    ],
)
def test_merge_keys(text: str, value: dict[str, Json]) -> None:
    body = "".join(f"  {line}\n" for line in text.splitlines())
    found = tree(f"a: &a {{x: 1, y: 2}}\nb: &b {{x: 3, z: 4}}\nm:\n{body}")
    assert isinstance(found, dict)
    assert found["m"] == value
    assert list(value) == list(found["m"] if isinstance(found["m"], dict) else ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, -2.5e3, true, false, null, "x"]}', {"a": [1, -2500.0, True, False, None, "x"]}),
        ('{\n\t"a":\t{}\n}', {"a": {}}),
        ("[]", []),
        ('["\\ud83d\\ude00", "\\u00e9\\n\\/"]', ["😀", "é\n/"]),
        ('\ufeff {"<<": 1, "on": "2020-01-01"}', {"<<": 1, "on": "2020-01-01"}),
        ('{"a": "x\u2028y"}', {"a": "x\u2028y"}),
    ],
)
@pytest.mark.parametrize("name", ["f.json", "f"])
def test_json_documents(text: str, value: Json, name: str) -> None:
    assert tree(text, name) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(encoding: str) -> None:
    assert tree("名: é😀\n".encode(encoding)) == {"名": "é😀"}


QUOTE_IT = "put quotes around the value if it is meant as text"
MEND_ESCAPE = "write the character itself, or \\\\ for a backslash, or use single quotes"
BEGIN = "an AsyncAPI document begins with 'asyncapi: 3.0.0'"
NO_TABS = "YAML forbids tabs for indentation; use spaces"
SAVE = "save the file as UTF-8"
SPACE = "write ': ' with a space"
# A text, what is said of it without the file's name, and the hint.
WRONG: list[tuple[str | bytes, str, str]] = [
    ("a:\n\tb: 1\n", "2:1: a tab indents this line [yaml-syntax]", NO_TABS),
    ("a:\n  b: 1\n\tc: 2\n", "3:1: a tab indents this line [yaml-syntax]", NO_TABS),
    ('a: "x\nb: 1\n', '1:4: this text has no closing " [yaml-syntax]', 'close it with "'),
    (
        "a: 'it's'\nb: 1\n",
        '1:8: unexpected "s\'" after the closing quote [yaml-syntax]',
        "inside \"…\" write \\\" for a quote, inside '…' write ''",
    ),
    ("a: 1\nb:2\nc: 3\n", "2:2: no space after the colon in 'b:2' [yaml-syntax]", SPACE),
    ("b:2\nc: 3\n", "1:2: no space after the colon in 'b:2' [yaml-syntax]", SPACE),
    (
        "-a\n-b\nc: 1\n",
        "2:1: no space after the dash in '-b' [yaml-syntax]",
        "write '- ' with a space",
    ),
    (
        "d: Note: x\n",
        "1:8: the unquoted value of 'd' holds a colon and a space [yaml-syntax]",
        "put quotes around the value",
    ),
    (
        "a:\n  b: c\n    d: e\n",
        "3:5: a key cannot stand here: the line above has a value already [yaml-syntax]",
        "indent both lines alike, or put quotes around a text of several lines",
    ),
    (
        "a:\n  b: 1\n c: 2\n",
        "3:2: the indentation of 'c: 2' fits no line above [yaml-syntax]",
        "the keys of one mapping begin in the same column",
    ),
    (
        "a:\n  - x\n  b: 1\n",
        "3:3: expected '- ' as in the list begun on line 2, found 'b: 1' [yaml-syntax]",
        "indent the lines of an item further than its '-'",
    ),
    (
        "a: 1\n- b\n",
        "2:1: a list item cannot stand among keys, found '- b' [yaml-syntax]",
        "indent it below the key it belongs to",
    ),
    (
        "a: - x\n",
        "1:4: a list cannot begin on the line of its key [yaml-syntax]",
        "begin the list on the next line, or write it as [a, b]",
    ),
    (
        "a: 1\nfoo\nb: 2\n",
        "2:1: expected 'key: value', found 'foo' [yaml-syntax]",
        "put quotes around a text of several lines, or begin it with '|'",
    ),
    (
        "a: [1, 2\nb: 3\n",
        "2:2: expected ',' or ']', found ': 3' [yaml-syntax]",
        "the '[' at line 1, column 4 is still open",
    ),
    ("a: {b: {c}\n", "1:4: this '{' is never closed [yaml-syntax]", "close it with '}'"),
    (
        "a: [[",
        "2:1: expected a value, found the end of the file [yaml-syntax]",
        "put quotes around the value if it is meant as text",
    ),
    ("a: @b\n", "1:4: an unquoted value cannot begin with '@' [yaml-syntax]", QUOTE_IT),
    ("a: **b**\n", "1:4: '*' begins an alias, expected its name [yaml-syntax]", QUOTE_IT),
    ("a: &\n", "1:4: '&' begins an anchor, expected its name [yaml-syntax]", QUOTE_IT),
    ("a: !x!y z\n", "1:4: '!' begins a tag, and this one is not known [yaml-syntax]", QUOTE_IT),
    ('a: "\\q"\n', "1:5: the escape \\q stands for no character [yaml-syntax]", MEND_ESCAPE),
    (
        'a: "\\ud800"\n',
        "1:5: the escape \\ud800 stands for no character [yaml-syntax]",
        MEND_ESCAPE,
    ),
    (
        "a: |x\n  b\n",
        "1:5: 'x' cannot stand after '|' or '>' [yaml-syntax]",
        "begin the text on the next line, indented",
    ),
    (
        "%YAML 2.0\n---\na: 1\n",
        "1:1: this version of YAML is not known, expected 1.2 [yaml-syntax]",
        "remove the %YAML line",
    ),
    (
        "a: 1\n... b\n",
        "2:5: expected '---' or the end of the file [yaml-syntax]",
        "remove what follows the '...', or put '---' before it",
    ),
    (
        "a:\n  <<: 1\n",
        "2:7: '<<' merges mappings, expected a mapping or a list of mappings [yaml-merge]",
        "put quotes around '<<' if it is a key like others",
    ),
    (
        "a: &x [*x]\n",
        "1:8: the alias '*x' stands inside the node it repeats [yaml-recursive-alias]",
        "refer to a schema that holds itself with $ref",
    ),
    (
        "a: &base 1\nb: *bas\n",
        "2:4: the alias '*bas' repeats nothing, expected an anchor '&bas' above [yaml-undefined-alias]",
        "did you mean 'base'?",
    ),
    (
        "a: 1\n---\nb: 2\n",
        "2:1: a second document begins here, expected one document in a file [yaml-documents]",
        "put each document in a file of its own; remove the '---'",
    ),
    ("", "1:1: the document is empty [empty-document]", BEGIN),
    (" \n\n", "1:1: the document is empty [empty-document]", BEGIN),
    ("# only this\n", "1:1: the document is empty [empty-document]", BEGIN),
    ("---\n", "1:1: the document is empty [empty-document]", BEGIN),
    ("\ufeff", "1:1: the document is empty [empty-document]", BEGIN),
    (b"a: 1\nb: caf\xe9\n", "2:7: the byte 0xE9 is not UTF-8 [not-utf8]", SAVE),
    (b"\xc3\xa9: ok\r\nb: \xed\xa0\x80", "2:4: the byte 0xED is not UTF-8 [not-utf8]", SAVE),
    (b"\xff\xfea\x00:\x00 ", "1:3: the byte 0x20 is not UTF-16 [not-utf8]", SAVE),
    (
        "a: .inf\n",
        "1:4: '.inf' is not a number that JSON can hold [not-json]",
        "put it in quotes if it is meant as text",
    ),
    (
        "a: !x [1]\n",
        "1:4: the tag '!x' is not known for a list, expected !!seq or none [yaml-tag]",
        "remove the tag, or put quotes around the value if '!' is part of its text",
    ),
    (
        "a: !!int x\n",
        "1:4: 'x' is not what its tag !!int says [yaml-tag]",
        "remove the tag or mend the value",
    ),
    (
        "a: 1\n'a': 2\n",
        "2:1: the key 'a' is given twice, first at f:1:1 [duplicate-key]",
        "remove or rename one of the two",
    ),
    (
        "a: {{ x }}\n",
        "1:5: a mapping cannot be a key, expected text [yaml-key]",
        "put quotes around a value that begins with '{' or '['",
    ),
    (
        "a: \x7f\n",
        "1:4: the character U+007F cannot stand in a document [forbidden-character]",
        "remove it, or write it as an escape in double quotes",
    ),
    ("a:\r\t\xa0\rb: \n", "2:1: a tab indents this line [yaml-syntax]", NO_TABS),
]


@pytest.mark.parametrize(("text", "message", "hint"), WRONG)
def test_wrong_yaml(text: str | bytes, message: str, hint: str) -> None:
    assert complaints(text) == [f"f:{message}" + (f"\n    hint: {hint}" if hint else "")]


# A text with several things wrong, and what is said of each.
MANY: list[tuple[str | bytes, list[str]]] = [
    (
        "a: !!binary aGk=\nb: !x [1]\nc: !!int x\nd: !!map [1]\n",
        [
            "1:4: the tag '!!binary' is not known for a scalar, expected !!str, !!int, !!float, !!bool, !!null or none [yaml-tag]",
            "2:4: the tag '!x' is not known for a list, expected !!seq or none [yaml-tag]",
            "3:4: 'x' is not what its tag !!int says [yaml-tag]",
            "4:4: the tag '!!map' is not known for a list, expected !!seq or none [yaml-tag]",
        ],
    ),
    (
        "a: .inf\nb: -.Inf\nc: .NaN\nd: 1e999\n",
        [
            "1:4: '.inf' is not a number that JSON can hold [not-json]",
            "2:4: '-.Inf' is not a number that JSON can hold [not-json]",
            "3:4: '.NaN' is not a number that JSON can hold [not-json]",
            "4:4: '1e999' is not a number that JSON can hold [not-json]",
        ],
    ),
    (
        "a: 1\nb:\n  c: 1\n  'c': 2\na: 3\n",
        [
            "4:3: the key 'c' is given twice, first at f:3:3 [duplicate-key]",
            "5:1: the key 'a' is given twice, first at f:1:1 [duplicate-key]",
        ],
    ),
    (
        "a: {{ x }}\n? [b]\n: 1\n",
        [
            "1:5: a mapping cannot be a key, expected text [yaml-key]",
            "2:3: a list cannot be a key, expected text [yaml-key]",
        ],
    ),
    (
        "a: 1\na: 2\nb: @\n",
        [
            "2:1: the key 'a' is given twice, first at f:1:1 [duplicate-key]",
            "3:4: an unquoted value cannot begin with '@' [yaml-syntax]",
        ],
    ),
    (
        "a: \x00\nb: \x7f\x1b\n",
        [
            "1:4: the character U+0000 cannot stand in a document [forbidden-character]",
            "2:4: the character U+007F cannot stand in a document [forbidden-character]",
            "2:5: the character U+001B cannot stand in a document [forbidden-character]",
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), MANY)
def test_all_that_is_wrong_is_told_at_once(text: str | bytes, expected: list[str]) -> None:
    assert [said.splitlines()[0] for said in complaints(text)] == [f"f:{m}" for m in expected]


CLOSE_IT = "close it; a line break inside a text is written \\n"
MEND_JSON_ESCAPE = "write \\\\ for a backslash; \\u needs four hexadecimal digits"
QUOTED_KEY = 'a key stands in double quotes: "…"'


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ('{"a": 1,}', "1:9", "expected a key, found '}'", "remove the comma before it"),
        ("[1,\n]", "2:1", "expected a value, found ']'", "remove the comma before it"),
        ('{"a": 1 "b": 2}', "1:9", "expected ',' or '}', found '\"b\"'", "put a comma before it"),
        ("[1 2]", "1:4", "expected ',' or ']', found '2'", "put a comma before it"),
        ('{"a" 1}', "1:6", "expected ':' after the key 'a', found '1'", 'write "key": value'),
        ("{a: 1}", "1:2", "expected a key, found 'a'", QUOTED_KEY),
        ("{'a': 1}", "1:2", 'expected a key, found "\'"', 'JSON puts text in double quotes: "…"'),
        ('{\n\t"a": True}', "2:7", "expected a value, found 'True'", "write true"),
        ("{ // c\n}", "1:3", "expected a key, found '/'", "JSON has no comments; remove it"),
        ("[01]", "1:3", "expected ',' or ']', found '1'", "put a comma before it"),
        ("[1] x", "1:5", "expected the end of the file, found 'x'", "a JSON file holds one value"),
        (
            '{"a": [1,',
            "1:10",
            "expected a value, found the end of the file",
            "the '[' at f.json:1:7 is not closed",
        ),
        (
            "asyncapi: 3",
            "1:1",
            "expected a value, found 'asyncapi'",
            'text stands in double quotes: "…"',
        ),
        ('["a\nb"]', "1:2", "this text has no closing '\"' on its line", CLOSE_IT),
        ('["a', "1:2", "this text has no closing '\"' on its line", CLOSE_IT),
        ('["a\tb"]', "1:4", "'\\t' cannot stand in a text as it is", "write a tab as \\t"),
        ('["a\\q"]', "1:4", "\\q begins no escape that JSON knows", MEND_JSON_ESCAPE),
        ('["a\\u12"]', "1:4", "\\u begins no escape that JSON knows", MEND_JSON_ESCAPE),
    ],
)
def test_wrong_json(text: str, place: str, message: str, hint: str) -> None:
    expected = f"f.json:{place}: {message} [json-syntax]" + (f"\n    hint: {hint}" if hint else "")
    assert complaints(text, "f.json") == [expected]


@pytest.mark.parametrize("name", ["f", "f.json"])
def test_json_that_cannot_be_used_is_told_all_at_once(name: str) -> None:
    text = (
        '{"a": "\\ud800",\n "b": NaN, "a": -Infinity,\n "c": 1e999, "\\u0061": ' + "9" * 5000 + "}"
    )
    assert rules(text, name) == [
        "1:7 forbidden-character",
        "2:7 not-json",
        "2:12 duplicate-key",
        "2:17 not-json",
        "3:7 not-json",
        "3:14 duplicate-key",
        "3:24 not-json",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "a": 2, "b" 3, "c": @}', ["1:10 duplicate-key", "1:22 json-syntax"]),
        ("{a: 1, a: 2, b: {},\n c: @}", ["1:8 duplicate-key", "2:5 yaml-syntax"]),
    ],
)
def test_what_is_neither_json_nor_yaml_is_judged_as_what_it_looks_like(
    text: str, expected: list[str]
) -> None:
    assert rules(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "é: [x,\r\n  'y', 😀 , \"z\"]\rq:\n- - w\n- k: 1\n  l: true\n",
        '{\r\n\t"é": ["x", -1.5,\r true],\n"😀":{"k" : null}}',
        "a: x\u2028y\nb: z\n",
    ],
)
def test_locations_point_at_the_source(text: str) -> None:
    report = Report()
    root = parse(text.encode(), "f", report)
    assert report.diagnostics == ()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for node in walk(root):
        rest = lines[node.location.line - 1][node.location.column - 1 :]
        if isinstance(node, Scalar):
            word = node.value if isinstance(node.value, str) else json.dumps(node.value)
            assert rest.lstrip("'\"").startswith(word)
        if isinstance(node, Object):
            assert list(node.keys) == list(node.fields)
            for key, place in node.keys.items():
                assert lines[place.line - 1][place.column - 1 :].lstrip('"').startswith(key)


def test_locations_of_collections_aliases_and_absent_values() -> None:
    root = parse(b"a:\n- x\nb: &n {c: 1}\nd: *n\ne:\nf: {<<: *n}\n", "f", Report())
    assert isinstance(root, Object)
    places = {key: str(node.location) for key, node in root.fields.items()}
    assert places == {"a": "f:2:1", "b": "f:3:4", "d": "f:3:4", "e": "f:5:3", "f": "f:6:4"}
    merged = root.fields["f"]
    assert isinstance(merged, Object)
    assert str(merged.keys["c"]) == "f:3:8"


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
    begun = time.perf_counter()
    assert rules(text) == [f"{place} {rule}"]
    assert time.perf_counter() - begun < 2


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


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(st.text(), VALUES) | st.lists(VALUES)


RAW_FORBIDDEN = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]")


@given(
    DOCUMENTS,
    st.sampled_from([None, 0, 2, "\t"]),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", " : ")]),
    st.booleans(),
)
def test_json_comes_back(
    value: Json, indent: int | str | None, separators: tuple[str, str], ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only)
    if RAW_FORBIDDEN.search(text):
        assert {wrong.rule for wrong in found(text)} == {"forbidden-character"}
        return
    for name in ("f", "f.json"):
        assert repr(tree(text, name)) == repr(value)


class Quoting(yaml.SafeDumper):
    """Puts every text in quotes: PyYAML writes by YAML 1.1, where 0o7 and 1e3 need none."""


Quoting.add_representer(
    str, lambda to, text: to.represent_scalar("tag:yaml.org,2002:str", text, '"')
)


@given(DOCUMENTS, st.booleans())
def test_yaml_comes_back(value: Json, flow: bool) -> None:
    text = yaml.dump(value, Dumper=Quoting, default_flow_style=flow, sort_keys=False)
    assert repr(tree(text)) == repr(value)


def load_text(path: Path) -> str:
    report = Report()
    with pytest.raises(Refused) as caught:
        load(path, report)
    assert caught.value.diagnostics == report.diagnostics
    return str(caught.value)


def test_a_source_knows_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec.yaml").write_bytes(b"a: 1\n")
    monkeypatch.chdir(tmp_path)
    source = load(Path("spec.yaml"), Report())
    assert (source.path, source.name) == (Path("spec.yaml"), "spec.yaml")
    assert source.digest == hashlib.sha256(b"a: 1\n").hexdigest()
    assert str(source.root.location) == "spec.yaml:1:1"
    assert plain(source.root) == {"a": 1}


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    assert load_text(Path("docs")) == (
        "docs:1:1: this is a folder, expected a file [file-is-folder]\n    hint: name the document"
    )
    Path("docs/voice-call.yaml").write_text("a: 1")
    assert load_text(Path("docs")) == (
        "docs:1:1: this is a folder, expected a file [file-is-folder]\n"
        "    hint: name the document, such as docs/voice-call.yaml"
    )
    assert load_text(Path("docs/voice-cal.yml")) == (
        "docs/voice-cal.yml:1:1: no such file, expected a YAML or JSON document [file-missing]\n"
        "    hint: did you mean 'voice-call.yaml'?"
    )
    for missing in ("nowhere/spec.yaml", "docs/voice-call.yaml/x", "docs/\ud800"):
        assert load_text(Path(missing)) == (
            f"{escaped(missing)}:1:1: no such file, expected a YAML or JSON document [file-missing]\n"
            "    hint: a path is relative to the current folder"
        )
    Path("loop.yaml").symlink_to("loop.yaml")
    assert load_text(Path("loop.yaml")) == (
        "loop.yaml:1:1: the file cannot be read: too many levels of symbolic links"
        " [file-unreadable]\n    hint: give who runs this the right to read it"
    )


@pytest.mark.parametrize(
    ("given", "told", "hint"),
    [
        (
            "https://example.org/v1/a.yaml?x=1",
            "https://example.org/v1/a.yaml?x=1:1:1: this is a URL, and a document is read from a file",
            "download it first, such as with: curl -fL -o a.yaml 'https://example.org/v1/a.yaml?x=1'",
        ),
        (
            "https://example.org/",
            "https://example.org:1:1: this is a URL, and a document is read from a file",
            "download it first, such as with: curl -fL -o spec.yaml https://example.org",
        ),
        (
            "file:///tmp/a.yaml",
            "file:///tmp/a.yaml:1:1: this is a URL, and a document is read from a file",
            "name the file itself: /tmp/a.yaml",
        ),
        (
            "git://example.org/a.yaml",
            "git://example.org/a.yaml:1:1: this is a URL, and a document is read from a file",
            "save the document to a file first, and name that",
        ),
        (
            "-",
            "-:1:1: standard input is not read, and a document is read from a file",
            "save the document to a file first, and name that",
        ),
        (
            "asyncapi: 3.0.0\ninfo: {title: T, version: '1'}\nchannels: {}\n" + "#" * 5000,
            "asyncapi: 3.0.0\\ninfo: {title: T, versio…:1:1: this is the text of a document, "
            "and a document is read from a file",
            "save the text to a file first, and name that",
        ),
        (
            '{"asyncapi": "3.0.0"}',
            '{"asyncapi": "3.0.0"}:1:1: this is the text of a document, and a document is read from a file',
            "save the text to a file first, and name that",
        ),
        (
            "a" * 5000,
            f"{'a' * 39}…:1:1: the file cannot be read: file name too long",
            "no file can have that name: check what is given as the document",
        ),
    ],
    ids=["https", "folder", "file", "git", "stdin", "yaml", "json", "long"],
)
def test_what_is_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, told: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    rule = "file-unreadable" if given.startswith("aaa") else "file-missing"
    assert load_text(Path(given)) == f"{told} [{rule}]\n    hint: {hint}"


def test_a_document_of_900_lines_loads_at_once() -> None:
    entry = (
        "    name{0}:\n      type: string\n      description: What {0} says, in a line of text.\n"
    )
    data = ("components:\n  schemas:\n" + "".join(entry.format(i) for i in range(300))).encode()
    durations = []
    for _ in range(5):
        begun = time.perf_counter()
        parse(data, "f", Report())
        durations.append(time.perf_counter() - begun)
    limit = 0.03 if hasattr(yaml, "CSafeLoader") else math.inf
    assert min(durations) < limit
