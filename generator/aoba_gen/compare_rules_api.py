"""Rules about an API as a whole, its servers, channels and their parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from .compare_model import (
    At,
    Rules,
    Said,
    Verdict,
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
from .model import Channel, Model, Parameter, Server

_BOTH: Final = (Who.SENDERS, Who.RECEIVERS)
_PORTS: Final = {"ws": ":80", "http": ":80", "wss": ":443", "https": ":443"}
"""What stands for itself in the URL of a scheme."""
_KEEP: Final = "keep a server as it was until clients have moved"


def client_renamed(old: Model, new: Model, at: At) -> Iterator[Said]:
    """The package or its client class has another name."""
    for what, was, now in (
        ("package", old.package, new.package),
        ("client class", old.client, new.client),
    ):
        if was != now:
            text = f"the {what} {was} is called {now} now"
            yield from breaks(
                text, Who.CALLERS, hint="keep the title, or name the package with --package"
            )


def server_added(new: Server, at: At) -> Iterator[Said]:
    """A server is new."""
    yield from helps(f"{at.what} is new: {new.url}")


def server_removed(old: Server, at: At) -> Iterator[Said]:
    """A server is gone."""
    text = f"{at.what} ({old.url}) is gone"
    yield from breaks(text, *_BOTH, Who.CALLERS, hint="clients that connect to it have to be moved")


def server_renamed(old: Server, new: Server, at: At) -> Iterator[Said]:
    """A server with the same URL has another name."""
    if old.name != new.name:
        text = (
            f"server {shown(old.name)} seems to be called {shown(new.name)} now: both are {new.url}"
        )
        yield from breaks(text, Who.CALLERS)


def server_url_changed(old: Server, new: Server, at: At) -> Iterator[Said]:
    """A server has another host, path or scheme."""
    if old.protocol == new.protocol and _written(old.template) != _written(new.template):
        text = f"{at.what} is at {new.template}, no longer at {old.template}"
        yield from breaks(
            text, *_BOTH, hint="keep the old address in service until clients have moved"
        )


def server_protocol_changed(old: Server, new: Server, at: At) -> Iterator[Said]:
    """A server speaks another protocol."""
    if old.protocol != new.protocol:
        text = f"{at.what} speaks {new.protocol}, no longer {old.protocol}"
        yield from breaks(text, *_BOTH, hint=_KEEP)


def server_security_changed(old: Server, new: Server, at: At) -> Iterator[Said]:
    """A server takes other security schemes: one more to choose from breaks nobody."""
    yield from security_changed(old.security, new.security, at, _BOTH)


def server_variable_changed(old: Server, new: Server, at: At) -> Iterator[Said]:
    """A variable of a server's URL has come or gone, or has another default or other values."""
    before = {each.name: each for each in old.variables}
    after = {each.name: each for each in new.variables}
    for name, variable in after.items():
        was = before.get(name)
        what = f"variable {shown(name)} of {at.what}"
        if was is None:
            if variable.default is None:
                yield from breaks(f"{what} is new and has no default", Who.CALLERS)
            else:
                yield from helps(f"{what} is new")
            continue
        if was.default != variable.default:
            yield from risks(moved("default", what, was.default, variable.default), *_BOTH)
        if variable.enum and (gone := [one for one in was.enum if one not in variable.enum]):
            yield from breaks(f"{what} cannot be {', '.join(map(shown, gone))} any more", *_BOTH)
        elif variable.enum and not was.enum:
            yield from breaks(
                f"{what} can only be one of {', '.join(map(shown, variable.enum))} now", *_BOTH
            )
        elif set(was.enum) != set(variable.enum):
            yield from helps(f"{what} has more values to choose from")
    for name in before.keys() - after.keys():
        yield from risks(f"variable {shown(name)} of {at.what} is gone", Who.CALLERS)


def channel_added(new: Channel, at: At) -> Iterator[Said]:
    """A channel is new."""
    yield from helps(f"{at.what} is new" + (f": {new.address}" if new.address else ""))


def channel_removed(old: Channel, at: At) -> Iterator[Said]:
    """A channel is gone."""
    yield from breaks(f"{at.what} is gone", *_BOTH, Who.CALLERS)


def channel_renamed(old: Channel, new: Channel, at: At) -> Iterator[Said]:
    """A channel with the same address or messages has another name."""
    if old.name != new.name:
        text = f"channel {shown(old.name)} seems to be called {shown(new.name)} now"
        if (old.constant, old.union) == (new.constant, new.union):
            yield from helps(text)
        else:
            pairs = ((old.constant, new.constant), (old.union, new.union))
            text += "".join(f"; {was} becomes {now}" for was, now in pairs if was != now)
            yield from breaks(text, Who.CALLERS, hint="what goes over the wire is the same")


def channel_address_changed(old: Channel, new: Channel, at: At) -> Iterator[Said]:
    """A channel is at another address."""
    if _address(old) != _address(new):
        text = moved("address", at.what, old.address, new.address)
        hint = "old clients go on using the old one; give the new one a channel of its own"
        yield from differs(at, text, *_BOTH, hint=hint)


def discriminator_changed(old: Channel, new: Channel, at: At) -> Iterator[Said]:
    """The messages of a channel are told apart by another property."""
    if len(old.messages) < 2 or len(new.messages) < 2:
        return
    if (old.discriminator, old.in_headers) != (new.discriminator, new.in_headers):
        before, after = (_told_apart(each) for each in (old, new))
        text = f"the messages of {at.what} are told apart by {after}, no longer by {before}"
        if old.discriminator is None:
            yield from helps(text)
        elif new.discriminator is None:
            yield from risks(text, Who.RECEIVERS)
        else:
            yield from differs(at, text)


