"""Rules about classes and their fields."""

from __future__ import annotations

from collections.abc import Iterator
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
    narrows,
    risks,
    widens,
)
from .compare_schemas import Held
from .diagnostics import shown
from .model import Alias, Definition, Enum, Property, Record

_BOTH: Final = (Who.SENDERS, Who.RECEIVERS)


def class_added(new: Definition, at: At) -> Iterator[Said]:
    """A class is new."""
    yield from helps(f"{at.what} is new")


def class_removed(old: Definition, at: At) -> Iterator[Said]:
    """A class is gone, and no other stands for it."""
    yield from breaks(f"{at.what} is gone", Who.CALLERS)


def class_renamed(old: Definition, new: Definition, at: At) -> Iterator[Said]:
    """A class has another name, though it stands for the same."""
    if old.python != new.python and new.python not in at.context.olds:
        text = f"{_kind(old)} {old.python} is called {new.python} now"
        hint = "what goes over the wire is the same; keep the schema's name"
        yield from breaks(text, Who.CALLERS, hint=hint)


def class_replaced(old: Definition, new: Definition, at: At) -> Iterator[Said]:
    """A class that was there before stands where another one stood."""
    if old.python != new.python and new.python in at.context.olds:
        text = f"{new.python} stands where the class {old.python} stood"
        yield from breaks(text, Who.CALLERS)


def class_kind_changed(old: Definition, new: Definition, at: At) -> Iterator[Said]:
    """What was a class with fields is an enum or another type now, or the other way round."""
    if type(old) is not type(new):
        text = f"{at.what} is {_kind(new, article=True)}; it was {_kind(old, article=True)}"
        yield from differs(at, text, Who.CALLERS)


def object_closed(old: Definition, new: Definition, at: At) -> Iterator[Said]:
    """A class refuses other properties, or asks more of them, than it did."""
    if isinstance(old, Record) and isinstance(new, Record) and _strict(new) > _strict(old):
        what = "refuses other properties" if new.closed else "takes no property of any kind"
        yield from narrows(at, f"{at.what} {what} now", hint="old clients may send some")


def object_opened(old: Definition, new: Definition, at: At) -> Iterator[Said]:
    """A class that refused other properties takes them: who receives may get what it refuses."""
    if isinstance(old, Record) and isinstance(new, Record) and _strict(new) < _strict(old):
        text = f"{at.what} takes properties that it refused"
        yield from risks(text, Who.RECEIVERS) if at.flow.received else helps(text)


def field_added(new: Held, at: At) -> Iterator[Said]:
    """A field is new and may be left out; it breaks who receives if the class refused other properties."""
    if not new.field.required:
        text = f"{at.what} is new and may be left out"
        if new.closed:
            yield from widens(at, text, hint="old clients refuse properties they do not know here")
        else:
            yield from helps(text)


def field_added_required(new: Held, at: At) -> Iterator[Said]:
    """A field is new and has to be there: old clients do not send it."""
    if new.field.required:
        text = f"{at.what} is new and required"
        callers = (Who.CALLERS,) if _asked(new.field) and at.flow.sent else ()
        yield from narrows(at, text, *callers, hint="let it be left out, at least for a while")


def field_removed(old: Held, at: At) -> Iterator[Said]:
    """A field is gone: old clients that demand it get messages without it."""
    text = f"{at.what} is gone"
    receivers = (Who.RECEIVERS,) if old.field.required and at.flow.received else ()
    senders = (Who.SENDERS,) if old.closed and at.flow.sent else ()
    hint = "old clients demand it" if receivers else ""
    yield from breaks(text, *senders, *receivers, Who.CALLERS, hint=hint)


def field_renamed(old: Held, new: Held, at: At) -> Iterator[Said]:
    """A field is gone and another one with the same type has come: it may have been renamed."""
    if old.field.name != new.field.name:
        text = f"{at.what} is gone; {shown(new.field.name)} looks like its new name"
        hint = "old clients know the old name only: keep it beside the new one for a while"
        if old.field.required:
            yield from differs(at, text, Who.CALLERS, hint=hint)
        else:
            yield from breaks(text, Who.CALLERS, hint=hint)


