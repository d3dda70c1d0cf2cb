"""Which operation sends a signal of a call: one that needs nothing but the message, for calls know nothing else."""

from __future__ import annotations

from .call_fields import Fields
from .diagnostics import shown
from .model import Message, Model, Operation


def sender(model: Model, message: Message, fields: Fields) -> tuple[Operation | None, str, str]:
    """The operation that sends a message; or `None`, why there is none, and what to do."""
    senders = [each for each in model.sends if message in each.messages]
    name = shown(message.name)
    if not senders:
        action = "send" if model.side == "described" else "receive"
        return None, f"no operation sends {name}", f"add an operation with action: {action} for it"
    if any(hook.returns is not None for hook in model.hooks if hook.message == message):
        return (
            None,
            f"no call replies to {name}",
            "let the operation that receives it have no reply",
        )
    obstacles = [_obstacle(each, message, fields) for each in senders]
    for operation, obstacle in zip(senders, obstacles, strict=True):
        if obstacle is None:
            return operation, "", ""
    what, hint = next(filter(None, obstacles))
    return None, f"operation {shown(senders[0].name)} needs {what} to send {name}", hint


def _obstacle(operation: Operation, message: Message, fields: Fields) -> tuple[str, str] | None:
    """What the operation needs beside the message, and what to do about it."""
    unknown = [each.name for each in operation.channel.parameters if not each.has_default]
    headers = [each.name for each in fields.of(message.headers or "") if not fields.is_given(each)]
    if unknown:
        named = ", ".join(map(shown, unknown))
        return (
            f"{named} for its address",
            "give the parameters of the address a default, or leave them out",
        )
    if operation.reply is not None:
        return "a reply", "let it have no reply: no call gives one"
    if headers:
        return f"the headers {', '.join(map(shown, headers))}", "let them be optional"
    return None
