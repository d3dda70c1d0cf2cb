"""The XML text that we write and read ourselves: namespaces, escaping, the stanzas of a signal; nothing here does I/O."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Final

CALL: Final = "urn:xmpp:call:0"
CLIENT: Final = "jabber:client"
STREAM: Final = "http://etherx.jabber.org/streams"
FRAMING: Final = "urn:ietf:params:xml:ns:xmpp-framing"
SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
MANAGEMENT: Final = "urn:xmpp:sm:3"
STANZAS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAMS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
DISCO_INFO: Final = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS: Final = "http://jabber.org/protocol/disco#items"
CAPS: Final = "http://jabber.org/protocol/caps"

IQ: Final = f"{{{CLIENT}}}iq"
PRESENCE: Final = f"{{{CLIENT}}}presence"
CALL_TAG: Final = f"{{{CALL}}}call"
STREAM_ERROR: Final = f"{{{STREAM}}}error"

CLOSE: Final = f"<close xmlns='{FRAMING}'/>"

_NOT_XML: Final = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D})
_NOT_XML_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NEEDS_NO_ESCAPE: Final = re.compile(r"[^&<>'\"\x00-\x1f\x7f-\U0010ffff]*")
_STANZA: Final = re.compile(r"<(?:iq|message|presence)(?=[\s/>])")
_OPENING: Final = re.compile(r"""<[\w:.-]+((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*/?>""")
_OWN_NAMESPACE: Final = re.compile(r"\sxmlns\s*=")


def open_stream(domain: str) -> str:
    """The frame that opens a stream to `domain` (RFC 7395, 3.3.2)."""
    return f"<open xmlns='{FRAMING}' to='{attribute(domain)}' version='1.0'/>"


def text(value: str) -> str:
    """`value` as character data of an element (XML 1.0, 2.4); a carriage return survives the parser's newlines."""
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return value.replace("\r", "&#13;") if "\r" in value else value


def attribute(value: str) -> str:
    """`value` as it stands between single or double quotes of an attribute."""
    if _NEEDS_NO_ESCAPE.fullmatch(value):
        return value
    for mark, name in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("'", "&apos;"),
        ('"', "&quot;"),
        ("\t", "&#9;"),
        ("\n", "&#10;"),
        ("\r", "&#13;"),
    ):
        value = value.replace(mark, name)
    return printable(value)


def printable(value: str) -> str:
    """`value` without the characters that no XML document may hold (XML 1.0, 2.2)."""
    return _NOT_XML_TEXT.sub("�", value)


def json_text(data: bytes) -> str:
    """JSON text (UTF-8) as text that XML can carry; `ValueError` when `data` is neither.

    U+FFFE and U+FFFF are legal in JSON but not in XML; JSON has an escape for them.
    """
    value = data.decode()
    if len(data.translate(None, _NOT_XML)) != len(data):
        raise ValueError("control characters are not JSON")
    if "\ufffe" in value or "\uffff" in value:
        value = value.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    return value


def signal(to: str, id: str, payload: str) -> str:
    """The request that carries JSON text to a peer; `to` and `id` need no escaping, `payload` is from `json_text`."""
    return (
        f"<iq xmlns='{CLIENT}' type='set' to='{to}' id='{id}'>"
        f"<call xmlns='{CALL}'>{text(payload)}</call></iq>"
    )


def result(to: str, id: str) -> str:
    """The answer to a request that was accepted (RFC 6120, 8.2.3)."""
    return f"<iq xmlns='{CLIENT}' type='result'{_to(to)} id='{attribute(id)}'/>"


def error(to: str, id: str, kind: str, condition: str, why: str = "") -> str:
    """The answer to a request that was refused (RFC 6120, 8.3); `why` is for people."""
    words = f"<text xmlns='{STANZAS}'>{text(printable(why[:1000]))}</text>" if why else ""
    return (
        f"<iq xmlns='{CLIENT}' type='error'{_to(to)} id='{attribute(id)}'>"
        f"<error type='{kind}'><{condition} xmlns='{STANZAS}'/>{words}</error></iq>"
    )


def _to(to: str) -> str:
    return f" to='{attribute(to)}'" if to else ""


def disco_info(to: str, id: str) -> str:
    """The question what `to` can do (XEP-0030, section 3)."""
    return (
        f"<iq xmlns='{CLIENT}' type='get' to='{attribute(to)}' id='{id}'>"
        f"<query xmlns='{DISCO_INFO}'/></iq>"
    )


def disco_devices(to: str, id: str) -> str:
    """The question at which resources the account `to` takes signals (XEP-0030, section 4, at a node of ours)."""
    return (
        f"<iq xmlns='{CLIENT}' type='get' to='{attribute(to)}' id='{id}'>"
        f"<query xmlns='{DISCO_ITEMS}' node='{CALL}'/></iq>"
    )


def items(answer: ET.Element) -> tuple[str, ...]:
    """The JIDs that a disco#items answer lists (XEP-0030, section 4)."""
    found = answer.iterfind(f"./{{{DISCO_ITEMS}}}query/*[@jid]")
    return tuple(item.get("jid", "") for item in found)


def features(answer: ET.Element) -> frozenset[str]:
    """The features that a disco#info answer lists (XEP-0030, section 3)."""
    return frozenset(
        item.get("var", "") for item in answer.iterfind(f"./{{{DISCO_INFO}}}query/*[@var]")
    )


def refusal(iq: ET.Element) -> tuple[str, str]:
    """The condition and the text of an error stanza; `undefined-condition` when there is none (RFC 6120, 8.3.3)."""
    return _condition(iq.find(f"{{{CLIENT}}}error"), STANZAS)


def stream_error(element: ET.Element) -> tuple[str, str]:
    """The condition and the text of a stream error (RFC 6120, 4.9)."""
    return _condition(element, STREAMS)


def _condition(element: ET.Element | None, namespace: str) -> tuple[str, str]:
    condition, words = "undefined-condition", ""
    for child in element if element is not None else ():
        if child.tag == f"{{{namespace}}}text":
            words = child.text or ""
        elif child.tag.startswith(f"{{{namespace}}}"):
            condition = child.tag.rpartition("}")[2]
    return condition, words


def frame(stanza: str) -> str:
    """What slixmpp writes to a TCP stream, as a frame that stands alone (RFC 7395, 3.3.3); "" for keepalive spaces.

    slixmpp leaves out the namespaces that the TCP stream's root declares, but a frame has no root around it.
    """
    stanza = stanza.strip()
    if stanza.startswith("<stream:"):
        cut = _opening_end(stanza)
        return f"{stanza[:cut]} xmlns:stream='{STREAM}'{stanza[cut:]}"
    if _STANZA.match(stanza):
        opening = _OPENING.match(stanza)
        if opening is None or not _OWN_NAMESPACE.search(_without_values(opening[1])):
            cut = _opening_end(stanza)
            return f"{stanza[:cut]} xmlns='{CLIENT}'{stanza[cut:]}"
    return stanza


def is_stanza(frame: str) -> bool:
    """Whether a frame is one that XEP-0198 counts (section 4)."""
    return _STANZA.match(frame) is not None


def _opening_end(stanza: str) -> int:
    """Where the name of the first tag ends."""
    found = re.search(r"[\s/>]", stanza)
    return found.start() if found else len(stanza)


def _without_values(attributes: str) -> str:
    return re.sub(r"""=\s*(?:"[^"]*"|'[^']*')""", "=", attributes)


def parse(frame: str) -> ET.Element:
    """The element that a frame holds; `ValueError` for what is no XML or what XMPP forbids (RFC 6120, 11.1)."""
    if "<!DOCTYPE" in frame:
        raise ValueError("a document type declaration")
    try:
        return ET.fromstring(frame)
    except ET.ParseError as problem:
        raise ValueError(f"not XML: {problem}") from None
