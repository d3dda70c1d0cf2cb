"""What a document must be to be an AsyncAPI 3.0 document: structure first, then named rules, one function each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Final

from .diagnostics import Report, shown, suggestion
from .resolve import Document, Place, reference


def check_rules(document: Document, report: Report, disabled: Set[str] = frozenset()) -> None:
    """Report what the rules that are not `disabled` find."""
    for rule in RULES:
        rule(document, report)


def _channels(document: Document) -> Iterator[tuple[str, Place]]:
    channels = document.root.get("channels")
    return channels.fields() if channels else iter(())


def _operations(document: Document) -> Iterator[tuple[str, Place]]:
    operations = document.root.get("operations")
    return operations.fields() if operations else iter(())


def operation_channel(document: Document, report: Report) -> None:
    """An operation's channel is one of the document's channels."""
    known = {channel.pointer: name for name, channel in _channels(document)}
    for name, operation in _operations(document):
        channel, raw = operation.get("channel"), operation.raw("channel")
        if channel and raw and _leads_elsewhere(channel, raw, known):
            report.error(
                "operation-channel",
                f"operation {shown(name)} uses {shown(channel.pointer)}, which is no channel of this document",
                raw.location,
                f"write: $ref: '#/channels/{next(iter(known.values()), 'name')}'",
            )


def operation_messages(document: Document, report: Report) -> None:
    """An operation's messages are messages of its channel."""
    for name, operation in _operations(document):
        channel, messages = operation.get("channel"), operation.get("messages")
        of_channel = channel.get("messages") if channel else None
        known = {message.pointer: key for key, message in of_channel.fields()} if of_channel else {}
        for raw in messages.raw_items() if messages and channel else ():
            message = document.follow(raw)
            if channel and _leads_elsewhere(message, raw, known):
                report.error(
                    "operation-message",
                    f"operation {shown(name)} names {shown(message.pointer)}, "
                    f"which is no message of its channel {shown(channel.key)}",
                    raw.location,
                    (
                        f"the channel has {', '.join(map(shown, known.values()))}"
                        if known
                        else "add it to the channel"
                    ),
                )


def channel_servers(document: Document, report: Report) -> None:
    """A channel's servers are servers of the document."""
    servers = document.root.get("servers")
    known = {server.pointer: name for name, server in servers.fields()} if servers else {}
    for name, channel in _channels(document):
        listed = channel.get("servers")
        for raw in listed.raw_items() if listed else ():
            server = document.follow(raw)
            if _leads_elsewhere(server, raw, known):
                report.error(
                    "channel-server",
                    f"channel {shown(name)} is on {shown(server.pointer)}, which is no server of this document",
                    raw.location,
                    f"write: $ref: '#/servers/{next(iter(known.values()), 'name')}'",
                )


def _leads_elsewhere(target: Place, raw: Place, known: Mapping[str, str]) -> bool:
    """Whether a reference leads to something, and to none of the `known`; others have been reported already."""
    return (
        reference(raw.node) is not None
        and reference(target.node) is None
        and target.pointer not in known
    )


def server_address(document: Document, report: Report) -> None:
    """A server's host is a host, with a port perhaps; its pathname begins with a slash."""
    servers = document.root.get("servers")
    for name, server in servers.fields() if servers else ():
        host, path = server.get("host"), server.text("pathname")
        if (
            host
            and isinstance(host.value(), str)
            and not re.fullmatch(r"[^\s/\"'<>{}]+", server.text("host"))
        ):
            report.error(
                "server-host",
                f"the host of server {shown(name)} is {shown(host.value())}, expected a name or address and perhaps a port",
                host.location,
                "such as 'api.example.com:8443'; scheme and path have fields of their own",
            )
        if path and not path.startswith("/"):
            report.error(
                "server-pathname",
                f"the pathname of server {shown(name)} is {shown(path)}, expected it to begin with '/'",
                server.key_location("pathname"),
                f"write: pathname: /{path}",
            )


RULES: Final[tuple[Callable[[Document, Report], None], ...]] = (
    operation_channel,
    operation_messages,
    channel_servers,
    server_address,
)
