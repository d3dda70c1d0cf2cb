"""Rules on channels, their addresses and parameters, and on the operations and replies that use them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from .diagnostics import choice, shown, suggestion
from .references import step
from .resolve import Place, reference
from .validate_parts import Finding, Findings, Written, is_object, keys, pointed, texts, variables

_WILDCARD: Final = re.compile(r"(?<![^/.])#(?![^/.])")
"""A '#' that is a level of its own: MQTT and AMQP let a subscriber say so "whatever follows"."""

_COMPONENT: Final = re.compile(r".*#/components/messages/[^/]+")


def channel_address(written: Written) -> Findings:
    """An address is not empty, and has no query and no fragment."""
    for address, _, location in written.addresses():
        if not address and written.is_2:
            yield Finding("the address of a channel is empty", location, "name the channel")
        outside = _WILDCARD.sub("", _outside_braces(address))
        for sign, name in (("?", "query"), ("#", "fragment")):
            if sign in outside:
                message = f"the address {shown(address)} has a {name} ({sign!r})"
                yield Finding(message, location, "describe it with a binding of the channel")


def channel_wildcard(written: Written) -> Findings:
    """An address is that of one place, not a wildcard ('#') of MQTT or AMQP."""
    for address, _, location in written.addresses():
        if _WILDCARD.search(_outside_braces(address)):
            message = (
                f"the address {shown(address)} has a wildcard ('#'), which is sent as it stands"
            )
            yield Finding(
                message,
                location,
                "write a parameter such as '{rest}' if a sender chooses what stands there",
            )


def _outside_braces(address: str, parameter: str = "{}") -> str:
    """The address with `parameter` for each of its parameters."""
    return re.sub(r"\{[^{}]+\}", parameter, address)


def channel_parameters(written: Written) -> Findings:
    """Parameters are those in the braces of the address, and every brace is of a parameter."""
    for address, channel, location in written.addresses():
        if braces := set(_outside_braces(address, "")) & set("{}"):
            message = f"the address {shown(address)} has a {shown(min(braces))} that is of no parameter, and is sent as it stands"
            yield Finding(message, location, "write each parameter as {name}")
        parameters = channel.get("parameters")
        used, described = variables(address), keys(parameters)
        missing = [name for name in used if name not in described]
        if missing:
            place = channel.key_location("parameters") if parameters else location
            listed = ", ".join(map(shown, missing))
            message = (
                f"the address {shown(address)} has {listed}, which 'parameters' does not describe"
            )
            yield Finding(message, place, f"add it: {missing[0]}: {{}}")
        for name in described:
            if parameters and name not in used:
                where = (
                    f"in the address {shown(address)}" if address else "in an address that is null"
                )
                message = f"the parameter {shown(name)} is not {where}"
                near = suggestion(name, missing)
                hint = near or f"write {{{name}}} into the address, or remove the parameter"
                yield Finding(message, parameters.key_location(name), hint)


def channel_servers(written: Written) -> Findings:
    """A channel's servers are servers of the document."""
    servers = written.document.root.get("servers")
    known = {server.pointer: name for name, server in servers.fields()} if servers else {}
    for name, channel, _ in written.entries("channels"):
        listed = channel.get("servers")
        if written.is_2:
            for server, item in texts(listed):
                if server not in known.values():
                    message = f"channel {shown(name)} names the server {shown(server)}, which the document does not have"
                    hint = choice(server, known.values(), "describe it in 'servers'")
                    yield Finding(message, item.location, hint)
        elif channel.pointer.startswith("#/channels/"):
            for item in listed.raw_items() if listed else ():
                if _leads_elsewhere(item, known):
                    found = shown(item.document.follow(item).pointer)
                    message = (
                        f"channel {shown(name)} is on {found}, which is no server of this document"
                    )
                    first = next(iter(known.values()), "name")
                    yield Finding(message, pointed(item), f"write: $ref: '#/servers/{first}'")


def operation_channel(written: Written) -> Findings:
    """An operation's channel is one of the document's channels."""
    if written.is_2:
        return
    channels = written.document.root.get("channels")
    known = {place.pointer: name for name, place in channels.fields()} if channels else {}
    for name, operation, _ in written.entries("operations"):
        raw = operation.raw("channel")
        if raw and operation.pointer.startswith("#/operations/") and _leads_elsewhere(raw, known):
            found = shown(raw.document.follow(raw).pointer)
            message = f"operation {shown(name)} uses {found}, which is no channel of this document"
            first = next(iter(known.values()), "name")
            yield Finding(message, pointed(raw), f"write: $ref: '#/channels/{first}'")


def operation_message(written: Written) -> Findings:
    """An operation's messages are messages of its channel."""
    if not written.is_2:
        for name, operation, _ in written.entries("operations"):
            yield from _messages(f"operation {shown(name)}", operation, _is_component)


def operation_message_component(written: Written) -> Findings:
    """An operation refers to its messages in its channel, not in the components."""
    for name, operation, _ in written.entries("operations") if not written.is_2 else ():
        channel, messages = operation.get("channel"), operation.get("messages")
        if channel is None or messages is None or not is_object(channel):
            continue
        known = _of_channel(channel)
        for raw in filter(_is_component, messages.raw_items()):
            target = raw.document.follow(raw)
            if not is_object(target):
                continue
            key = known.get(target.pointer)
            what = f"operation {shown(name)} names {shown(target.pointer)}"
            message = (
                f"{what}, which is no message of its channel {shown(channel.key)}: it is taken as one"
                if key is None
                else f"{what}, expected the message {shown(key)} of its channel"
            )
            new = step(step(channel.pointer, "messages"), key or target.key)
            hint = f"write: $ref: {shown(new)}" + ("" if key else ", and add it there")
            yield Finding(message, raw.location, hint)


def reply_message(written: Written) -> Findings:
    """A reply's messages are messages of its channel."""
    if not written.is_2:
        for name, operation, _ in written.entries("operations"):
            reply = operation.get("reply")
            if reply:
                yield from _messages(f"the reply of operation {shown(name)}", reply)


def _messages(
    what: str, holder: Place, passes: Callable[[Place], bool] = lambda _: False
) -> Findings:
    channel, messages = holder.get("channel"), holder.get("messages")
    if channel is None or messages is None or not is_object(channel):
        return
    known = _of_channel(channel)
    for raw in messages.raw_items():
        if _leads_elsewhere(raw, known) and not passes(raw):
            found = raw.document.follow(raw).pointer
            message = f"{what} names {shown(found)}, which is no message of its channel {shown(channel.key)}"
            listed = ", ".join(map(shown, known.values()))
            hint = f"the channel has {listed}" if known else "add it to the channel"
            yield Finding(message, raw.location, hint)


def _of_channel(channel: Place) -> Mapping[str, str]:
    """The keys of a channel's messages by their pointers."""
    messages = channel.get("messages")
    return {place.pointer: key for key, place in messages.fields()} if messages else {}


def _is_component(raw: Place) -> bool:
    """Whether a reference names a message of the components by itself."""
    return _COMPONENT.fullmatch(reference(raw.node) or "") is not None


def _leads_elsewhere(raw: Place, known: Mapping[str, str]) -> bool:
    """Whether a reference leads to something that is none of the `known`."""
    target = raw.document.follow(raw)
    if reference(raw.node) is None or not is_object(target):
        return False
    return target.pointer not in known
