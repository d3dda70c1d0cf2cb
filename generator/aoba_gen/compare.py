"""Model against Model: everything that two versions of an API describe, in pairs, and what the rules say of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from .compare_match import both, flows, matched, tags
from .compare_model import At, Context, Finding, Flow
from .compare_rules_api import API, CHANNELS, PARAMETERS, SERVERS
from .compare_rules_fields import CLASSES, FIELDS
from .compare_rules_operations import MESSAGES, OPERATIONS
from .compare_rules_schemas import SCHEMAS, VALUES, Values
from .compare_schemas import Held, Walk, fields, is_narrowed, kinds, values
from .diagnostics import shown
from .model import Alias, Channel, Definition, Enum, Message, Model, Operation, Record, Schema

FieldPointer: TypeAlias = Callable[[str, str], str]
"""The pointer of a field, by the pointer of its class and the field's name."""

RULES: Final[dict[str, str]] = {
    rule: sentence
    for table in (
        API.sentences(),
        SERVERS.sentences(),
        CHANNELS.sentences(),
        PARAMETERS.sentences(),
        OPERATIONS.sentences(),
        MESSAGES.sentences(),
        CLASSES.sentences(),
        FIELDS.sentences(),
        SCHEMAS.sentences(),
        VALUES.sentences(),
    )
    for rule, sentence in table.items()
}
"""Every rule by its id, with its sentence."""


def compare(
    old: Model, new: Model, old_field: FieldPointer, new_field: FieldPointer
) -> list[Finding]:
    """What has changed from `old` to `new`, each once."""
    found = _Comparison(old, new, old_field, new_field).findings()
    return list({(one.rule, one.said.text): one for one in found}.values())


