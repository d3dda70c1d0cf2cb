"""Loading: text in, tree out, and every node knows where it begins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from aoba_gen import load_yaml
from aoba_gen.diagnostics import Report
from aoba_gen.load import Json, Node, Object, Scalar, parse
from hypothesis import given
from hypothesis import strategies as st
from texts import found, tree


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
