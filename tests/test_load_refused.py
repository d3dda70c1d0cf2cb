"""Loading: what is neither YAML nor JSON, nor can be used as such, is told with its place and how to mend it."""

from __future__ import annotations

import pytest
from texts import complaints, rules

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
