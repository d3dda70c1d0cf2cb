"""What a peer's message may cost, and what a decoder says of anything at all."""

from __future__ import annotations

import importlib
import json
import random
import time
from pathlib import Path
from typing import Final

import aoba_voice_call_signaling as aoba
import pytest
import yaml
from conftest import Cli

from aoba_runtime import BadMessage, Checks, Message, UnsupportedMessage, limits
from aoba_runtime.patterns import searcher

SOON: Final = 30  # seconds of the processor; what this guards against takes hours
ANY: Message[object] = Message("Any", "#/m", payload=object)


@pytest.mark.parametrize(
    ("limit", "most", "fits", "beyond", "says"),
    [
        ("bytes", 8, b'"123456"', b'"1234567"', "should be no larger than 8 bytes"),
        ("values", 9, b"[1,2,3,4,5,6,7,8,9]", b"[1,2,3,4,5,6,7,8,9,0]", "no more than 9 values"),
    ],
)
def test_limits(
    limit: str, most: int, fits: bytes, beyond: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits.LIMITS, limit, most)
    ANY.decode(fits)
    with pytest.raises(BadMessage, match=says):
        ANY.decode(beyond)
    with pytest.raises(BadMessage, match=says):
        aoba.decode(beyond)


def test_what_is_too_large_is_refused_at_once() -> None:
    begun = time.process_time()
    for data in (b"[" * 10**8, b"1," * 4_000_000, b'"' + b"x" * 10**8, b'{"a":' * 10**6):
        with pytest.raises(BadMessage):
            ANY.decode(data)
    assert time.process_time() - begun < SOON


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?=a)(a+)+b",
        r"(?=a)a*a*a*a*b",
        r"(?!x)(a|aa)+b",
        r"((a*)\2)*b",
        r"(?=a)(?:a?a)*b",
        r"(?=a)(a*){20}b",
        "(?=a)" + "a?" * 30 + "a" * 30,
        "(?=a)" + "(?:a|aa)" * 30,
        "(?=a)" + "a??" * 30 + "b",
        "(?x)(?=a)(a+) *b",
        "(?=a)(a+)(?#)*b",
        "(?=a)(?ix:(a+) *)b",
    ],
)
def test_a_pattern_that_might_take_for_ever_is_not_run(pattern: str) -> None:
    assert searcher(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?=a)a*a*a*b",
        r"^(?=.*[A-Z])(?=.*\d).{8,}$",
        r"(?=a)a*\d?b",
        r"^(?!b)\d{4}-\d{2}-\d{2}(?:T|t|-|b|c|d|e|f|g|h|i|j)??$",
        "(?=a)a*a*" + "a?" * 6 + "b",
        "(?=a)" + "(?:a|aa)" * 18 + "b",
    ],
)
def test_any_other_ends_soon(pattern: str) -> None:
    begun = time.process_time()
    check = Checks({"pattern": pattern})
    for length in (100, 200, 10**6):
        assert check.failures("a" * length)
    assert time.process_time() - begun < SOON


def test_a_message_that_is_wrong_everywhere_is_refused_soon() -> None:
    message: Message[list[int | bool]] = Message("Numbers", "#/m", payload=list[int | bool])
    begun = time.process_time()
    with pytest.raises(
        BadMessage, match="should be a Numbers, and is none for 800,002 reasons"
    ) as refused:
        message.decode(b'[""' + b',""' * 400_000 + b"]")
    assert len(refused.value.problems) == 1
    assert time.process_time() - begun < SOON


