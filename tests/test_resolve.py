"""References: over files and through each other, misspelled, broken or remote, and what is said of those."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Final, TypeAlias

import pytest
from aoba_gen.diagnostics import Refused, Report
from aoba_gen.load import load, plain
from aoba_gen.references import References, Spot
from aoba_gen.resolve import Document, Place, resolve
from click.testing import Result

CASES: Final = Path(__file__).parent / "cases" / "resolve"
HEAD: Final = "asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\n"
Cli: TypeAlias = Callable[..., Result]
Write: TypeAlias = Callable[..., Path]


def read(spec: Path) -> tuple[Document, list[str]]:
    """The document, and every diagnostic without the folder it lies in."""
    report = Report()
    document = resolve(load(spec, report), report)
    return document, [str(found).replace(f"{spec.parent}/", "") for found in report.diagnostics]


def at(place: Place, *names: str) -> Place:
    """The place below `place`, references followed."""
    for name in names:
        found = place.get(name)
        assert found is not None, f"{place.pointer} has no {name!r}"
        place = found
    return place


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files, the first of them the document below HEAD, and gives its path."""

    def files(spec: str, **others: str) -> Path:
        (tmp_path / "spec.yaml").write_text(HEAD + dedent(spec).lstrip())
        for name, text in others.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text))
        return tmp_path / "spec.yaml"

    return files


# Over files


def test_references_lead_over_files() -> None:
    document, said = read(CASES / "many_files" / "spec.yaml")
    assert said == []
    assert document.root.get("info") == at(document.root, "info")
    messages = at(document.root, "channels", "readings", "messages")
    assert {name: place.pointer for name, place in messages.fields()} == {
        "Reading": "parts/messages.yaml#/Reading",
        "Alarm": "station.yaml#/components/messages/Alarm",
    }
    (used,) = at(document.root, "operations", "sendReading", "messages").items()
    assert used.pointer == "parts/messages.yaml#/Reading"
    payload = at(used, "payload")
    assert payload.pointer == "parts/schemas.json#/definitions/Reading"
    assert at(document.root, "components", "schemas", "Again") == payload
    assert at(payload, "properties", "place").pointer == "#/components/schemas/Place"
    assert at(payload, "properties", "value").pointer == "parts/schemas.json#/definitions/Number"
    assert at(payload, "properties", "before") == payload
    assert payload.location.file.endswith("/parts/schemas.json")


def test_a_description_may_stand_in_a_file_of_its_own() -> None:
    document, _ = read(CASES / "many_files" / "spec.yaml")
    assert at(document.root, "info").text("description").startswith("Tells what a weather station")


def test_a_part_of_another_document_is_read_by_that_documents_version() -> None:
    document, _ = read(CASES / "many_files" / "spec.yaml")
    alarm = at(document.root, "channels", "readings", "messages", "Alarm")
    assert (document.version, alarm.version) == ("3.0.0", "2.6.0")
    assert [name for name, _ in alarm.fields()] == ["payload", "headers"]
    assert at(alarm, "payload", "schema").pointer == f"{alarm.pointer}/payload"
    assert at(alarm, "headers").pointer.startswith("station.yaml#/components/messageTraits/")


def test_every_file_read_is_listed() -> None:
    document, _ = read(CASES / "many_files" / "spec.yaml")
    assert list(document.files) == [
        "",
        "docs/about.md",
        "parts/messages.yaml",
        "station.yaml",
        "parts/schemas.json",
    ]


def test_a_fault_in_another_file_is_told_where_it_is(write: Write) -> None:
    spec = write(
        "components: {schemas: {A: {$ref: ./a.yaml}, B: {$ref: b.yaml#/B}, C: {$ref: b.yaml#/X}}}",
        a_yaml="type: [",
        b_yaml="B: {properties: {a: {$ref: '#/Bee'}}}\nX: {$ref: ../other.json}",
    )
    _, said = read(spec)
    assert [line.partition("\n")[0] for line in said[1:]] == [
        "b.yaml:1:28: $ref '#/Bee' leads nowhere: 'b.yaml' has no 'Bee' [ref-dangling]",
        "b.yaml:2:11: $ref '../other.json' leads out of the folder of the document [ref-outside]",
    ]
    assert said[0].startswith("a.yaml:2:1: ")


def test_what_nothing_refers_to_in_another_file_is_not_looked_at(write: Write) -> None:
    spec = write(
        "components: {schemas: {A: {$ref: './a.yaml#/A'}}}",
        a_yaml="A: {type: string}\nB: {$ref: '#/C'}",
    )
    assert read(spec)[1] == []