def channel_message_added(old: Channel, new: Channel, at: At) -> Iterator[Said]:
    """A message that the document had already travels on one more channel."""
    known = set(at.context.messages.values())
    had = {at.context.messages.get(each.name) for each in old.messages}
    for message in new.messages:
        if message.name in known and message.name not in had:
            text = f"{at.what} carries message {shown(message.name)} too"
            yield from risks(text, Who.RECEIVERS) if at.flow.received else helps(text)


def channel_message_removed(old: Channel, new: Channel, at: At) -> Iterator[Said]:
    """A message that the document still has travels no longer on a channel."""
    has = {each.name for each in new.messages}
    for message in old.messages:
        name = at.context.messages.get(message.name)
        if name is not None and name not in has:
            text = f"{at.what} carries message {shown(name)} no longer"
            yield from differs(at, text)


def parameter_added(new: Parameter, at: At) -> Iterator[Said]:
    """A channel's address has one more parameter, which methods ask for."""
    text = f"{at.what} is new, so methods take the argument {new.python!r}"
    if new.has_default:
        yield from risks(text, *_BOTH)
    else:
        yield from breaks(text, Who.CALLERS)


def parameter_removed(old: Parameter, at: At) -> Iterator[Said]:
    """A parameter of a channel's address is gone."""
    yield from breaks(
        f"{at.what} is gone, and with it the argument {old.python!r} of methods", Who.CALLERS
    )


def parameter_renamed(old: Parameter, new: Parameter, at: At) -> Iterator[Said]:
    """A parameter at the same place of an address has another name."""
    if old.python != new.python:
        text = f"{at.what} is called {shown(new.name)} now: the argument {old.python!r} becomes {new.python!r}"
        yield from breaks(text, Who.CALLERS, hint="the address is the same")


def parameter_value_added(old: Parameter, new: Parameter, at: At) -> Iterator[Said]:
    """A parameter may have values that it could not have."""
    more = [value for value in new.enum if value not in old.enum]
    if old.enum and (more or not new.enum):
        text = f"{at.what} can be {', '.join(map(shown, more)) or 'anything'} too"
        yield from risks(text, Who.RECEIVERS) if at.flow.received else helps(text)


def parameter_value_removed(old: Parameter, new: Parameter, at: At) -> Iterator[Said]:
    """A parameter cannot have values any more that it could have."""
    if not new.enum:
        return
    gone = [value for value in old.enum if value not in new.enum]
    if gone:
        yield from breaks(
            f"{at.what} cannot be {', '.join(map(shown, gone))} any more", Who.SENDERS, Who.CALLERS
        )
    elif not old.enum:
        text = f"{at.what} can only be one of {', '.join(map(shown, new.enum))} now"
        yield from breaks(text, Who.SENDERS, Who.CALLERS)


def parameter_default_changed(old: Parameter, new: Parameter, at: At) -> Iterator[Said]:
    """The default of a parameter is another one, or gone."""
    if old.has_default and not new.has_default:
        yield from breaks(
            f"{at.what} has no default any more, so it has to be given", Who.SENDERS, Who.CALLERS
        )
    elif old.has_default and old.default != new.default:
        yield from risks(moved("default", at.what, old.default, new.default), *_BOTH)


def parameter_pattern_changed(old: Parameter, new: Parameter, at: At) -> Iterator[Said]:
    """The pattern of a parameter has changed, come or gone; risky, as clients do not check it."""
    if old.pattern == new.pattern:
        return
    told = narrows if old.pattern is None else widens if new.pattern is None else differs
    text = moved("pattern", at.what, old.pattern, new.pattern)
    hint = "clients check no pattern of an address; what their programs do with it decides"
    for said in told(at, text, hint=hint):
        yield replace(said, verdict=Verdict.RISKY) if said.verdict is Verdict.BREAKING else said


def _written(template: str) -> str:
    """A URL as RFC 3986 (6.2) writes it: the host in small letters, but not the variables in it, and no usual port."""
    scheme, _, rest = template.partition("://")
    host, _, path = rest.partition("/")
    host = re.sub(
        r"\{[^{}]*\}|[A-Z]+", lambda at: at[0] if at[0][0] == "{" else at[0].lower(), host
    )
    scheme = scheme.lower()
    return f"{scheme}://{host.removesuffix(_PORTS.get(scheme, ' '))}/{path}"


def _address(channel: Channel) -> str | None:
    """The address, whatever its parameters are called."""
    return None if channel.address is None else re.sub(r"\{[^{}]*\}", "{}", channel.address)


def _told_apart(channel: Channel) -> str:
    if channel.discriminator is None:
        return "nothing"
    return f"the {'header' if channel.in_headers else 'property'} {shown(channel.discriminator)}"


API: Final[Rules[Model]] = Rules(kept=(client_renamed, description_changed))
SERVERS: Final[Rules[Server]] = Rules(
    (server_added,),
    (server_removed,),
    (
        server_renamed,
        server_url_changed,
        server_protocol_changed,
        server_security_changed,
        server_variable_changed,
        description_changed,
    ),
)
CHANNELS: Final[Rules[Channel]] = Rules(
    (channel_added,),
    (channel_removed,),
    (
        channel_renamed,
        channel_address_changed,
        discriminator_changed,
        channel_message_added,
        channel_message_removed,
        description_changed,
    ),
)
PARAMETERS: Final[Rules[Parameter]] = Rules(
    (parameter_added,),
    (parameter_removed,),
    (
        parameter_renamed,
        parameter_value_added,
        parameter_value_removed,
        parameter_default_changed,
        parameter_pattern_changed,
        description_changed,
    ),
)