@pytest.mark.parametrize("bound", [2**31, 2**63 - 1, 2**63, 2**64, 10**400])
def test_bounds_that_nothing_reaches_are_as_good_as_any(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int
) -> None:
    name = f"long{bound % 1009}"
    item = {"minimum": -bound, "maximum": bound, "multipleOf": 1}
    properties = {
        "most": {"type": "array", "maxItems": bound, "items": {"type": "integer", **item}},
        "least": {"type": "array", "minItems": bound, "items": {"type": "number", **item}},
        "free": {"type": "number", **item},
        "short": {"type": "string", "maxLength": bound},
        "long": {"type": "string", "minLength": bound},
    }
    payload = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": bound,
        "properties": properties,
    }
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": name, "version": "1"},
        "channels": {"c": {"address": "c", "messages": {"m": {"payload": payload}}}},
    }
    (tmp_path / "spec.json").write_text(json.dumps(document))
    result = cli(tmp_path / "spec.json", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    monkeypatch.syspath_prepend(tmp_path)
    package = importlib.import_module(name)
    assert package.decode('{"most": [1], "free": 1.5e9, "short": "x"}').most == [1]
    for wrong in ('{"least": [1]}', '{"long": "x"}', "{}"):
        with pytest.raises(BadMessage):
            package.decode(wrong)


@pytest.mark.parametrize("pattern", ["a{99999999999}", "(?=a)" + "(?:" * 3000 + ")" * 3000])
def test_a_pattern_that_no_engine_takes_is_told(pattern: str) -> None:
    with pytest.raises(ValueError, match="no engine here runs the pattern"):
        searcher(pattern)


def test_numbers_of_one_hash_are_told_apart_at_once() -> None:
    check = Checks({"uniqueItems": True})
    same = [(2**61 - 1) * number for number in range(1, 200_000)]
    begun = time.process_time()
    assert check.failures(same) == []
    assert time.process_time() - begun < SOON
    for one, other in [(2**100, 2.0**100), (2**53, 2.0**53), (-(2**70), -(2.0**70)), (3, 3.0)]:
        assert check.failures([[one], [other]]) == [((1,), "should not be the same as [0]")]
    assert check.failures([2**53, -(2**53), 2**53 + 1, float(2**60), 2**60 + 1, "0x20"]) == []


def mutated(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    match chance.randrange(6):
        case 0:
            return data[: chance.randrange(len(data))]
        case 1:
            at = chance.randrange(len(data))
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 2:
            at, other = chance.randrange(len(data)), chance.choice(others)
            return data[:at] + other[chance.randrange(len(other)) :]
        case 3:
            odd = (
                b"null",
                b"[]",
                b"{}",
                b"1e999",
                b"-0",
                b'"\\ud800"',
                b"true",
                b"NaN",
                b"9" * 5000,
            )
            tree = json.loads(data)
            place = tree
            while isinstance(inner := place[key := chance.choice(list(place))], dict) and inner:
                place = inner
            place[key] = "@"
            return json.dumps(tree).encode().replace(b'"@"', chance.choice(odd))
        case 4:
            return data.replace(b":", chance.choice((b":[", b":{", b"::", b"")), 1)
        case _:
            at = chance.randrange(len(data))
            return (
                data[:at] + chance.choice((b"[" * 300, b"\xff", b"\\u0000", b'"', b",")) + data[at:]
            )


def fuzz(count: int, seed: int) -> None:
    """Every mutation of the document's messages is decoded, or refused by a documented error."""
    chance = random.Random(seed)
    spec = Path(__file__).parents[1] / "spec" / "voice-call-signaling.yaml"
    document = yaml.safe_load(spec.read_text())
    examples = [
        json.dumps(example["payload"]).encode()
        for message in document["components"]["messages"].values()
        for example in message["examples"]
    ]
    assert {aoba.decode(example).type for example in examples} == set(aoba.models.SignalType)
    for number in range(count):
        data = chance.choice(examples)
        for _ in range(chance.randint(1, 3)):
            try:
                data = mutated(chance, data, examples) or b"{}"
            except (ValueError, AttributeError, IndexError, TypeError):
                break
        try:
            aoba.decode(data)
        except (BadMessage, UnsupportedMessage):
            continue
        except BaseException as fault:
            raise AssertionError(f"seed {seed}, {number}: {data!r}") from fault


def test_a_decoder_raises_documented_errors_only() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    fuzz(5_000, seed)


SLOW = {
    "type": "object",
    "required": ["p"],
    "properties": {"p": {"type": "string", "pattern": "^(?!b)"}},
    "patternProperties": {"^(?=q).*1$": {"not": {"pattern": r"^(a)\1$"}}},
}


@pytest.mark.parametrize("allowed", [(), ("--allow-slow-patterns",), "pyproject.toml"])
def test_slow_patterns_are_run_where_that_is_allowed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: tuple[str, ...] | str
) -> None:
    message = {"messages": {"m": {"payload": SLOW}}}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": f"Slow {len(allowed)}", "version": "1"},
        "channels": {"c": {"address": "c", **message}},
    }
    (tmp_path / "spec.json").write_text(json.dumps(document))
    if isinstance(allowed, str):
        (tmp_path / allowed).write_text("[tool.aoba-gen]\nallow-slow-patterns = true\n")
    monkeypatch.chdir(tmp_path)
    result = cli("spec.json", "-o", ".", *(allowed if isinstance(allowed, tuple) else ()))
    assert (result.exit_code, result.stderr.count("--allow-slow-patterns")) == (
        0,
        0 if allowed else 2,
    )
    monkeypatch.syspath_prepend(tmp_path)
    package = importlib.import_module(f"slow_{len(allowed)}")
    for text in ('{"p": "b"}', '{"p": "a", "q1": "aa"}'):
        if allowed:
            with pytest.raises(BadMessage):
                package.decode(text)
        else:
            package.decode(text)
    assert package.decode('{"p": "a", "q1": "ab"}')


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("a{99999999999}", ""),
        ("(?=a)a{99999999999}", ""),
        ("(?=a)" + "(?:" * 300 + ")" * 300, ""),
        ("(?=a)" + "a?" * 30, ""),
        ("(?=a)" + "(a|aa)" * 30, ""),
        ("(?x)(?=a)(a+) *b", ""),
        ("(?=a)(a+)(?#)*b", ""),
        (r"^(?!b)(?:http|ftp)s?://[\w.]+$", "--allow-slow-patterns"),
    ],
)
def test_a_pattern_that_nobody_runs_is_dropped_with_a_warning(
    cli: Cli, tmp_path: Path, pattern: str, hint: str
) -> None:
    payload = {"type": "object", "properties": {"p": {"type": "string", "pattern": pattern}}}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Dropped", "version": "1"},
        "channels": {"c": {"address": "c", "messages": {"m": {"payload": payload}}}},
    }
    (tmp_path / "spec.json").write_text(json.dumps(document))
    result = cli(tmp_path / "spec.json", "-o", tmp_path)
    assert (result.exit_code, "Traceback" in result.output) == (0, False)
    assert ("[not-enforced]" if "9999" not in pattern else "[schema-pattern]") in result.stderr
    assert bool(hint) == ("--allow-slow-patterns" in result.stderr)