def attribute_renamed(old: Held, new: Held, at: At) -> Iterator[Said]:
    """The Python attribute of a field is called otherwise, though the field kept its name."""
    if old.field.name == new.field.name and old.field.python != new.field.python:
        text = (
            f"the attribute of {at.what} is called {new.field.python}, no longer {old.field.python}"
        )
        yield from breaks(text, Who.CALLERS)


def field_required(old: Held, new: Held, at: At) -> Iterator[Said]:
    """A field that could be left out has to be there: old clients leave it out."""
    if new.field.required and not old.field.required:
        callers = (Who.CALLERS,) if _asked(new.field) and at.flow.sent else ()
        hint = "let it be left out, and say in its description what that means"
        yield from narrows(at, f"{at.what} is required now", *callers, hint=hint)


def field_optional(old: Held, new: Held, at: At) -> Iterator[Said]:
    """A field that had to be there may be left out: old clients demand it."""
    if old.field.required and not new.field.required:
        callers = (Who.CALLERS,) if at.flow.received and not new.field.has_default else ()
        hint = "old clients demand it: go on sending it"
        yield from widens(at, f"{at.what} may be left out now", *callers, hint=hint)


def field_default_changed(old: Held, new: Held, at: At) -> Iterator[Said]:
    """A field that is left out means something else."""
    if old.field.required or new.field.required:
        return
    before, after = ((each.has_default, each.default) for each in (old.field, new.field))
    if before == after:
        return
    if not old.field.has_default:
        text = f"{at.what} means {shown(new.field.default)} where it is left out; nothing was said of that"
    elif not new.field.has_default:
        text = f"{at.what} has no default any more; it was {shown(old.field.default)}"
        yield from breaks(text, Who.CALLERS, hint="where it is left out, its attribute is None now")
        return
    else:
        text = f"{at.what} means {shown(new.field.default)} where it is left out; it was {shown(old.field.default)}"
    yield from risks(text, *_BOTH, hint="old and new clients read its absence differently")


def field_fill_changed(old: Held, new: Held, at: At) -> Iterator[Said]:
    """The constructor fills a required field no longer, or otherwise."""
    if old.field.required and new.field.required and old.field.fill != new.field.fill:
        if _asked(new.field) and not _asked(old.field):
            text = f"the constructor asks for {at.what} now"
            yield from breaks(text, Who.CALLERS) if at.flow.sent else helps(text)
        elif not _asked(new.field) and not _asked(old.field):
            text = f"the constructor fills {at.what} with {new.field.fill}; it was {old.field.fill}"
            yield from risks(text, Who.CALLERS)
        else:
            yield from helps(f"the constructor asks for {at.what} no longer")


def field_description_changed(old: Held, new: Held, at: At) -> Iterator[Said]:
    """What is said about a field has other words."""
    yield from description_changed(old.field, new.field, at)


def _asked(field: Property) -> bool:
    """Whether the constructor asks for a required field."""
    return field.fill is None and field.schema.const is None


def _strict(record: Record) -> int:
    return 2 if record.closed else 1 if record.extras is not None else 0


def _kind(made: Definition, *, article: bool = False) -> str:
    kind = {Record: "class", Enum: "enum", Alias: "type"}[type(made)]
    return f"{'an' if kind == 'enum' else 'a'} {kind}" if article else kind


CLASSES: Final[Rules[Definition]] = Rules(
    (class_added,),
    (class_removed,),
    (
        class_renamed,
        class_replaced,
        class_kind_changed,
        object_closed,
        object_opened,
        description_changed,
    ),
)
FIELDS: Final[Rules[Held]] = Rules(
    (field_added, field_added_required),
    (field_removed,),
    (
        field_renamed,
        attribute_renamed,
        field_required,
        field_optional,
        field_default_changed,
        field_fill_changed,
        field_description_changed,
    ),
)
