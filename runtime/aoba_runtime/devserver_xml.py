"""The development server's XML: frames to elements and back, JIDs, and the stanzas it makes; no I/O, no routing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

CLIENT: Final = "jabber:client"
FRAMING: Final = "urn:ietf:params:xml:ns:xmpp-framing"
STREAM: Final = "http://etherx.jabber.org/streams"
STREAM_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
STANZA_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
SESSION: Final = "urn:ietf:params:xml:ns:xmpp-session"
SM: Final = "urn:xmpp:sm:3"
PING: Final = "urn:xmpp:ping"
DISCO_INFO: Final = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS: Final = "http://jabber.org/protocol/disco#items"
ROSTER: Final = "jabber:iq:roster"
CALL: Final = "urn:xmpp:call:0"
XML: Final = "http://www.w3.org/XML/1998/namespace"

MAX_DEPTH: Final = 100
"""How deep elements may nest in a frame."""

ERROR_KINDS: Final = {
    "bad-request": "modify",
    "feature-not-implemented": "cancel",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "recipient-unavailable": "wait",
    "remote-server-not-found": "cancel",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
}
"""The stanza errors of this server, with their types (RFC 6120, section 8.3.3)."""

_PART: Final = re.compile(r"[^\"&'/:<>@\s\x00-\x1f\x7f]{1,1023}")
_DOMAIN: Final = re.compile(r"[^\"&'/<>@\s\x00-\x1f\x7f]{1,1023}")
_RESOURCE: Final = re.compile(r"[^\x00-\x1f\x7f]{1,1023}")


class XmlRefused(ValueError):
    """A frame that is no element as XMPP wants it; `condition` is the stream error (RFC 6120, section 4.9.3)."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


class Jid(NamedTuple):
    """An address, `local@domain/resource` (RFC 7622), with local and domain in lower case; empty parts are absent."""

    local: str
    domain: str
    resource: str = ""

    @classmethod
    def parse(cls, text: str) -> Jid:
        """The address that `text` is; `ValueError` when it is none."""
        rest, slash, resource = text.partition("/")
        local, at, domain = rest.rpartition("@")
        if (
            (at and not _PART.fullmatch(local))
            or not _DOMAIN.fullmatch(domain)
            or (slash and not _RESOURCE.fullmatch(resource))
        ):
            raise ValueError("no JID")
        return cls(local.lower(), domain.lower(), resource)

    @property
    def bare(self) -> Jid:
        """The account: this address without its resource."""
        return Jid(self.local, self.domain)

    def __str__(self) -> str:
        local = f"{self.local}@" if self.local else ""
        return f"{local}{self.domain}" + (f"/{self.resource}" if self.resource else "")


def parse(frame: str) -> Element:
    """The one element that a frame holds (RFC 7395, section 3.3.3), its names as `{namespace}local`.

    Raises `XmlRefused`: `restricted-xml` for a DTD, an entity, a comment or a processing instruction (RFC 6120, section
    11.1), `policy-violation` for one nested too deep, else `not-well-formed`, blanks around the element included.
    """
    if not frame.startswith("<") or not frame.endswith(">"):
        raise XmlRefused("not-well-formed")
    builder = TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise XmlRefused("policy-violation")
        builder.start(_clark(name), {_clark(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_clark(name))

    def refuse(*_: object) -> None:
        raise XmlRefused("restricted-xml")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.CommentHandler = refuse
    parser.ProcessingInstructionHandler = refuse
    try:
        parser.Parse(frame, True)
    except expat.ExpatError as error:
        entity = error.code == expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]
        raise XmlRefused("restricted-xml" if entity else "not-well-formed") from None
    return builder.close()


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def split(element: Element) -> tuple[str, str]:
    """Namespace and local name of an element; the namespace is empty where there is none."""
    return _split(element.tag)


def _split(name: str) -> tuple[str, str]:
    namespace, brace, local = name.rpartition("}")
    return namespace[1:] if brace else "", local


def text_of(element: Element) -> str:
    """`element` as a frame: every namespace declared on the element that needs it, no prefix but `stream` and `xml`."""
    return "".join(_pieces(element, ""))


def _pieces(element: Element, default: str) -> Iterator[str]:
    namespace, local = split(element)
    if (
        namespace == STREAM
    ):  # clients compare the name with its customary prefix (RFC 6120, section 4.8.5)
        name = f"stream:{local}"
        yield f'<{name} xmlns:stream="{STREAM}"'
    else:
        name = local
        yield f"<{name}"
        if namespace != default:
            yield f' xmlns="{_attribute(namespace)}"'
            default = namespace
    for number, (key, value) in enumerate(element.items()):
        key_namespace, key = _split(key)
        if key_namespace == XML:
            key = f"xml:{key}"
        elif key_namespace:
            yield f' xmlns:a{number}="{_attribute(key_namespace)}"'
            key = f"a{number}:{key}"
        yield f' {key}="{_attribute(value)}"'
    if not element.text and not len(element):
        yield "/>"
        return
    yield ">"
    yield _data(element.text)
    for child in element:
        yield from _pieces(child, default)
        yield _data(child.tail)
    yield f"</{name}>"


def _data(text: str | None) -> str:
    if not text:
        return ""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")


def _attribute(text: str) -> str:
    text = _data(text).replace('"', "&quot;")
    return text.replace("\n", "&#10;").replace("\t", "&#9;")


def make(
    namespace: str, local: str, *children: Element, text: str | None = None, **attributes: str
) -> Element:
    """A new element; attributes in no namespace, an underscore at the end of a name cut off (`from_`)."""
    element = Element(
        f"{{{namespace}}}{local}",
        {key.removesuffix("_"): value for key, value in attributes.items()},
    )
    element.text = text
    element.extend(children)
    return element


def addressed(stanza: Element, **changes: str | None) -> Element:
    """A copy of `stanza`, sharing its children, with attributes set (`from_=...`) or, where `None`, taken away."""
    copy = Element(stanza.tag, stanza.attrib)
    copy.text = stanza.text
    copy.extend(stanza)
    for key, value in changes.items():
        key = key.removesuffix("_")
        if value is None:
            copy.attrib.pop(key, None)
        else:
            copy.set(key, value)
    return copy


def error_of(stanza: Element, condition: str, *, from_: str | None = None) -> Element:
    """The stanza error that answers `stanza` (RFC 6120, section 8.3), without its payload, still without a `to`."""
    answer = Element(stanza.tag, {"type": "error"})
    for key, value in (("id", stanza.get("id")), ("from", from_ or stanza.get("to"))):
        if value is not None:
            answer.set(key, value)
    answer.append(
        make(CLIENT, "error", make(STANZA_ERRORS, condition), type=ERROR_KINDS[condition])
    )
    return answer


def stream_error(condition: str, *details: Element) -> Element:
    """A stream error (RFC 6120, section 4.9); after it the stream is closed."""
    return make(STREAM, "error", make(STREAM_ERRORS, condition), *details)
