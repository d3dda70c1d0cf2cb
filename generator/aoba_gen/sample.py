"""A value that a schema takes, as a Python expression for an example; none where that is not found by simple means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from .model import Alias, Definition, Enum, Message, Model, Property, Record, Schema
from .model_values import properties_of
from .prose import literal

_DEEPEST: Final = 6
_UUID: Final = "123e4567-e89b-12d3-a456-426614174000"


def sample(model: Model, message: Message) -> str | None:
    """An expression of the message's payload, "None" where it has none; `models` is what it takes names from."""
    if message.payload is None:
        return "None"
    if message.form or message.type == "bytes":
        return 'b"data"' if message.type == "bytes" else None
    by_name = {made.python: made for made in model.definitions}
    return _Sampler(by_name).of(Schema(ref=message.payload), 0)


class _Sampler:
    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = definitions

    def of(self, schema: Schema, depth: int) -> str | None:
        """The expression for a schema; `None` for one that is deep, or that asks for what is not known here."""
        if depth > _DEEPEST or schema.checks is not None or schema.exclusive:
            return None
        if schema.ref:
            return self._named(self._definitions.get(schema.ref), depth)
        if schema.const is not None:
            return literal(schema.const)
        if schema.literals:
            return literal(schema.literals[0])
        if schema.any_of:
            members = (self.of(member, depth + 1) for member in schema.any_of)
            return next(filter(None, members), None)
        if schema.prefix:
            items = [self.of(one, depth + 1) for one in schema.prefix]
            return None if None in items else f"[{', '.join(filter(None, items))}]"
        return _plain(schema)

    def _named(self, made: Definition | None, depth: int) -> str | None:
        match made:
            case Enum(members=[first, *_]):
                return f"models.{made.python}.{first.python}"
            case Alias(recursive=False):
                return self.of(made.schema, depth + 1)
            case Record(checks=None):
                fields = [
                    (field.python, self.of(field.schema, depth + 1)) for field in self._asked(made)
                ]
                given = [f"{name}={value}" for name, value in fields if value is not None]
                return f"models.{made.python}({', '.join(given)})" if len(given) == len(fields) else None  # fmt: skip
        return None

    def _asked(self, made: Record) -> Iterable[Property]:
        """The properties for which a constructor asks."""
        return filter(_is_asked, properties_of(made, self._definitions).values())


def _is_asked(field: Property) -> bool:
    has_own = field.schema.const is not None and not field.schema.nullable
    return field.required and field.fill is None and not has_own


def _plain(schema: Schema) -> str | None:
    """A value of a JSON type; bounds are kept, patterns are not tried."""
    bounds = dict(schema.constraints)
    match schema.types[:1]:
        case ("string",) if "pattern" not in bounds:
            text = _UUID if schema.format == "uuid" else "text"
            least, most = (bounds.get(name) for name in ("minLength", "maxLength"))
            if isinstance(least, int) and len(text) < least <= 80:
                text = text.ljust(least, "x")
            if isinstance(most, int) and len(text) > most:
                text = text[:most]
            return literal(text) if not isinstance(least, int) or len(text) >= least else None
        case ("integer",) | ("number",):
            least = bounds.get("minimum", bounds.get("exclusiveMinimum", 0))
            tries = (1, 0, int(least) if isinstance(least, int | float) else 1)
            fits = (n for one in tries for n in (one, one + 1) if _fits(n, bounds))
            number = next(fits, None)
            return None if number is None else literal(number)
        case ("boolean",):
            return "True"
        case ("array",) if not bounds.get("minItems"):
            return "[]"
        case ("object",) if not bounds.get("minProperties"):
            return "{}"
    return None


def _fits(number: int, bounds: Mapping[str, int | float | str | bool]) -> bool:
    def bound(name: str, otherwise: float) -> float:
        value = bounds.get(name, otherwise)
        return value if isinstance(value, int | float) else otherwise

    step = bound("multipleOf", 1)
    return (
        bound("minimum", number) <= number <= bound("maximum", number)
        and bound("exclusiveMinimum", number - 1) < number < bound("exclusiveMaximum", number + 1)
        and (not step or number % step == 0)
    )
