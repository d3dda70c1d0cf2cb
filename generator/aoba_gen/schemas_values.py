"""JSON values of the model -> Python expressions: members of enums by name, objects by calls of their classes."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from .model import Enum, Json, Record, Schema
from .model_values import Definitions, properties_of, kind_of


class Expressions:
    """Writes values; `names` is what each definition is called in the code."""

    def __init__(self, known: Definitions, names: Mapping[str, str]) -> None:
        self._known = known
        self._names = names

    def of(self, value: Json, schema: Schema) -> ast.expr:
        """The expression of a value that `schema` takes."""
        kind = kind_of(value, schema, self._known)
        made = self._known.get(kind.ref or "")
        if isinstance(value, list):
            return self._list(value, kind)
        if isinstance(value, dict):
            if isinstance(made, Record):
                return self._object(value, made)
            return self._map(value, kind.values or Schema())
        if isinstance(made, Enum):
            member = next(each.python for each in made.members if each.value == value)
            return ast.Attribute(ast.Name(self._names[made.python]), member)
        return ast.Constant(value)

    def _list(self, value: list[Json], kind: Schema) -> ast.expr:
        if kind.prefix:
            pairs = zip(value, kind.prefix, strict=True)
            return ast.Tuple([self.of(item, inner) for item, inner in pairs])
        return ast.List([self.of(item, kind.items or Schema()) for item in value])

    def _map(self, value: dict[str, Json], inner: Schema) -> ast.expr:
        keys: list[ast.expr | None] = [ast.Constant(key) for key in value]
        return ast.Dict(keys, [self.of(item, inner) for item in value.values()])

    def _object(self, value: dict[str, Json], record: Record) -> ast.expr:
        """A call of the class; what the class does not describe has no argument, so the whole is validated then."""
        name, fields = ast.Name(self._names[record.python]), properties_of(record, self._known)
        if value.keys() - fields.keys():
            return ast.Call(ast.Attribute(name, "model_validate"), [self._map(value, Schema())], [])
        given = [
            ast.keyword(fields[key].python, self.of(item, fields[key].schema))
            for key, item in value.items()
            if fields[key].schema.const is None or not fields[key].required
        ]
        return ast.Call(name, [], given)