def test_two_ways_to_one_file_are_one_place(write: Write) -> None:
    spec = write(
        """
        components:
          schemas:
            A: {$ref: 'sub/a.yaml#/A'}
            B: {$ref: './sub/../sub/a.yaml#/A'}
            C: {$ref: 'spec.yaml#/components/schemas/D'}
            D: {type: string}
        """,
        sub__a_yaml="A: {$ref: '../spec.yaml#/components/schemas/D'}",
    )
    document, said = read(spec)
    schemas = at(document.root, "components", "schemas")
    assert said == []
    assert {place.pointer for _, place in schemas.fields()} == {"#/components/schemas/D"}
    assert list(document.files) == ["", "sub/a.yaml"]


def test_a_change_in_any_file_is_a_change(write: Write, cli: Cli, tmp_path: Path) -> None:
    spec = write(
        """
        channels: {room: {address: room, messages: {Said: {$ref: said.yaml}}}}
        operations: {say: {action: send, channel: {$ref: '#/channels/room'}}}
        """,
        said_yaml="payload: {$ref: text.yaml}",
        text_yaml="type: object",
    )
    out = tmp_path / "out"
    assert cli(spec, "-o", out).exit_code == 0
    assert cli(spec, "-o", out, "--check").exit_code == 0
    (tmp_path / "text.yaml").write_text("{type: object, properties: {text: {type: string}}}")
    assert cli(spec, "-o", out, "--check").exit_code == 1


# Spellings


def test_names_are_found_escaped_and_unescaped() -> None:
    document, said = read(CASES / "spellings" / "spec.yaml")
    operations = at(document.root, "operations")
    assert [at(operation, "channel").pointer for _, operation in operations.fields()] == [
        "#/channels/lamps~1all",
        "#/channels/lamps~1all",
        "#/channels/lamps~1all",
        "#/channels/50%",
        "#/channels/50%",
        "#/channels/a~0b",
    ]
    assert said == [
        "spec.yaml:30:13: warning: $ref '#/channels/lamps/all' does not escape the names in it [ref-unescaped]\n"
        "    hint: write: $ref: '#/channels/lamps~1all'",
        "spec.yaml:32:15: warning: $ref '#/channels/lamps/all/messages/On' does not escape the names in it "
        "[ref-unescaped]\n    hint: write: $ref: '#/channels/lamps~1all/messages/On'",
    ]


@pytest.mark.parametrize(
    ("ref", "pointer"),
    [
        ("#/components/schemas/Outer/definitions/Inner", "/definitions/Inner"),
        ("#/components/schemas/Outer/$defs/Named", "/$defs/Named"),
        ("#there", "/$defs/Named"),
        ("https://example.com/outer.json", ""),
        ("https://example.com/outer.json#/definitions/Inner", "/definitions/Inner"),
        ("https://example.com/named.json", "/$defs/Named"),
        ("named.json", "/$defs/Named"),
        ("http://[", "/$defs/Odd"),
    ],
)
def test_ids_and_anchors(write: Write, ref: str, pointer: str) -> None:
    spec = write(f"""
        components:
          schemas:
            Outer:
              $id: https://example.com/outer.json
              definitions: {{Inner: {{type: string}}}}
              $defs: {{Named: {{$id: named.json, $anchor: there}}, Odd: {{$id: 'http://['}}}}
            Asked: {{$ref: '{ref}'}}
        """)
    document, said = read(spec)
    asked = at(document.root, "components", "schemas", "Asked")
    assert (asked.pointer, said) == (f"#/components/schemas/Outer{pointer}", [])


@pytest.mark.parametrize(
    "ref", ["/schemas/address", "address", "https://example.com/schemas/address"]
)
def test_an_id_is_relative_to_the_one_around_it(write: Write, ref: str) -> None:
    spec = write(f"""
        components:
          schemas:
            Person:
              $id: https://example.com/schemas/person
              properties: {{at: {{$ref: '{ref}'}}}}
              definitions: {{Address: {{$id: /schemas/address}}}}
        """)
    document, said = read(spec)
    person = at(document.root, "components", "schemas", "Person")
    assert at(person, "properties", "at") == at(person, "definitions", "Address")
    assert said == []


def test_a_schema_with_an_id_is_a_root_of_its_own(write: Write) -> None:
    spec = write("""
        components:
          schemas:
            Outer:
              $id: https://example.com/outer.json
              definitions: {Inner: {type: string}}
              properties: {inner: {$ref: '#/definitions/Inner'}}
        """)
    document, said = read(spec)
    inner = at(document.root, "components", "schemas", "Outer", "properties", "inner")
    assert (inner.pointer, said) == ("#/components/schemas/Outer/definitions/Inner", [])


