"""Rules about types: which values a place in a message may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final, TypeAlias

from .compare_model import (
    At,
    Rules,
    Said,
    Verdict,
    Who,
    breaks,
    differs,
    helps,
    moved,
    narrows,
    widens,
)
from .compare_match import near
from .compare_schemas import Value, kinds, name_of, same_members, values
from .diagnostics import shown
from .model import Json, Record, Schema
from .schemas_types import FORMATS

_LOWER: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems"})
_UPPER: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems"})
Values: TypeAlias = tuple[Value, ...]


def type_widened(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value may be of more JSON types than before."""
    before, after = _types(old, new, at)
    if before != after and (after is None or (before is not None and before < after)):
        yield from _widens(at, f"{at.what} is {name_of(new)}; it was {name_of(old)}")


def type_narrowed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value may be of fewer JSON types than before."""
    before, after = _types(old, new, at)
    if before != after and (before is None or (after is not None and after < before)):
        yield from _narrows(at, f"{at.what} is {name_of(new)}; it was {name_of(old)}")


def type_changed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value is of another JSON type."""
    before, after = _types(old, new, at)
    if before is not None and after is not None and not (before <= after or after <= before):
        yield from differs(at, f"{at.what} is {name_of(new)}; it was {name_of(old)}", Who.CALLERS)


