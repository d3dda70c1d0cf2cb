"""What schemas become: packages are generated from small documents, imported, and given messages."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest
import yaml
from aoba_gen import build_operations
from aoba_runtime import BadMessage, Client
from click.testing import Result

Generate: TypeAlias = Callable[[str], ModuleType]
Refuse: TypeAlias = Callable[[str], str]
COUNT = itertools.count()


def document(schemas: str) -> str:
    """A document whose one message `M` has the payload `P`, one of `schemas` (YAML)."""
    tree = {
        "asyncapi": "3.0.0",
        "info": {"title": "Small", "version": "1"},
        "channels": {"c": {"messages": {"M": {"payload": {"$ref": "#/components/schemas/P"}}}}},
        "components": {"schemas": yaml.safe_load(schemas)},
    }
    return json.dumps(tree)


@pytest.fixture
def generate(
    cli: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Generate]:
    """Generates a package from schemas and imports it."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def call(schemas: str) -> ModuleType:
        name = f"small{next(COUNT)}"
        (tmp_path / "spec.json").write_text(document(schemas))
        result = cli(tmp_path / "spec.json", "-o", tmp_path, "--package", name)
        assert result.exit_code == 0, result.stderr
        return importlib.import_module(name)

    yield call
    for name in set(sys.modules) - before:
        if name.startswith("small"):
            del sys.modules[name]


@pytest.fixture
def refuse(cli: Callable[..., Result], tmp_path: Path) -> Refuse:
    """Gives what is said of schemas that cannot be generated."""

    def call(schemas: str) -> str:
        (tmp_path / "spec.json").write_text(document(schemas))
        result = cli(tmp_path / "spec.json", "-o", tmp_path)
        assert result.exit_code == 1
        return result.stderr

    return call


def takes(package: ModuleType, **payload: object) -> bool:
    """Whether the message takes a payload, and gives it back as it was."""
    try:
        value = package.MESSAGES["M"].decode(json.dumps(payload))
    except BadMessage:
        return False
    assert json.loads(package.MESSAGES["M"].encode(value)) == payload
    return True


@pytest.mark.parametrize("order", ["P S", "S P"])
def test_a_component_keeps_its_name_whoever_uses_it_first(generate: Generate, order: str) -> None:
    schemas = {
        "P": "P: {type: object, properties: {state: {$ref: '#/components/schemas/S'}}}\n",
        "S": "S: {type: string, enum: [good, bad]}\n",
    }
    package = generate("".join(schemas[name] for name in order.split()))
    assert list(package.models.S) == ["good", "bad"]
    assert not hasattr(package.models, "PState")


def test_a_base_that_is_a_message_keeps_what_its_heirs_narrow(generate: Generate) -> None:
    package = generate("""
        P: {type: object, required: [k], properties: {k: {type: string}}}
        B:
          allOf:
            - $ref: '#/components/schemas/P'
            - {properties: {k: {const: b}}, required: [n], type: object}
        """)
    assert takes(package, k="x") and not takes(package, k=5)
    assert package.models.B(n=1).k == "b"


def test_a_grandchild_narrows(generate: Generate) -> None:
    package = generate("""
        K: {type: string, enum: [x, y]}
        A: {type: object, required: [k], properties: {k: {$ref: '#/components/schemas/K'}, n: {type: integer}}}
        B: {allOf: [{$ref: '#/components/schemas/A'}, {type: object, properties: {t: {type: string}}}]}
        P: {allOf: [{$ref: '#/components/schemas/B'}, {type: object, properties: {k: {const: x}}}]}
        """)
    assert takes(package, k="x", n=1, t="") and not takes(package, k="y") and not takes(package)
    assert issubclass(package.models.P, package.models.B) and issubclass(
        package.models.B, package.models.A
    )


def test_enum_members_may_be_called_anything(generate: Generate) -> None:
    package = generate(
        "P: {type: object, properties: {e: {type: string, enum: [c0, C1x, mro, p0], default: c0}}}"
    )
    assert [member.name for member in package.models.PE] == ["C0", "C1X", "MRO", "P0"]
    assert package.models.P().e is package.models.PE.C0


def test_all_parts_of_an_all_of_count(generate: Generate) -> None:
    package = generate("""
        B: {type: object, properties: {a: {type: integer}}}
        P:
          allOf:
            - allOf: [{$ref: '#/components/schemas/B'}, {type: object, properties: {b: {type: string}}}]
            - {type: object, required: [b]}
        """)
    assert takes(package, a=1, b="") and not takes(package, a="1", b="") and not takes(package, a=1)


def test_bounds_inside_of_lists_hold(generate: Generate) -> None:
    package = generate(
        "P: {type: object, properties: {l: {type: array, items: {type: string, maxLength: 2}}}}"
    )
    assert takes(package, l=["ab"]) and not takes(package, l=["abc"])


def test_objects_may_refer_to_each_other_in_rings(generate: Generate) -> None:
    package = generate("""
        P: {type: object, required: [q], properties: {q: {$ref: '#/components/schemas/Q'}}}
        Q: {type: object, properties: {p: {$ref: '#/components/schemas/P'}}}
        """)
    assert (
        takes(package, q={})
        and takes(package, q={"p": {"q": {}}})
        and not takes(package, q={"p": {}})
    )


