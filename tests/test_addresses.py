"""Addresses: filled in, read back, and the one of a connection."""

from __future__ import annotations

import pytest
from aoba_runtime import NotCarried, Parameter
from aoba_runtime.addresses import Address, Endpoint

SYMBOL = Parameter("symbol", ("btc", "1inch"))
LEVELS = Parameter("levels", default="20")


@pytest.mark.parametrize(
    ("template", "values", "address"),
    [
        ("/plain", {}, "/plain"),
        ("", {}, ""),
        ("m/{symbol}@depth{levels}", {"symbol": "btc"}, "m/btc@depth20"),
        ("m/{symbol}@depth{levels}", {"symbol": "1inch", "levels": "5"}, "m/1inch@depth5"),
        ("{other}/{other}.*", {"other": "é (x)"}, "é (x)/é (x).*"),
        ("a{{x}}", {"x": "1"}, "a{1}"),
    ],
)
def test_what_is_filled_in_is_read_back(
    template: str, values: dict[str, str], address: str
) -> None:
    made = Address(template, (SYMBOL, LEVELS))
    assert made.fill(values) == address
    filled = values | ({"levels": "20"} if "levels" in template and "levels" not in values else {})
    assert made.match(address) == filled


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({}, TypeError, "'symbol' of the address '{symbol}/{x}' is missing"),
        ({"symbol": "eth", "x": "1"}, ValueError, "'symbol' is one of btc, 1inch, not 'eth'"),
        ({"symbol": "btc", "x": 1}, TypeError, "'x' is text, not int"),
        ({"symbol": "btc", "x": "a/b"}, ValueError, "'x' is text without '/'"),
        ({"symbol": "btc", "x": ""}, ValueError, "'x' is text without '/'"),
    ],
)
def test_a_wrong_parameter_is_named(
    values: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said.replace("{", r"\{")):
        Address("{symbol}/{x}", (SYMBOL,)).fill(values)


@pytest.mark.parametrize("address", ["m/eth", "m/", "m/btc/x", "n/btc", "m/btc\n", ""])
def test_another_address_is_not_read(address: str) -> None:
    assert Address("m/{symbol}", (SYMBOL,)).match(address) is None


def test_one_parameter_has_one_value() -> None:
    assert Address("{x}/{x}").match("1/2") is None


@pytest.mark.parametrize(
    ("given", "path", "wanted", "is_carried"),
    [
        (None, "/v1/prices/btc", "/prices/btc", True),
        (None, "/v1/prices/btc/", "/prices/btc", True),
        (None, "/v1/prices/btc", "/prices/eth", False),
        (None, "/ws", "/?token=x", True),
        (None, "/ws", "a topic", True),
        (None, "/ws", None, True),
        ("a topic", "/ws", "a topic", True),
        ("a topic", "/ws", "another", False),
        ("a topic", "/ws", "/ws", False),
    ],
)
def test_a_connection_has_one_address(
    given: str | None, path: str, wanted: str | None, is_carried: bool
) -> None:
    endpoint = Endpoint(given, path)
    if is_carried:
        endpoint.check(wanted)
        return
    with pytest.raises(NotCarried, match="open another one there"):
        endpoint.check(wanted)
