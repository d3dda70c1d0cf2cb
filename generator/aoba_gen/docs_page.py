"""Model and Facts -> the sections of a page, as elements that become HTML and Markdown alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from .docs_anchors import Anchors
from .docs_draw import draw
from .docs_model import Example, Facts
from .docs_prose import preformatted, prose, scrolled
from .docs_schemas import Schemas
from .docs_types import code, example, joined, merged
from .element import LINKS, Child, Element, element
from .flow import flow, mermaid, parties
from .limits import Limits
from .model import Channel, Message, Model, Operation, Server

_SIDES: Final = {
    "described": "the application that this document describes",
    "peer": "one that talks to the application that this document describes",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its anchor and heading, what is in it, and the name and anchor of each thing that it lists."""

    anchor: str
    title: str
    body: tuple[Element, ...]
    entries: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its title, what stands above the sections, and these."""

    title: str
    version: str
    head: tuple[Element, ...]
    sections: tuple[Section, ...]


def page(model: Model, found: Facts, limits: Limits) -> Page:
    """The page of an API; raises `TooLong` where it would exceed the limits."""
    made = _Page(model, found, limits)
    return Page(model.title, model.version, tuple(made.head()), tuple(made.sections()))


class _Page:
    def __init__(self, model: Model, found: Facts, limits: Limits) -> None:
        self._model = model
        self._facts = found
        anchors = Anchors()
        self._schemas = Schemas(model, anchors, limits)
        self._servers = {each.name: anchors.give("server", each.name) for each in model.servers}
        self._operations = {
            each.name: anchors.give("operation", each.name) for each in model.operations
        }
        self._channels = {
            each.pointer: anchors.give("channel", each.name) for each in model.channels
        }
        self._messages = {
            each.pointer: anchors.give("message", each.name) for each in model.messages
        }
        self._schemes = {each.name: anchors.give("security", each.name) for each in found.schemes}
        self._flow = flow(model)
        self._uses: dict[str, tuple[list[Operation], list[Operation]]] = {}
        self._of_channels: dict[str, list[Operation]] = {}
        for operation in model.operations:
            self._of_channels.setdefault(operation.channel.pointer, []).append(operation)
            replies = operation.reply.messages if operation.reply else ()
            for index, messages in enumerate((operation.messages, replies)):
                for message in messages:
                    self._uses.setdefault(message.pointer, ([], []))[index].append(operation)

    def head(self) -> Iterator[Element]:
        """What stands above the sections: what the API is, and who publishes it."""
        yield from prose(self._facts.description, 2)
        about = [
            (label, (_outward(text or address, address),))
            for label, text, address in self._facts.about
            if text or address
        ]
        if about:
            yield _terms(about)

    def sections(self) -> Iterator[Section]:
        """The sections that have something to say."""
        model = self._model
        if model.servers:
            yield self._section("servers", "Servers", self._server_table(), self._servers.items())
        if self._facts.schemes:
            entries = self._schemes.items()
            yield self._section("security", "Security", self._scheme_table(), entries)
        if self._flow.steps:
            title = "Call flow" if model.calls else "Message flow"
            yield self._section("flow", title, self._drawn(title))
        if model.operations:
            who = f"Sending and receiving is told from the side of {_SIDES[model.side]}."
            body = [element("p", who, class_="aside"), *map(self._operation, model.operations)]
            entries = self._operations.items()
            yield self._section("operations", "Operations", body, entries)
        if model.channels:
            body = list(map(self._channel, model.channels))
            listed = [(each.name, self._channels[each.pointer]) for each in model.channels]
            yield self._section("channels", "Channels", body, listed)
        if model.messages:
            body = list(map(self._message, model.messages))
            listed = [(each.name, self._messages[each.pointer]) for each in model.messages]
            yield self._section("messages", "Messages", body, listed)
        if model.definitions:
            body = [self._definition(made.python) for made in self._schemas.own()]
            yield self._section("schemas", "Schemas", body, self._schemas.all())

    @staticmethod
    def _section(
        anchor: str,
        title: str,
        body: Iterable[Element],
        entries: Iterable[tuple[str, str]] = (),
    ) -> Section:
        return Section(anchor, title, tuple(body), tuple(entries))

    def _server_table(self) -> Iterator[Element]:
        names = ("Name", "Address", "Protocol", "Security", "Description")
        rows = [self._server(each) for each in self._model.servers]
        yield _table(names, rows, [self._servers[each.name] for each in self._model.servers])

    def _server(self, server: Server) -> list[list[Child]]:
        security: list[list[Child]] = [[self._scheme_link(name)] for name in server.security]
        variables = [
            element("p", "With ", code(f"{{{each.name}}}"), *_values(each.enum, each.default))
            for each in server.variables
        ]
        encrypted = " (encrypted)" if server.tls else ""
        return [
            [code(server.name)],
            [code(server.template)],
            [f"{server.protocol}{encrypted}"],
            list(joined(security, " or ")) or ["none named"],
            [*prose(server.doc), *variables],
        ]

    def _scheme_link(self, name: str) -> Child:
        anchor = self._schemes.get(name)
        return element("a", code(name), href=f"#{anchor}") if anchor else code(name)

    def _scheme_table(self) -> Iterator[Element]:
        rows: list[list[list[Child]]] = [
            [[code(each.name)], [each.kind], [each.how], [*prose(each.doc)]]
            for each in self._facts.schemes
        ]
        yield _table(("Name", "Type", "How", "Description"), rows, list(self._schemes.values()))

    def _drawn(self, title: str) -> Iterator[Element]:
        first, second = self._flow.parties
        label = f"{title} between {first} and {second}"
        drawing = draw(self._flow, self._target, label)
        yield element(
            "div", drawing, class_="drawing", tabindex="0", role="group", aria_label=title
        )
        if self._flow.omitted:
            yield element("p", f"{self._flow.omitted} more operations are not drawn.")
        source = preformatted(mermaid(self._flow))
        yield element(
            "details",
            element("summary", "The same as Mermaid text"),
            Element("pre", (("class", "mermaid"), *source.attributes), source.children),
        )

    def _target(self, message: Message | None, operation: Operation | None) -> str | None:
        if message is not None:
            return f"#{self._messages[message.pointer]}"
        return f"#{self._operations[operation.name]}" if operation else None

    def _operation(self, operation: Operation) -> Element:
        channel = operation.channel
        sender, receiver, both = parties(self._model, self._flow, operation)
        way = f"{sender} ↔ {receiver}" if both else f"{sender} → {receiver}"
        facts: list[tuple[str, tuple[Child, ...]]] = [
            ("From, to", (way,)),
            ("Channel", (self._channel_link(channel),)),
            ("Address", tuple(_address(channel))),
        ]
        self._schemas.spend(len(channel.parameters))
        if channel.parameters:
            each = [[code(parameter.name)] for parameter in channel.parameters]
            facts.append(("Parameters", tuple(joined(each, ", "))))
        facts.append(("Messages", tuple(self._message_links(operation.messages))))
        if operation.security:
            schemes: list[list[Child]] = [[self._scheme_link(each)] for each in operation.security]
            facts.append(("Security", tuple(joined(schemes, " or "))))
        if reply := operation.reply:
            answers = list(self._message_links(reply.messages))
            if reply.channel.pointer != channel.pointer:
                answers += [" on ", self._channel_link(reply.channel)]
            if reply.address:
                answers += [", to the address in ", code(reply.address)]
            facts.append(("Reply", tuple(answers)))
        badge = element("span", operation.action, class_=f"badge {operation.action}")
        return element(
            "article",
            _heading(3, self._operations[operation.name], operation.name, badge),
            *prose(self._facts.operations.get(operation.name, ""), 4),
            _terms(facts),
        )

    def _channel(self, channel: Channel) -> Element:
        facts: list[tuple[str, tuple[Child, ...]]] = [("Address", tuple(_address(channel)))]
        if servers := self._facts.servers.get(channel.pointer):
            links = [[self._server_link(name)] for name in servers]
            facts.append(("Servers", tuple(joined(links, ", "))))
        facts.append(("Messages", tuple(self._message_links(channel.messages))))
        if used := self._of_channels.get(channel.pointer):
            links = [[self._operation_link(each)] for each in used]
            facts.append(("Operations", tuple(joined(links, ", "))))
        if channel.discriminator:
            what = "the header " if channel.in_headers else "the field "
            facts.append(("Told apart by", (what, code(channel.discriminator))))
        return element(
            "article",
            _heading(3, self._channels[channel.pointer], channel.name),
            *prose(channel.doc, 4),
            _terms(facts),
            *self._parameters(channel),
        )

    def _parameters(self, channel: Channel) -> Iterator[Element]:
        if channel.parameters:
            rows: list[list[list[Child]]] = [
                [
                    [code(each.name)],
                    [element("p", *_values(each.enum, each.default)), *prose(each.doc)],
                ]
                for each in channel.parameters
            ]
            yield _table(("Parameter", "What it is"), rows)

    def _message(self, message: Message) -> Element:
        facts: list[tuple[str, tuple[Child, ...]]] = [
            ("Content type", (code(message.content_type),))
        ]
        if message.correlation:
            facts.append(("Correlation id", (code(message.correlation),)))
        uses, replies = self._uses.get(message.pointer, ((), ()))
        for label, listed in (("Operations", uses), ("Reply to", replies)):
            if listed:
                links = [[self._operation_link(each)] for each in listed]
                facts.append((label, tuple(joined(links, ", "))))
        title = message.title.strip()
        titled = title and not message.doc.startswith(title)
        given = self._facts.examples.get(message.pointer, ())
        return element(
            "article",
            _heading(3, self._messages[message.pointer], message.name),
            *([element("p", title, class_="title")] if titled else []),
            *prose(message.doc, 4),
            _terms(facts),
            *self._carried("Headers", message.headers),
            *self._carried("Payload", message.payload),
            *([element("h4", "Examples"), *map(_example, given)] if given else []),
        )

    def _carried(self, title: str, python: str | None) -> Iterator[Element]:
        """The headers or the payload of a message."""
        if python is None:
            return
        if python == "bytes":
            yield element("p", f"{title}: bytes, which are passed on as they are.")
        elif self._schemas.is_in_message(python):
            yield _heading(4, self._schemas.anchor(python), title, is_code=False)
            yield from self._schemas.body(python, 5)
        else:
            yield element("p", f"{title}: ", self._schemas.link(python), class_="aside")

    def _definition(self, python: str) -> Element:
        heading = _heading(3, self._schemas.anchor(python), self._schemas.names[python])
        return element("article", heading, *self._schemas.body(python, 4))

    def _server_link(self, name: str) -> Child:
        anchor = self._servers.get(name)
        return element("a", code(name), href=f"#{anchor}") if anchor else code(name)

    def _channel_link(self, channel: Channel) -> Child:
        return element("a", code(channel.name), href=f"#{self._channels[channel.pointer]}")

    def _operation_link(self, operation: Operation) -> Child:
        return element("a", code(operation.name), href=f"#{self._operations[operation.name]}")

    def _message_links(self, messages: Iterable[Message]) -> Iterator[Child]:
        links: list[list[Child]] = [
            [element("a", code(each.name), href=f"#{self._messages[each.pointer]}")]
            for each in messages
        ]
        yield from joined(links, ", ") if links else ["any, as bytes"]


def _heading(level: int, anchor: str, name: str, *before: Child, is_code: bool = True) -> Element:
    """A heading with its anchor, and a link to itself."""
    said = code(name) if is_code else name
    itself = element("a", "#", href=f"#{anchor}", class_="anchor", aria_label=f"Link to {name}")
    parts = [part for each in before for part in (each, " ")]
    return element(f"h{level}", *parts, said, " ", itself, id=anchor)


def _terms(facts: Iterable[tuple[str, tuple[Child, ...]]]) -> Element:
    """Facts by their label."""
    pairs = ((element("dt", label), element("dd", *what)) for label, what in facts)
    return element("dl", *(part for pair in pairs for part in pair))


def _table(
    names: Iterable[str], rows: list[list[list[Child]]], anchors: list[str] | None = None
) -> Element:
    """A table whose first cells head their rows."""
    head = element("tr", *(element("th", name, scope="col") for name in names))
    body = [
        element(
            "tr",
            element("th", *first, scope="row"),
            *(element("td", *cell) for cell in rest),
            id=anchors[index] if anchors else None,
        )
        for index, (first, *rest) in enumerate(rows)
    ]
    made = element("table", element("thead", head), element("tbody", *body), class_="list")
    return scrolled(made)


def _address(channel: Channel) -> Iterator[Child]:
    if channel.address is None:
        yield "not known before a message is sent"
    else:
        yield code(channel.address or "/")


def _values(enum: tuple[str, ...], default: str | None) -> Iterator[Child]:
    """Which values a parameter or variable takes."""
    if enum:
        yield " one of "
        yield from joined([[code(each)] for each in enum], ", ")
    else:
        yield " any text"
    if default is not None:
        yield ", by default "
        yield code(default)


def _example(given: Example) -> Element:
    caption = " – ".join(each for each in (given.name, given.summary) if each)
    parts: list[Element] = []
    for label, has, value in (
        ("Headers", given.has_headers, given.headers),
        ("Payload", given.has_payload, given.payload),
    ):
        if has:
            if given.has_headers:
                parts.append(element("p", label, class_="part"))
            parts.append(preformatted("", *merged(example(value))))
    head = [element("figcaption", caption)] if caption else []
    return element("figure", *head, *parts)


def _outward(text: str, address: str) -> Child:
    return element("a", text, href=address) if LINKS.fullmatch(address) else text