def test_classes_may_have_the_names_of_what_is_imported(generate: Generate) -> None:
    package = generate("""
        Field: {type: object, properties: {aB: {type: string, minLength: 1}}}
        Literal: {type: string, enum: [x]}
        P: {type: object, required: [f], properties: {f: {$ref: '#/components/schemas/Field'}, k: {const: c}}}
        """)
    assert takes(package, f={"aB": "x"}, k="c") and not takes(package, f={"aB": ""})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{type: string, minLength: -1}", "should be a whole number of at least 0, not -1"),
        ("{type: number, multipleOf: 0}", "should be a number above 0, not 0"),
        ("{type: null}", "write 'null' in quotes"),
        ("{type: string, x-aoba-default: uuid}", "which is optional and so may be left out anyway"),
    ],
)
def test_what_cannot_be_meant_is_refused(refuse: Refuse, schema: str, said: str) -> None:
    assert said in refuse(f"P: {{type: object, properties: {{x: {schema}}}}}")


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"channels": {"c": {"address": "c"}}},
        {"channels": {"c": {"messages": {"m": {}}}}},
        {"components": {"messages": {"m": {"contentType": "image/png", "payload": True}}}},
    ],
    ids=["nothing", "a channel", "no payload", "bytes"],
)
def test_a_document_may_have_no_schemas(
    cli: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rest: dict[str, object],
) -> None:
    name = f"small{next(COUNT)}"
    bare = {"asyncapi": "3.0.0", "info": {"title": "Bare", "version": "1"}, **rest}
    (tmp_path / "spec.json").write_text(json.dumps(bare))
    result = cli(tmp_path / "spec.json", "-o", tmp_path, "--package", name)
    assert result.exit_code == 0, result.output
    monkeypatch.syspath_prepend(tmp_path)
    package = importlib.import_module(name)
    assert set(package.MESSAGES) <= {"m"}
    assert (tmp_path / name / "models.py").read_text().endswith("annotations\n")


@pytest.mark.parametrize("symbols", [{}, {"symbols": []}, {"symbols": {"a": ["b"]}}])
def test_an_avro_enum_without_symbols_is_told(
    tmp_path: Path, cli: Callable[..., Result], symbols: dict[str, object]
) -> None:
    avro = {"type": "enum", "name": "Kind", **symbols}
    fields = [{"name": "f", "type": avro, "default": "a"}]
    payload = {
        "schemaFormat": "application/vnd.apache.avro;version=1.9.0",
        "schema": {"type": "record", "name": "R", "fields": fields},
    }
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "T", "version": "1"},
        "channels": {"c": {"address": "c", "messages": {"m": {"payload": payload}}}},
    }
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(document))
    result = cli(spec, "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr.count("an enum lists its 'symbols'")) == (0, 1)
    assert "f: Nullable[Any]" in (tmp_path / "out" / "t" / "models.py").read_text()


@pytest.mark.parametrize("kind", [["null"], {"a": 1}, [["record"]], 3])
def test_an_avro_type_of_any_shape_is_read_or_told(
    cli: Callable[..., Result], tmp_path: Path, kind: object
) -> None:
    avro = {"type": "record", "name": "R", "fields": [{"name": "f", "type": {"type": kind}}]}
    payload = {"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": avro}
    tree = json.loads(document("{}"))
    tree["channels"]["c"]["messages"]["M"]["payload"] = payload
    (tmp_path / "spec.json").write_text(json.dumps(tree))
    result = cli(tmp_path / "spec.json", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert ("[avro-type]" in result.stderr) is (kind != ["null"])


def test_a_text_says_its_format_where_its_type_does_not(generate: Generate) -> None:
    package = generate("""
        P:
          type: object
          properties:
            sent: {type: string, format: date-time, description: When it left.}
            link: {type: string, format: uri}
            id: {type: string, format: uuid, description: Its id.}
        """)
    text = Path(str(package.models.__file__)).read_text()
    docs = re.findall(r'^    """(.*)"""$', text, re.MULTILINE)
    assert docs == ["When it left (format: date-time).", "Format: uri", "Its id."]


def test_a_channel_of_one_type_has_no_other_name_for_it(generate: Generate) -> None:
    package = generate("P: {type: object, properties: {n: {type: integer}}}")
    assert package.decode.__annotations__["return"] == "models.P"
    assert not [name for name in package.__all__ if name.endswith("Message")]


def test_the_client_keeps_its_own_names() -> None:
    assert {
        name for name in dir(Client) if not name.startswith("_")
    } <= build_operations.CLIENT_NAMES


def chain(length: int, link: Callable[[str], object]) -> str:
    """Schemas P, A1, A2, ... of which each is `link` of the next, and the last is text."""
    names = ["P", *(f"A{number}" for number in range(1, length))]
    refs = [link(f"#/components/schemas/{name}") for name in names[1:]]
    return json.dumps(dict(zip(names, [*refs, {"type": "string"}], strict=True)))


def test_a_long_chain_of_classes_decodes(generate: Generate) -> None:
    package = generate(
        chain(300, lambda ref: {"type": "object", "properties": {"next": {"$ref": ref}}})
    )
    assert takes(package, next={"next": {}}) and not takes(package, next={"next": 1})


def test_a_long_chain_of_references_is_what_stands_at_its_end(generate: Generate) -> None:
    package = generate(chain(300, lambda ref: {"$ref": ref}))
    assert package.decode(b'"x"') == "x"


def test_types_that_nest_deeper_than_any_message_are_refused(refuse: Refuse) -> None:
    said = refuse(chain(200, lambda ref: {"type": "array", "items": {"$ref": ref}}))
    assert "more than 150 lists, maps or choices stand inside each other [too-deep]" in said


def test_a_deep_all_of_is_one_class(generate: Generate) -> None:
    ahead = {"type": "object", "properties": {"a": {"type": "integer"}}}
    package = generate(chain(200, lambda ref: {"allOf": [{"$ref": ref}, ahead]}).replace(
        '{"type": "string"}', '{"type": "object", "required": ["z"]}'
    ))  # fmt: skip
    assert takes(package, z=1, a=1) and not takes(package, a=1) and not takes(package, z=1, a="")