def test_what_stands_beside_a_reference(write: Write) -> None:
    spec = write("""
        components:
          schemas:
            A: {type: object, properties: {b: {$ref: '#/components/schemas/B', description: Mine}}}
            B: {type: string, description: Its own}
        """)
    document, _ = read(spec)
    raw = at(document.root, "components", "schemas", "A", "properties").raw("b")
    assert raw is not None
    assert [(name, place.value()) for name, place in raw.siblings()] == [("description", "Mine")]
    assert document.follow(raw).text("description") == "Its own"
    assert list(document.follow(raw).siblings()) == []


def test_a_property_called_ref_is_no_reference(write: Write) -> None:
    spec = write("""
        components:
          schemas:
            A: {properties: {$ref: {type: string}, default: {$ref: '#/components/schemas/B'}}}
            B: {default: {$ref: '#/nowhere'}, x-mine: {$ref: '#/nowhere'}}
        """)
    document, said = read(spec)
    properties = at(document.root, "components", "schemas", "A", "properties")
    assert [place.pointer for _, place in properties.fields()] == [
        "#/components/schemas/A/properties/$ref",
        "#/components/schemas/B",
    ]
    assert said == []


@pytest.mark.parametrize(
    "ref", ["my%20lamps.yaml", "my lamps.yaml", "50%25.yaml", "50%.yaml", "a%20b.yaml"]
)
def test_names_of_files_are_found_escaped_and_unescaped(tmp_path: Path, ref: str) -> None:
    for name in ("my lamps.yaml", "50%.yaml", "a%20b.yaml"):
        (tmp_path / name).write_text("type: string")
    spec = tmp_path / "spec.yaml"
    spec.write_text(HEAD + f"components: {{schemas: {{A: {{$ref: '{ref}'}}}}}}")
    document, said = read(spec)
    assert at(document.root, "components", "schemas", "A").text("type") == "string"
    assert said == []


# Broken ones


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("'#/components/schemas/Lmap'", "has no 'Lmap' [ref-dangling]|did you mean 'Lamp'?"),
        ("'#/Lamp'", "the document has no 'Lamp' [ref-dangling]|the document has 'asyncapi', "),
        ("'#components/schemas/Lamp'", "is no pointer, expected|mean '#/components/schemas/Lamp'?"),
        ("Lamp", "is no pointer, expected one such as|begin with '#/'"),
        ("lmaps.yaml", "there is no file 'lmaps.yaml' [ref-file]|did you mean 'lamps.yaml'?"),
        ("lamps.yaml#/Lmap", "'lamps.yaml' has no 'Lmap' [ref-dangling]|did you mean 'Lamp'?"),
        ("/lamps.yaml", "is a path of one machine|write it relative to the folder"),
        (
            "parts\\lamps.yaml",
            "there is no file 'parts\\\\lamps.yaml' [ref-file]|write '/' between",
        ),
        (f"{'x' * 300}.yaml", "there is no file 'xxx|a path is relative"),
        ('"a\\0.yaml"', "there is no file 'a|did you mean 'lamps.yaml'?"),
        ('"a\\0/b.yaml"', "there is no file 'a|a path is relative"),
        ("'C:\\lamps.yaml'", "is a path of one machine|write it relative to the folder"),
        ("lamps.yaml#Lamp", "is no pointer, expected one such as|begin with '#/'"),
        ("5", "a $ref is a pointer in text such as|put it in quotes"),
        ('["#/components"]', "a $ref is a pointer in text|put it in quotes"),
        ("'#/components/schemas/A'", "leads back to itself and never to a value [ref-cycle]|let"),
    ],
)
def test_a_broken_reference_is_told_once_where_it_stands(write: Write, ref: str, said: str) -> None:
    spec = write(
        f"""
        components:
          messages: {{M: {{payload: {{$ref: '#/components/schemas/A'}}}}}}
          schemas:
            A:
              $ref: {ref}
            Lamp: {{type: object}}
        """,
        lamps_yaml="Lamp: {type: object}",
    )
    _, found = read(spec)
    message, hint = said.split("|")
    assert len(found) == 1
    assert found[0].startswith("spec.yaml:7:13: ")
    assert message in found[0].partition("\n")[0]
    assert hint in found[0].partition("\n")[2]