class _Comparison:
    """Two models, and what of them belongs together."""

    def __init__(
        self, old: Model, new: Model, old_field: FieldPointer, new_field: FieldPointer
    ) -> None:
        self._old, self._new = old, new
        self._old_field, self._new_field = old_field, new_field
        old_tags, new_tags = tags(old), tags(new)
        olds = {one.python: one for one in old.definitions}
        news = {one.python: one for one in new.definitions}
        self._messages = matched(
            old.messages,
            new.messages,
            lambda one: one.name,
            lambda one, is_old: (old_tags if is_old else new_tags).get(one.name),
            lambda one, _: (one.payload, one.headers, one.content_type) if one.payload else None,
            lambda one, is_old: _shape(one, olds if is_old else news),
        )
        messages = {was.name: now.name for was, now in both(self._messages)}
        self._channels = matched(
            old.channels,
            new.channels,
            lambda one: one.name,
            lambda one, _: one.address,
            lambda one, is_old: _names(one, messages if is_old else {}),
        )
        channels = {was.name: now.name for was, now in both(self._channels)}
        self._operations = matched(
            old.operations,
            new.operations,
            lambda one: one.name,
            lambda one, is_old: _essence(one, channels, messages) if is_old else _essence(one),
        )
        self._context = Context(
            old,
            new,
            olds,
            news,
            channels,
            messages,
            {hook.message.name: hook.python for hook in old.hooks if hook.message},
            {hook.message.name: hook.python for hook in new.hooks if hook.message},
        )
        self._olds, self._news = flows(old), flows(new)

    def findings(self) -> Iterator[Finding]:
        yield from API.judge(self._old, self._new, self._at("the API", "#/info", "#/info", Flow()))
        yield from self._of_servers()
        yield from self._of_channels()
        yield from self._of_operations()
        yield from self._of_messages()
        yield from self._of_classes()

    def _at(self, what: str, old: str, new: str, flow: Flow) -> At:
        return At(what, old, new, flow, self._context)

    def _of_servers(self) -> Iterator[Finding]:
        pairs = matched(
            self._old.servers,
            self._new.servers,
            lambda one: one.name,
            lambda one, _: (one.url, one.protocol),
        )
        for was, now in pairs:
            name = (now or was or self._new.servers[0]).name
            before = f"#/servers/{_step(was.name)}" if was else "#/servers"
            after = f"#/servers/{_step(now.name)}" if now else "#/servers"
            at = self._at(f"server {shown(name)}", before, after, Flow(True, True))
            yield from SERVERS.judge(was, now, at)

    def _of_channels(self) -> Iterator[Finding]:
        for was, now in self._channels:
            flow = Flow()
            for message in was.messages if was else ():
                flow |= self._olds.get(message.name, Flow())
            before = was.pointer if was else "#/channels"
            after = now.pointer if now else "#/channels"
            name = now.name if now else was.name if was else ""
            at = self._at(f"channel {shown(name)}", before, after, flow)
            yield from CHANNELS.judge(was, now, at)
            if was is not None and now is not None:
                yield from self._of_parameters(was, now, at)

    def _of_parameters(self, old: Channel, new: Channel, around: At) -> Iterator[Finding]:
        before = {one.name: place for place, one in enumerate(old.parameters)}
        after = {one.name: place for place, one in enumerate(new.parameters)}
        pairs = matched(
            old.parameters,
            new.parameters,
            lambda one: one.name,
            lambda one, is_old: (before if is_old else after)[one.name],
        )
        for was, now in pairs:
            name = was.name if was else now.name if now else ""
            at = replace(
                around,
                what=f"parameter {shown(name)} of {around.what}",
                old=f"{around.old}/parameters/{_step(was.name)}" if was else around.old,
                new=f"{around.new}/parameters/{_step(now.name)}" if now else around.new,
            )
            yield from PARAMETERS.judge(was, now, at)

    def _of_operations(self) -> Iterator[Finding]:
        for was, now in self._operations:
            name = now.name if now else was.name if was else ""
            before = f"#/operations/{_step(was.name)}" if was else "#/operations"
            after = f"#/operations/{_step(now.name)}" if now else "#/operations"
            sends = [one.action == "send" for one in (was, now) if one is not None]
            at = self._at(
                f"operation {shown(name)}", before, after, Flow(any(sends), not all(sends))
            )
            yield from OPERATIONS.judge(was, now, at)

    def _of_messages(self) -> Iterator[Finding]:
        for was, now in self._messages:
            name = now.name if now else was.name if was else ""
            before = was.pointer if was else "#/components/messages"
            after = now.pointer if now else "#/components/messages"
            at = self._at(f"message {shown(name)}", before, after, self._flow(was, now))
            yield from MESSAGES.judge(was, now, at)

    def _flow(self, old: Message | None, new: Message | None) -> Flow:
        """Which way a message goes with old clients, who alone can break; one that they do not know, with new ones."""
        if old is not None:
            return self._olds.get(old.name, Flow())
        return self._news.get(new.name, Flow()) if new else Flow()

    def _of_classes(self) -> Iterator[Finding]:
        walk = Walk(self._context)
        for was, now in both(self._messages):
            flow = self._flow(was, now)
            for before, after in ((was.payload, now.payload), (was.headers, now.headers)):
                if before in self._context.olds and after in self._context.news:
                    walk.visit(str(before), str(after), flow)
        reached = {old for old, _ in walk.classes}, {new for _, new in walk.classes}
        olds: list[Definition] = [
            one for one in self._old.definitions if one.python not in reached[0]
        ]
        news: list[Definition] = [
            one for one in self._new.definitions if one.python not in reached[1]
        ]
        rest: list[tuple[Definition | None, Definition | None]] = matched(
            olds,
            news,
            lambda one: one.python,
            lambda one, _: repr(replace(one, python="", pointer="")),
        )
        for gone, come in rest:
            if gone is not None and come is not None:
                walk.visit(gone.python, come.python, Flow())
        for (before, after), flow in walk.classes.items():
            old, new = self._context.olds[before], self._context.news[after]
            at = self._at(after, old.pointer, new.pointer, flow)
            yield from CLASSES.judge(old, new, at)
            if isinstance(old, Enum) and isinstance(new, Enum):
                yield from VALUES.judge(_members(old), _members(new), at)
            elif not isinstance(old, Enum) and not isinstance(new, Enum):
                yield from self._of_inner(walk, old, new, at)
        for only_old, only_new in rest:
            if only_old is None or only_new is None:
                yield from self._of_single_class(only_old, only_new)
        yield from self._of_fields(walk)

    def _of_single_class(self, old: Definition | None, new: Definition | None) -> Iterator[Finding]:
        made = old or new
        if made is None or made.python in self._context.olds and made.python in self._context.news:
            return
        before = old.pointer if old else "#/components/schemas"
        after = new.pointer if new else "#/components/schemas"
        yield from CLASSES.judge(old, new, self._at(f"class {made.python}", before, after, Flow()))

    def _of_inner(self, walk: Walk, old: Definition, new: Definition, at: At) -> Iterator[Finding]:
        """What an alias stands for, and what a class says beside its fields."""
        if isinstance(old, Enum) or isinstance(new, Enum):
            return
        if type(old) is type(new):
            yield from self._of_twins(walk, _inner(old), _inner(new), at)

    def _of_fields(self, walk: Walk) -> Iterator[Finding]:
        # Where a field is not, its place is the class that stands for the one that has it.
        of_new = {new: self._context.olds[old] for old, new in reversed(walk.classes)}
        of_old = {old: self._context.news[new] for old, new in reversed(walk.classes)}
        for key, (was, now, flow) in walk.fields.items():
            old_owner = was.owner if was else of_new.get(key[2])
            new_owner = now.owner if now else of_old.get(key[0])
            at = self._at(
                _field_text(was or now),
                self._pointer(old_owner, was, self._old_field),
                self._pointer(new_owner, now, self._new_field),
                flow,
            )
            yield from FIELDS.judge(was, now, at)
            if was is not None and now is not None:
                yield from self._of_twins(walk, was.field.schema, now.field.schema, at)

    def _of_twins(self, walk: Walk, old: Schema, new: Schema, at: At) -> Iterator[Finding]:
        for twins in walk.twins(old, new):
            inner = replace(at, what=at.what + twins.where)
            yield from SCHEMAS.judge(twins.old, twins.new, inner)
            before = values(twins.old, self._context.olds)
            after = values(twins.new, self._context.news)
            # Two whole enums are compared as classes, which are told of once.
            named = all(
                isinstance(found.get(each.ref or ""), Enum) and not is_narrowed(each)
                for each, found in (
                    (twins.old, self._context.olds),
                    (twins.new, self._context.news),
                )
            )
            alike = kinds(twins.old, self._context.olds) == kinds(twins.new, self._context.news)
            if before is not None and after is not None and not named and alike:
                yield from VALUES.judge(before, after, inner)

    def _pointer(
        self, owner: Definition | None, held: Held | None, pointer_of: FieldPointer
    ) -> str:
        if owner is None:
            return "#/components/schemas"
        return owner.pointer if held is None else pointer_of(owner.pointer, held.field.name)


