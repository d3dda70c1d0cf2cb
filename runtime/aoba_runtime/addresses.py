"""Addresses of channels, with parameters in them that are filled in or read, and the one of a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .errors import NotCarried

_EXPRESSION: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of an address, "symbol" in "/marketdata/{symbol}"; `enum` are its only values where it is not empty."""

    name: str
    enum: tuple[str, ...] = ()
    default: str | None = None

    def check(self, value: object) -> str:
        """`value` if it may stand in an address; raises `TypeError` or `ValueError`, which name the parameter."""
        if not isinstance(value, str):
            raise TypeError(f"parameter {self.name!r} is text, not {type(value).__name__}")
        if self.enum and value not in self.enum:
            raise ValueError(
                f"parameter {self.name!r} is one of {', '.join(self.enum)}, not {value!r}"
            )
        if not value or "/" in value:
            raise ValueError(
                f"parameter {self.name!r} is text without '/' that is not empty, not {value!r}"
            )
        return value


class Address:
    """The address of a channel, "/marketdata/{symbol}", and what its parameters may be."""

    def __init__(self, template: str, parameters: Sequence[Parameter] = ()) -> None:
        described = {parameter.name: parameter for parameter in parameters}
        self.template: Final = template
        literals = _EXPRESSION.split(template)
        names = literals[1::2]
        self._parameters = {name: described.get(name) or Parameter(name) for name in names}
        pattern, seen = re.escape(literals[0]), set[str]()
        for index, name in enumerate(names):
            number = list(self._parameters).index(name)
            pattern += f"(?P=p{number})" if name in seen else f"(?P<p{number}>[^/]+)"
            pattern += re.escape(literals[2 * index + 2])
            seen.add(name)
        self._pattern = re.compile(pattern, re.DOTALL)

    def fill(self, values: Mapping[str, object]) -> str:
        """The address with `values` for its parameters, the default for one that is not among them.

        Raises `TypeError` or `ValueError`, which name the parameter.
        """
        texts: dict[str, str] = {}
        for name, parameter in self._parameters.items():
            value = values.get(name, parameter.default)
            if value is None:
                raise TypeError(f"parameter {name!r} of the address {self.template!r} is missing")
            texts[name] = parameter.check(value)
        return _EXPRESSION.sub(lambda found: texts[found[1]], self.template)

    def match(self, address: str) -> dict[str, str] | None:
        """The parameters in `address`; `None` when it is another channel's."""
        found = self._pattern.fullmatch(address)
        if found is None:
            return None
        values = dict(zip(self._parameters, found.groups(), strict=True))
        if any(p.enum and values[name] not in p.enum for name, p in self._parameters.items()):
            return None
        return values


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The one address that a connection has: the one `given`, else the `path` of its URL."""

    given: str | None
    path: str

    @property
    def address(self) -> str | None:
        """What arrives on the connection has this address."""
        return self.given or self.path or None

    def check(self, wanted: str | None) -> None:
        """Raise `NotCarried` when a message for the address `wanted` cannot go over this connection.

        An address that is no path, such as a topic's name, says nothing about the connection where none was given.
        """
        if wanted is None or wanted == self.address:
            return
        route = wanted.partition("?")[0].rstrip("/")
        if self.given is None and (
            not route.startswith("/") or self.path.rstrip("/").endswith(route)
        ):
            return
        raise NotCarried(
            f"the message is for {wanted!r}, but this connection is to {self.address!r}; open another one there"
        )
