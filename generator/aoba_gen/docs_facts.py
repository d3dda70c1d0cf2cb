"""Document -> Facts: what a page shows and no client needs: examples, security schemes, who publishes the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .build_messages import described, fields
from .docs_model import Example, Facts, Scheme
from .resolve import Document, Place

_HOW: Final = ("scheme", "bearerFormat", "openIdConnectUrl")


def facts(document: Document) -> Facts:
    """The facts of a valid document."""
    root = document.root
    info = root.get("info") or root
    components = root.get("components")
    listed = fields(components, "securitySchemes") if components else ()
    return Facts(
        description=info.text("description"),
        about=tuple(_about(info)),
        schemes=tuple(_scheme(name, place) for name, place in listed),
        operations={name: described(place) for name, place in fields(root, "operations")},
        examples={place.pointer: tuple(_examples(place)) for place in _messages(root)},
        servers={
            place.pointer: tuple(server.key for server in named.items())
            for _, place in fields(root, "channels")
            if (named := place.get("servers"))
        },
    )


def _about(info: Place) -> Iterator[tuple[str, str, str]]:
    if contact := info.get("contact"):
        mail = contact.text("email")
        address = contact.text("url") or (f"mailto:{mail}" if mail else "")
        yield "Contact", contact.text("name") or mail or contact.text("url"), address
    if licence := info.get("license"):
        yield "License", licence.text("name"), licence.text("url")
    if terms := info.text("termsOfService"):
        yield "Terms of service", terms, terms


def _scheme(name: str, place: Place) -> Scheme:
    how = [place.text(each) for each in _HOW if place.text(each)]
    if where := place.text("in"):
        how.append(f"{place.text('name')} in {where}" if place.text("name") else f"in {where}")
    return Scheme(name, place.text("type"), ", ".join(how), place.text("description"))


def _messages(root: Place) -> Iterator[Place]:
    """Every message, wherever one is named; some more than once."""
    holders = [place for _, place in fields(root, "channels")]
    if components := root.get("components"):
        holders.append(components)
    for _, operation in fields(root, "operations"):
        reply = operation.get("reply")
        for part in (operation, reply):
            if part is not None:
                yield from listed.items() if (listed := part.get("messages")) else ()
                holders += [channel] if (channel := part.get("channel")) else []
    for holder in holders:
        yield from (place for _, place in fields(holder, "messages"))


def _examples(message: Place) -> Iterator[Example]:
    """The examples of a message, else those of its payload's schema. Before 2.1 an example had no fixed form."""
    listed = message.get("examples")
    for place in listed.items() if listed else ():
        value = place.value()
        fixed = isinstance(value, dict) and {"payload", "headers"} & value.keys()
        whole = value if isinstance(value, dict) and fixed else {"payload": value}
        yield Example(
            place.text("name") if fixed else "",
            place.text("summary") if fixed else "",
            whole.get("payload"),
            whole.get("headers"),
            "payload" in whole,
            "headers" in whole,
        )
    if listed is None and (payload := message.get("payload")):
        schema = payload.get("schema") or payload
        given = schema.get("examples")
        for value in (place.value() for place in given.items()) if given else ():
            yield Example("", "", value, None, True, False)
