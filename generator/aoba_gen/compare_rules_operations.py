"""Rules about operations, their replies, and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from .compare_model import (
    At,
    Rules,
    Said,
    Who,
    breaks,
    description_changed,
    differs,
    helps,
    moved,
    narrows,
    risks,
    security_changed,
    widens,
)
from .diagnostics import shown
from .model import Message, Operation, Record

_BOTH: Final = (Who.SENDERS, Who.RECEIVERS)


def operation_added(new: Operation, at: At) -> Iterator[Said]:
    """An operation is new."""
    yield from helps(f"{at.what} is new: {_does(new)}")


def operation_removed(old: Operation, at: At) -> Iterator[Said]:
    """An operation is gone."""
    who = Who.SENDERS if old.action == "send" else Who.RECEIVERS
    text = f"{at.what} is gone"
    if old.action == "send":
        text += f", and with it the method {old.method}()"
    elif all(hook.python != old.method for hook in at.context.new.hooks):
        text += f", and with it the hook {old.method}"
    yield from breaks(text, who, Who.CALLERS, hint="keep it until no client uses it")


def operation_renamed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """An operation that does the same has another name."""
    if old.name != new.name:
        text = f"operation {shown(old.name)} seems to be called {shown(new.name)} now"
        if old.method == new.method:
            yield from helps(text)
        else:
            text += f": {old.method} becomes {new.method}"
            yield from breaks(text, Who.CALLERS, hint="what goes over the wire is the same")


def method_renamed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """The Python method or hook of an operation is called otherwise, though the operation kept its name."""
    if old.name == new.name and old.action == new.action and old.method != new.method:
        still_there = old.action == "receive" and any(
            hook.python == old.method for hook in at.context.new.hooks
        )
        of_message = any(
            hook.python == old.method and hook.message for hook in at.context.old.hooks
        )
        if not still_there and not of_message:  # a message's hook is told of by the message
            text = f"{at.what} is called {new.method} in Python, no longer {old.method}"
            yield from breaks(text, Who.CALLERS)


def operation_action_changed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """What was sent is received now, or the other way round."""
    if old.action != new.action:
        text = f"clients {_does(new)} with {at.what}; it was: {_does(old)}"
        yield from breaks(text, *_BOTH, Who.CALLERS)


def operation_channel_changed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """An operation uses another channel."""
    if at.context.channels.get(old.channel.name) != new.channel.name:
        text = (
            f"{at.what} uses channel {shown(new.channel.name)}, no longer {shown(old.channel.name)}"
        )
        yield from differs(at, text)


def operation_message_added(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """An operation takes one more of the messages that the document had already."""
    for name in _added(old.messages, new.messages, at.context.messages):
        text = f"{at.what} takes message {shown(name)} too"
        yield from risks(text, Who.RECEIVERS) if new.action == "receive" else helps(text)


def operation_message_removed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """An operation takes a message no longer that the document still has."""
    for name in _removed(old.messages, new.messages, at.context.messages):
        text = f"{at.what} takes message {shown(name)} no longer"
        who = Who.SENDERS if old.action == "send" else Who.RECEIVERS
        yield from breaks(text, who, Who.CALLERS)


def operation_address_changed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """An address has to be given to a method, or is taken no longer."""
    if old.action == new.action == "send" and old.takes_address != new.takes_address:
        verb = "has to be given" if new.takes_address else "takes no"
        yield from breaks(
            f"{new.method}() {verb} {'the' if new.takes_address else ''} address".replace(
                "  ", " "
            ),
            Who.CALLERS,
        )


def operation_headers_needed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """Headers have to be given to a method that could be called without."""
    if old.action == new.action == "send" and new.needs_headers and not old.needs_headers:
        yield from breaks(f"{new.method}() has to be given headers", Who.SENDERS, Who.CALLERS)


def operation_security_changed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """An operation asks for other security schemes: one more to choose from breaks nobody."""
    yield from security_changed(old.security, new.security, at, _BOTH)


def reply_added(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """An operation has a reply now."""
    if old.reply is None and new.reply is not None:
        if new.action == "receive":
            hint = "old clients do not answer, and who asks them waits in vain"
            yield from breaks(
                f"{at.what} has to be answered now", Who.RECEIVERS, Who.CALLERS, hint=hint
            )
        else:
            yield from breaks(
                f"{at.what} is answered now, so {new.method}() waits and returns the reply",
                Who.CALLERS,
            )


def reply_removed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """An operation has no reply any more."""
    if old.reply is not None and new.reply is None:
        hint = "old clients wait for the reply in vain" if old.action == "send" else ""
        who = Who.SENDERS if old.action == "send" else Who.RECEIVERS
        yield from breaks(f"{at.what} is answered no longer", who, Who.CALLERS, hint=hint)


def reply_channel_changed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """A reply comes on another channel."""
    if old.reply and new.reply:
        before, after = old.reply.channel, new.reply.channel
        if at.context.channels.get(before.name, before.name) != after.name:
            text = f"the reply to {at.what} comes on channel {shown(after.name)}, no longer {shown(before.name)}"
            yield from breaks(text, *_BOTH)


def reply_address_changed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """The request says elsewhere where the reply should go."""
    if old.reply and new.reply and old.reply.address != new.reply.address:
        text = moved("address", f"the reply to {at.what}", old.reply.address, new.reply.address)
        yield from breaks(text, *_BOTH)


def reply_message_added(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """A reply can be one more message."""
    if old.reply and new.reply:
        known = {at.context.messages.get(each.name) for each in old.reply.messages}
        for message in new.reply.messages:
            if message.name not in known:
                text = f"{at.what} can be answered by {shown(message.name)} too"
                if old.action == "send":
                    yield from breaks(text, Who.RECEIVERS, Who.CALLERS)
                else:
                    yield from helps(text)


def reply_message_removed(old: Operation, new: Operation, at: At) -> Iterator[Said]:
    """A reply cannot be one of its messages any more."""
    if old.reply and new.reply:
        has = {each.name for each in new.reply.messages}
        for message in old.reply.messages:
            if at.context.messages.get(message.name) not in has:
                text = f"{at.what} cannot be answered by {shown(message.name)} any more"
                if old.action == "receive":
                    yield from breaks(text, Who.SENDERS, Who.CALLERS)
                else:
                    yield from risks(text, Who.CALLERS)


def message_added(new: Message, at: At) -> Iterator[Said]:
    """A message is new: an old client that receives it refuses it as unknown."""
    text = f"{at.what} is new"
    if at.flow.received:
        hint = "send it only to who is known to understand it, or be ready for the refusal"
        yield from risks(text, Who.RECEIVERS, hint=hint)
    else:
        yield from helps(text)


def message_removed(old: Message, at: At) -> Iterator[Said]:
    """A message is gone."""
    yield from differs(at, f"{at.what} is gone", Who.CALLERS)


def message_renamed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """A message that carries the same has another name."""
    if old.name != new.name:
        before = old.constant, at.context.old_hooks.get(old.name, "")
        after = new.constant, at.context.new_hooks.get(new.name, "")
        text = f"message {shown(old.name)} seems to be called {shown(new.name)} now"
        if before == after:
            yield from helps(text)
        else:
            names = (" and ".join(filter(None, each)) for each in (before, after))
            text += ": {} become {}".format(*names)
            yield from breaks(text, Who.CALLERS, hint="what goes over the wire is the same")


def hook_renamed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """The Python hook of a message is called otherwise, though the message kept its name."""
    before, after = at.context.old_hooks.get(old.name, ""), at.context.new_hooks.get(new.name, "")
    if old.name == new.name and before and after and before != after:
        yield from breaks(
            f"the hook of {at.what} is called {after}, no longer {before}", Who.CALLERS
        )


def constant_renamed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """The Python constant of a message is called otherwise, though the message kept its name."""
    if old.name == new.name and old.constant != new.constant:
        yield from breaks(
            f"the constant of {at.what} is called {new.constant}, no longer {old.constant}",
            Who.CALLERS,
        )


def content_type_changed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """A message is written in another format."""
    if old.content_type != new.content_type:
        yield from differs(at, moved("content type", at.what, old.content_type, new.content_type))


def payload_added(old: Message, new: Message, at: At) -> Iterator[Said]:
    """A message that carried nothing has a payload."""
    if old.payload is None and new.payload is not None:
        yield from narrows(at, f"{at.what} has a payload now", Who.CALLERS)


def payload_removed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """A message that had a payload carries nothing."""
    if old.payload is not None and new.payload is None:
        yield from widens(at, f"{at.what} has no payload any more", Who.CALLERS)


def payload_form_changed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """A payload was described and is bytes now, or the other way round."""
    if old.payload and new.payload and (old.payload == "bytes") != (new.payload == "bytes"):
        after = "bytes" if new.payload == "bytes" else f"of the class {new.payload}"
        yield from differs(at, f"the payload of {at.what} is {after} now", Who.CALLERS)


def headers_added(old: Message, new: Message, at: At) -> Iterator[Said]:
    """A message has headers now; it breaks who sends if one of them is required."""
    if old.headers is None and new.headers is not None:
        made = at.context.news.get(new.headers)
        needed = (
            [each.name for each in made.properties if each.required]
            if isinstance(made, Record)
            else []
        )
        if needed:
            text = f"{at.what} has to have the headers {', '.join(map(shown, needed))}"
            yield from narrows(at, text)
        else:
            yield from helps(f"{at.what} has headers now")


def headers_removed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """A message has no headers any more."""
    if old.headers is not None and new.headers is None:
        made = at.context.olds.get(old.headers)
        needed = isinstance(made, Record) and any(each.required for each in made.properties)
        text = f"{at.what} has no headers any more"
        yield from widens(at, text, Who.CALLERS) if needed else breaks(text, Who.CALLERS)


def correlation_changed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """The correlation id of a message stands elsewhere."""
    if old.correlation != new.correlation:
        text = moved("correlation id", at.what, old.correlation, new.correlation)
        yield from differs(at, text) if old.correlation else risks(text, *_BOTH)


def conversation_changed(old: Message, new: Message, at: At) -> Iterator[Said]:
    """Another field tells which messages belong to one conversation."""
    if old.conversation != new.conversation:
        text = moved("conversation field", at.what, old.conversation, new.conversation)
        yield from risks(text, *_BOTH)


def _does(operation: Operation) -> str:
    names = ", ".join(shown(each.name) for each in operation.messages) or "what they like"
    return f"{operation.action} {names} on channel {shown(operation.channel.name)}"


def _added(old: Sequence[Message], new: Sequence[Message], names: Mapping[str, str]) -> list[str]:
    """The messages that only the new list has, though both documents have them."""
    had = {names.get(each.name) for each in old}
    known = set(names.values())
    return [each.name for each in new if each.name in known and each.name not in had]


def _removed(old: Sequence[Message], new: Sequence[Message], names: Mapping[str, str]) -> list[str]:
    """The messages that only the old list has, though both documents have them, by their new names."""
    has = {each.name for each in new}
    return [name for each in old if (name := names.get(each.name)) and name not in has]


OPERATIONS: Final[Rules[Operation]] = Rules(
    (operation_added,),
    (operation_removed,),
    (
        operation_renamed,
        method_renamed,
        operation_action_changed,
        operation_channel_changed,
        operation_message_added,
        operation_message_removed,
        operation_address_changed,
        operation_headers_needed,
        operation_security_changed,
        description_changed,
        reply_added,
        reply_removed,
        reply_channel_changed,
        reply_address_changed,
        reply_message_added,
        reply_message_removed,
    ),
)
MESSAGES: Final[Rules[Message]] = Rules(
    (message_added,),
    (message_removed,),
    (
        message_renamed,
        hook_renamed,
        constant_renamed,
        content_type_changed,
        payload_added,
        payload_removed,
        payload_form_changed,
        headers_added,
        headers_removed,
        correlation_changed,
        conversation_changed,
        description_changed,
    ),
)