@pytest.mark.parametrize(
    ("schemas", "lines"),
    [
        ("A: {$ref: '#/components/schemas/A/b'}", [5]),
        ("A: {$ref: '#/components/schemas/B'}\n    B: {$ref: '#/nowhere'}", [6]),
        ("A: {$ref: '#/components/schemas/B/c'}\n    B: {$ref: '#/nowhere'}", [6]),
        ("A: {$ref: '#/x-mine/b'}\nx-mine: {b: {$ref: '#/nowhere'}}", [6]),
        ("A: {$ref: '#/x-mine/b/c'}\nx-mine: {b: {$ref: '#/nowhere'}}", [6]),
        ("A: {$ref: '#/x-mine/b'}\nx-mine: {b: {$ref: '#/x-mine/b'}}", [6]),
        ("A: {$ref: '#/x-mine/b'}\nx-mine: {b: {items: {$ref: '#/nowhere'}}}", [6]),
        ("A: {$ref: a.yaml}\n    B: {$ref: 'a.yaml#/b'}", [2]),
    ],
)
def test_who_leads_to_a_broken_reference_is_not_told_of(
    write: Write, schemas: str, lines: list[int]
) -> None:
    spec = write(f"components:\n  schemas:\n    {schemas}", a_yaml="a: [")
    report = Report()
    resolve(load(spec, report), report)
    assert [found.location.line for found in report.diagnostics] == lines


def test_what_a_remote_reference_leaves_open_or_is_refused_for(write: Write) -> None:
    spec = write("""
        channels:
          room:
            address: '{room}'
            messages:
              A: {payload: {$ref: 'https://example.com/a.json'}}
              B: {$ref: '#/components/messages/B'}
            parameters: {room: {$ref: 'https://example.com/c.json'}}
            bindings: {$ref: 'https://example.com/d.json'}
          message: {$ref: 'https://example.com/e.json'}
        components: {messages: {B: {$ref: 'https://example.com/b.json'}}}
        """)
    report = Report()
    document = resolve(load(spec, report), report)
    told = [(each.severity.name, each.location.line, each.rule) for each in report.diagnostics]
    warned = [("WARNING", line, "remote-ref") for line in (7, 9, 10, 12)]
    assert sorted(told, key=lambda one: one[1]) == [
        *warned[:3],
        ("ERROR", 11, "remote-ref"),
        warned[3],
    ]
    channel = at(document.root, "channels", "room")
    assert at(channel, "messages", "A", "payload").value() is True
    message = at(channel, "messages", "B")
    assert (message.value(), message.pointer) == ({"payload": True}, "#/components/messages/B")
    assert at(channel, "parameters", "room").value() == {}


def test_each_reference_is_followed_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    links = (f"    S{i}: {{$ref: '#/components/schemas/S{i + 1}'}}" for i in range(500))
    spec = write("\n".join(["components:", "  schemas:", *links, "    S500: {type: string}"]))
    followed: list[str] = []
    target = References._target

    def counted(self: References, spot: Spot, ref: str, active: dict[str, None]) -> Spot:
        followed.append(ref)
        return target(self, spot, ref, active)

    monkeypatch.setattr(References, "_target", counted)
    document, said = read(spec)
    for _ in range(3):
        schemas = at(document.root, "components", "schemas").fields()
        assert {place.key for _, place in schemas} == {"S500"}
    assert said == []
    assert len(followed) == 2 * len(set(followed)) == 1000  # once to look, once to arrive


@pytest.mark.parametrize("case", sorted(place.name for place in CASES.iterdir()))
def test_each_case_generates(cli: Cli, tmp_path: Path, case: str) -> None:
    result = cli(CASES / case / "spec.yaml", "-o", tmp_path)
    assert (result.exit_code, "error" in result.stderr) == (0, False)
    (package,) = tmp_path.iterdir()
    pointer = re.compile(r'pointer="(.*)#(/.*)"')
    for file, steps in pointer.findall((package / "messages.py").read_text()):
        node = plain(load(CASES / case / (file or "spec.yaml"), Report()).root)
        for step in steps.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            assert isinstance(node, (dict, list))
            node = node[int(name)] if isinstance(node, list) else node[name]
        assert isinstance(node, dict)


def test_an_unknown_version_is_refused(write: Write) -> None:
    spec = write("")
    spec.write_text("asyncapi: 1.2.0\n")
    with pytest.raises(Refused, match=r"spec.yaml:1:11: '1.2.0' is no version") as refused:
        read(spec)
    assert "asyncapi convert" in str(refused.value)
