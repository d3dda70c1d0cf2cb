"""Servers of the document -> servers of the model: URLs, variables, and the names of security schemes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .build_messages import described, fields
from .model import Server, Variable
from .resolve import Place

_TLS: Final = frozenset(
    {"amqps", "https", "ibmmq-secure", "kafka-secure", "mqtts", "secure-mqtt", "stomps", "wss"}
)


def servers(root: Place) -> Iterator[Server]:
    """The servers of the document, in its order.

    In a server's URL stand the defaults of its variables; a variable that has none stays as it is written, in braces.
    """
    for name, place in fields(root, "servers"):
        protocol = place.text("protocol")
        scheme = _scheme_of(place.text("url")) or protocol
        template = f"{scheme}://{place.text('host')}{_rooted(place.text('pathname'))}"
        variables = tuple(_variable(key, inner) for key, inner in fields(place, "variables"))
        url = template
        for variable in variables:
            if variable.default is not None:
                url = url.replace(f"{{{variable.name}}}", variable.default)
        yield Server(
            name=name,
            url=url,
            template=template,
            variables=variables,
            protocol=protocol,
            tls=bool({protocol.lower(), scheme.lower()} & _TLS),
            security=security(place),
            doc=described(place),
        )


def _scheme_of(url: str) -> str:
    """The scheme that a 2.x document gives a server beside its protocol, "" where it gives none."""
    return url.partition("://")[0] if "://" in url else ""


def _rooted(pathname: str) -> str:
    return pathname if not pathname or pathname.startswith("/") else f"/{pathname}"


def _variable(name: str, place: Place) -> Variable:
    listed, default = place.get("enum"), place.get("default")
    return Variable(
        name,
        enum=tuple(str(item.value()) for item in listed.items()) if listed else (),
        default=str(default.value()) if default else None,
    )


def security(place: Place) -> tuple[str, ...]:
    """The security schemes of a server or an operation, of which one is enough."""
    listed = place.get("security")
    return tuple(map(_scheme, listed.items())) if listed else ()


def _scheme(place: Place) -> str:
    """A security scheme by its name among the components; one written in place goes by its type."""
    return place.text("type") if place.key.isdecimal() else place.key