def object_described(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """An object that could hold anything is described by a class, or the other way round."""
    before = isinstance(at.context.olds.get(old.ref or ""), Record)
    after = isinstance(at.context.news.get(new.ref or ""), Record)
    if before != after and kinds(old, at.context.olds) == kinds(new, at.context.news):
        if old.any_of or new.any_of:
            return
        text = f"{at.what} is {'the class ' + str(new.ref) if after else 'a map'}; it was "
        text += f"the class {old.ref}" if before else "a map"
        tell = narrows if after else widens
        yield from tell(at, text, Who.CALLERS)


def nullable_added(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value may be null that could not be."""
    if _null(new) and not _null(old) and not _free(old) and not _free(new):
        yield from _widens(at, f"{at.what} may be null now")


def nullable_removed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value cannot be null any more."""
    if _null(old) and not _null(new) and not _free(old) and not _free(new):
        yield from _narrows(at, f"{at.what} cannot be null any more")


def format_changed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A text or number has another format, has one now, or has none any more; risky where clients do not check it."""
    if old.format == new.format or not _alike(old, new, at):
        return
    if old.format is None:
        found = narrows(at, f"{at.what} has the format {shown(new.format)} now")
    elif new.format is None:
        found = widens(at, f"{at.what} has the format {shown(old.format)} no longer")
    else:
        text = f"the format of {at.what} is {shown(new.format)}; it was {shown(old.format)}"
        found = differs(at, text)
    is_checked = old.format in FORMATS or new.format in FORMATS
    for said in found:
        is_risky = said.verdict is Verdict.BREAKING and not is_checked
        yield replace(said, verdict=Verdict.RISKY) if is_risky else said


def constraint_tightened(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A bound allows less than before."""
    if not _alike(old, new, at):
        return
    before, after = _bounds(old), _bounds(new)
    for keyword, bound in after.items():
        was = before.get(keyword)
        if keyword not in _LOWER | _UPPER or was == bound or _implied(keyword, bound, before):
            continue
        if _tighter(keyword, was, bound):
            yield from narrows(at, moved(keyword, at.what, was, bound))


def constraint_loosened(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A bound allows more than before."""
    if not _alike(old, new, at):
        return
    before, after = _bounds(old), _bounds(new)
    for keyword, bound in before.items():
        now = after.get(keyword)
        if keyword not in _LOWER | _UPPER or now == bound or _implied(keyword, bound, after):
            continue
        if not _tighter(keyword, bound, now):
            yield from widens(at, moved(keyword, at.what, bound, now))


def pattern_changed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """The pattern of a text, or what a number is a multiple of, has changed, come or gone."""
    if not _alike(old, new, at):
        return
    before, after = dict(old.constraints), dict(new.constraints)
    for keyword in ("pattern", "multipleOf"):
        was, now = before.get(keyword), after.get(keyword)
        if was == now:
            continue
        yield from _told(keyword, was, now)(at, moved(keyword, at.what, was, now))


def checks_changed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """What JSON Schema says beyond types (`not`, `uniqueItems`, ...) has changed, come or gone."""
    yield from _checks(old.checks or {}, new.checks or {}, at)


def union_member_added(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value may be of one more class or type of a union."""
    for was, now in _members(old, new, at):
        if was is None and now is not None:
            yield from _widens(at, f"{at.what} can be {name_of(now)} too")


def union_member_removed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value cannot be of one of the classes or types of a union any more."""
    for was, now in _members(old, new, at):
        if now is None and was is not None:
            yield from _narrows(at, f"{at.what} cannot be {name_of(was)} any more")


def union_discriminator_changed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """The members of a union are told apart by another property."""
    if len(old.any_of) > 1 and len(new.any_of) > 1 and old.discriminator != new.discriminator:
        before, after = (
            f"by {shown(each.discriminator)}" if each.discriminator else "by nothing"
            for each in (old, new)
        )
        text = f"the members of {at.what} are told apart {after}; it was {before}"
        yield from differs(at, text) if old.discriminator else helps(text)


def tuple_length_changed(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A list of fixed length has another length."""
    if old.prefix and new.prefix and len(old.prefix) != len(new.prefix):
        text = f"{at.what} has {len(new.prefix)} items; it had {len(old.prefix)}"
        yield from differs(at, text, Who.CALLERS)


def values_limited(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value that could be any of its type has to be one of a list."""
    if _alike(old, new, at):
        before, after = values(old, at.context.olds), values(new, at.context.news)
        if before is None and after is not None:
            listed = ", ".join(shown(each.value) for each in after)
            yield from narrows(at, f"{at.what} can only be {listed} now", Who.CALLERS)


def values_opened(old: Schema, new: Schema, at: At) -> Iterator[Said]:
    """A value that had to be one of a list can be any of its type."""
    if _alike(old, new, at):
        before, after = values(old, at.context.olds), values(new, at.context.news)
        if before is not None and after is None:
            yield from widens(at, f"{at.what} can be any {name_of(new)} now", Who.CALLERS)


def const_changed(old: Values, new: Values, at: At) -> Iterator[Said]:
    """A constant, such as the tag of a message, has another value."""
    if len(old) == len(new) == 1 and old[0].python is new[0].python is None:
        if old[0].value != new[0].value:
            text = f"{at.what} is always {shown(new[0].value)}; it was {shown(old[0].value)}"
            yield from differs(at, text)


def enum_value_added(old: Values, new: Values, at: At) -> Iterator[Said]:
    """A value may be one that it could not be: old clients refuse it."""
    if _constants(old, new):
        return
    renamed = dict(same_values(old, new))
    for value in new:
        if value.value not in {each.value for each in old} | set(renamed.values()):
            hint = "old clients refuse it: send it only to who is known to understand it"
            yield from widens(at, f"{at.what} can be {shown(value.value)} too", hint=hint)


def enum_value_removed(old: Values, new: Values, at: At) -> Iterator[Said]:
    """A value cannot be any more what it could be: old clients may send it."""
    if _constants(old, new):
        return
    renamed = dict(same_values(old, new))
    for value in old:
        if value.value not in {each.value for each in new} | renamed.keys():
            hint = "old clients may send it: go on taking it for a while"
            text = f"{at.what} cannot be {shown(value.value)} any more"
            yield from narrows(at, text, Who.CALLERS, hint=hint)


def enum_value_renamed(old: Values, new: Values, at: At) -> Iterator[Said]:
    """A value is gone and one much like it has come: it may have been renamed."""
    if _constants(old, new):
        return
    for was, now in same_values(old, new):
        hint = "old clients know the old one only: take both, and send the old one for a while"
        text = f"{at.what} cannot be {shown(was)} any more; {shown(now)} looks like its new name"
        yield from differs(at, text, Who.CALLERS, hint=hint)


def member_renamed(old: Values, new: Values, at: At) -> Iterator[Said]:
    """The Python member of an enum's value is called otherwise, though the value is the same."""
    before = {each.value: each.python for each in old}
    for value in new:
        was = before.get(value.value)
        if was and value.python and was.rpartition(".")[2] != value.python.rpartition(".")[2]:
            text = f"the member for {shown(value.value)} in {at.what} is called {value.python}, no longer {was}"
            yield from breaks(text, Who.CALLERS)


def same_values(old: Values, new: Values) -> list[tuple[object, object]]:
    """What may be the same value under another name: near in spelling, or the only one of its kind."""
    gone = [each.value for each in old if each.value not in {one.value for one in new}]
    come = [each.value for each in new if each.value not in {one.value for one in old}]
    found: list[tuple[object, object]] = []
    for value in come:
        if not isinstance(value, str):
            continue  # numbers have no spelling
        like = [was for was in gone if near(str(was), value)]
        if not like and len(gone) == len(come) == 1:
            first = [each.value for each in old].index(gone[0])
            like = [*gone] if [each.value for each in new].index(value) == first else []
        if len(like) == 1:
            gone.remove(like[0])
            found.append((like[0], value))
    return found


def _widens(at: At, text: str) -> Iterator[Said]:
    """More is allowed now, of types that who reads the value in Python does not expect."""
    yield from widens(at, text, *((Who.CALLERS,) if at.flow.received else ()))


def _narrows(at: At, text: str) -> Iterator[Said]:
    """Less is allowed now, of types that who makes the value in Python may use."""
    yield from narrows(at, text, *((Who.CALLERS,) if at.flow.sent else ()))


def _constants(old: Values, new: Values) -> bool:
    return len(old) == len(new) == 1 and old[0].python is new[0].python is None


def _types(old: Schema, new: Schema, at: At) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """The JSON types of both where neither is a union, which is looked at by its members, nor both the same class."""
    if old.any_of or new.any_of or (old.ref is not None and old.ref == new.ref):
        return None, None
    return kinds(old, at.context.olds), kinds(new, at.context.news)


def _members(old: Schema, new: Schema, at: At) -> list[tuple[Schema | None, Schema | None]]:
    if not (old.any_of or new.any_of) or _free(old) or _free(new):
        return []
    return same_members(old, new, at.context.olds, at.context.news)


def _alike(old: Schema, new: Schema, at: At) -> bool:
    """Whether both are of a common JSON type, so that the rest can be compared."""
    if old.any_of or new.any_of:
        return False
    before, after = _types(old, new, at)
    return before is None or after is None or bool(before & after)


def _null(schema: Schema) -> bool:
    return schema.nullable or "null" in schema.types


def _free(schema: Schema) -> bool:
    return schema == Schema()


def _bounds(schema: Schema) -> dict[str, int | float | str | bool]:
    """The constraints of a schema; of an integer, what it has to exceed is told as what it is at least."""
    bounds = dict(schema.constraints)
    for keyword in ("minLength", "minItems"):
        if bounds.get(keyword) == 0:
            del bounds[keyword]  # which says nothing
    if schema.types == ("integer",):
        for exclusive, inclusive, step in (
            ("exclusiveMinimum", "minimum", 1),
            ("exclusiveMaximum", "maximum", -1),
        ):
            bound = bounds.get(exclusive)
            if isinstance(bound, int) and inclusive not in bounds:
                del bounds[exclusive]
                bounds[inclusive] = bound + step
    return bounds


def _implied(keyword: str, bound: object, bounds: Mapping[str, object]) -> bool:
    """Whether the twin of a bound, which stands with or without its end, says the same and more."""
    is_open = keyword.startswith("exclusive")
    other = keyword.removeprefix("exclusive").lower() if is_open else f"exclusive{keyword.title()}"
    twin = bounds.get(other)
    if keyword in bounds or not isinstance(twin, int | float) or not isinstance(bound, int | float):
        return False
    return twin == bound and not is_open or _tighter(keyword, bound, twin)


def _tighter(keyword: str, old: object, new: object) -> bool:
    if not isinstance(new, int | float):
        return False
    if not isinstance(old, int | float):
        return True
    return new > old if keyword in _LOWER else new < old


def _checks(old: Mapping[str, Json], new: Mapping[str, Json], at: At) -> Iterator[Said]:
    for keyword in dict.fromkeys((*old, *new)):
        if old.get(keyword) == new.get(keyword):
            continue
        if keyword == "multipleOf":
            was, now = old.get(keyword), new.get(keyword)
            yield from _told(keyword, was, now)(at, moved(keyword, at.what, was, now))
        elif keyword not in old:
            yield from narrows(at, f"{shown(keyword)} is asked of {at.what} now")
        elif keyword not in new:
            yield from widens(at, f"{shown(keyword)} is asked of {at.what} no longer")
        else:
            told = differs(at, f"what {shown(keyword)} says of {at.what} has changed")
            yield from (replace(said, verdict=Verdict.RISKY) if said.who else said for said in told)


def _told(keyword: str, old: object, new: object) -> Callable[..., Iterator[Said]]:
    """Whether less, more or other values fit a keyword than before: a multiple of 1 is one of 0.25 too."""
    if old is None or new is None:
        return narrows if old is None else widens
    if keyword == "multipleOf" and old and new:
        was, now = Fraction(str(old)), Fraction(str(new))
        return widens if was % now == 0 else narrows if now % was == 0 else differs
    return differs


SCHEMAS: Final[Rules[Schema]] = Rules(
    kept=(
        type_widened,
        type_narrowed,
        type_changed,
        object_described,
        nullable_added,
        nullable_removed,
        format_changed,
        constraint_tightened,
        constraint_loosened,
        pattern_changed,
        checks_changed,
        union_member_added,
        union_member_removed,
        union_discriminator_changed,
        tuple_length_changed,
        values_limited,
        values_opened,
    )
)
VALUES: Final[Rules[Values]] = Rules(
    kept=(const_changed, enum_value_added, enum_value_removed, enum_value_renamed, member_renamed)
)
