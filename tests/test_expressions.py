"""Runtime expressions: what they find, and what they put without changing anything else."""

from __future__ import annotations

import json

import pytest
from aoba_runtime.expressions import locate, put

DATA = b'{"id": 7, "big": 1.100, "a/b": {"~": [1, {"x": "y"}]}}'


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("$message.payload#/id", 7),
        ("$message.payload#/a~1b/~0/1/x", "y"),
        ("$message.payload#/a~1b/~0/9", None),
        ("$message.payload#/id/deeper", None),
        ("$message.header#/id", "h"),
        ("$message.header#/deep/id", 1),
        ("$message.header#/none", None),
    ],
)
def test_finds(expression: str, found: object) -> None:
    assert locate(expression, DATA, {"id": "h", "deep": {"id": 1}}) == found


def test_finds_nothing_where_there_is_nothing() -> None:
    assert locate("$message.payload#/id", b"\xff no JSON", None) is None
    assert locate("$message.header#/id", b"", None) is None


def test_puts_into_headers_of_its_own() -> None:
    deep: dict[str, object] = {"other": 1}
    data, headers = put("$message.header#/deep/id", "x", b"", {"deep": deep})
    assert (data, headers) == (b"", {"deep": {"other": 1, "id": "x"}})
    assert deep == {"other": 1}
    assert put("$message.header#/deep/id", "x", b"", {"deep": 5})[1] == {"deep": 5}


def test_puts_into_a_payload_as_text() -> None:
    data, _ = put("$message.payload#/new", "x", DATA, {})
    assert data.startswith(DATA[:-1]) and json.loads(data)["new"] == "x"
    assert put("$message.payload#/new", 1, b"{}", {})[0] == b'{"new": 1}'


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("$message.payload#/id", DATA),  # it is there
        ("$message.payload#/deep/id", DATA),
        ("$message.payload#/id", b"[]"),
        ("$message.payload#/id", b'{"id": null}'),
        ("$message.payload#", DATA),
    ],
)
def test_leaves_a_payload_alone(expression: str, data: bytes) -> None:
    assert put(expression, "x", data, {})[0] == data