def _inner(made: Record | Alias) -> Schema:
    """What an alias stands for; of a class, what it says beside its fields."""
    if isinstance(made, Alias):
        return made.schema
    return Schema(types=("object",), checks=made.checks)


def _members(enum: Enum) -> Values:
    return values(Schema(ref=enum.python), {enum.python: enum}) or ()


def _field_text(held: Held | None) -> str:
    return f"field {shown(held.field.name)} of {held.owner.python}" if held else ""


def _names(channel: Channel, names: dict[str, str]) -> tuple[str, ...] | None:
    return tuple(sorted(names.get(one.name, one.name) for one in channel.messages)) or None


def _shape(message: Message, found: Mapping[str, Definition]) -> tuple[object, ...] | None:
    """What a message carries, whatever its class is called."""
    held = fields(message.payload or "", found).values()
    return tuple(sorted((one.field.name, one.field.required) for one in held)) or None


def _essence(
    made: Operation, channels: dict[str, str] | None = None, messages: dict[str, str] | None = None
) -> tuple[object, ...]:
    """What an operation does, by what its channel and messages are called in the new document."""
    name: Callable[[str, dict[str, str] | None], str] = lambda key, table: (table or {}).get(
        key, key
    )
    return (
        made.action,
        name(made.channel.name, channels),
        tuple(name(one.name, messages) for one in made.messages),
        made.reply is None,
    )


def _step(name: str) -> str:
    return re.sub("[~/]", lambda found: {"~": "~0", "/": "~1"}[found[0]], name)
