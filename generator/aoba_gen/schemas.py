"""Model -> models.py text: the only import of datamodel-code-generator.

It is told types and nothing else: what goes in is JSON Schema made here, in which classes and properties have neutral
names and no text of the document but values that types hold; `schemas_finish` puts names and texts into what comes out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from .model import Alias, Definition, Enum, Json, Model, Property, Record, Schema
from .schemas_finish import EXTRAS, VALUE, finished
from .schemas_types import FORMATS

_DEPTH: Final = 8_000
"""How deep calls may be nested: a chain of references, and a union of many members, is one call in the other."""


def models_text(model: Model) -> str:
    """The Python text of the model's classes, not yet formatted."""
    definitions = list(_independent(model))
    lowering = _Lowering(definitions)
    schemas = dict(map(lowering.definition, definitions))
    schemas.update((name, {"type": "object"}) for name in lowering.literals)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _DEPTH))
    try:
        text = _generate(schemas) if schemas else ""
        return finished(text, lowering.classes, lowering.properties, lowering.literals)
    finally:
        sys.setrecursionlimit(limit)


def _independent(model: Model) -> Iterator[Definition]:
    """The definitions, with no class redeclaring a field of its bases: type checkers forbid that for mutable fields.

    A property that a descendant describes anew moves from the base into all that inherit it. Where the base is also
    used as it is, it stays whole, and its heirs take its properties over instead of inheriting.
    """
    records = {made.python: made for made in model.definitions if isinstance(made, Record)}
    heirs: dict[str, list[str]] = {}
    for record in records.values():
        for above in record.bases:
            heirs.setdefault(above, []).append(record.python)
    used = set(_used(model))
    for name in list(records):  # a base stands before its heirs
        base = records[name]
        if name not in heirs:
            continue
        declared = {field.name: (field.schema, field.required) for field in base.properties}
        narrowed = {
            field.name
            for below in _descendants(name, heirs)
            for field in records[below].properties
            if field.name in declared and declared[field.name] != (field.schema, field.required)
        }
        if not narrowed:
            continue
        moved = [field for field in base.properties if field.name in narrowed or name in used]
        for heir in [records[below] for below in heirs[name] if name in records[below].bases]:
            own = {field.name for field in heir.properties}
            taken = tuple(field for field in moved if field.name not in own)
            bases = (
                tuple(other for other in heir.bases if other != name) + base.bases
                if name in used
                else heir.bases
            )
            records[heir.python] = replace(
                heir, properties=taken + heir.properties, bases=tuple(dict.fromkeys(bases))
            )
            if name in used:
                for above in base.bases:
                    heirs.setdefault(above, []).append(heir.python)
        if name not in used:
            kept = tuple(field for field in base.properties if field.name not in narrowed)
            records[name] = replace(base, properties=kept)
    yield from (records.get(made.python, made) for made in model.definitions)


def _descendants(name: str, heirs: Mapping[str, list[str]]) -> Iterator[str]:
    found: dict[str, None] = {}
    waiting = list(heirs.get(name, ()))
    while waiting:
        if (heir := waiting.pop(0)) not in found:
            found[heir] = None
            waiting += heirs.get(heir, ())
    yield from found


def _used(model: Model) -> Iterator[str | None]:
    """The classes that stand for values, be it as a message or inside of another class."""
    yield from (message.payload for message in model.messages)
    for made in model.definitions:
        if isinstance(made, Alias):
            yield from _refs(made.schema)
        elif isinstance(made, Record):
            for field in made.properties:
                yield from _refs(field.schema)
            if made.extras:
                yield from _refs(made.extras)


def _refs(schema: Schema) -> Iterator[str | None]:
    yield schema.ref
    for inner in (*schema.any_of, *schema.prefix, schema.items, schema.values):
        if inner is not None:
            yield from _refs(inner)


_LARGEST: Final = int(sys.float_info.max)
"""No double is larger, and so no number of a message."""
_LENGTHS: Final = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_LONGEST: Final = 2**63 - 1
"""pydantic takes no longer length, and nothing is as long."""


class _Lowering:
    """Turns definitions into JSON Schema under neutral names, and remembers which stands for what."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self.classes = {f"C{index}": made for index, made in enumerate(definitions)}
        self._classes = {made.python: name for name, made in self.classes.items()}
        fields = [
            field for made in definitions if isinstance(made, Record) for field in made.properties
        ]
        self._properties = {
            name: f"p{index}"
            for index, name in enumerate(dict.fromkeys(field.name for field in fields))
        }
        self.literals: dict[str, Schema] = {}
        self.properties = {neutral: name for name, neutral in self._properties.items()}

    def definition(self, definition: Definition) -> tuple[str, dict[str, Json]]:
        """The neutral name of a class, and its schema."""
        return self._classes[definition.python], self._definition(definition)

    def _definition(self, definition: Definition) -> dict[str, Json]:
        if isinstance(definition, Enum):
            return {
                "type": "string",
                "enum": [member.value for member in definition.members],
                "x-enum-varnames": [member.python for member in definition.members],
            }
        # Without its bases, which are put in later: what is inherited is no matter of types. All properties are told
        # as required and none as nullable: presence is put in later too.
        if isinstance(definition, Alias):
            properties: dict[str, Json] = {VALUE: self._schema(definition.schema)}
        else:
            properties = {
                self._properties[field.name]: self._property(field)
                for field in definition.properties
            }
            if definition.extras is not None:
                properties[EXTRAS] = {
                    "type": "object",
                    "additionalProperties": self._nullable(definition.extras),
                }
        return {"type": "object", "properties": properties, "required": list(properties)}

    def _property(self, field: Property) -> dict[str, Json]:
        return self._schema(field.schema)

    def _nullable(self, schema: Schema) -> dict[str, Json]:
        lowered = self._schema(schema)
        return {"anyOf": [lowered, {"type": "null"}]} if schema.nullable and lowered else lowered

    def _schema(self, schema: Schema) -> dict[str, Json]:
        if schema.literals or (schema.ref is not None and schema.const is not None):
            name = f"L{len(self.literals)}"  # which values, is no matter of types either
            self.literals[name] = schema
            return {"$ref": f"#/$defs/{name}"}
        if schema.ref is not None:
            return {"$ref": f"#/$defs/{self._classes[schema.ref]}"}
        if schema.any_of:
            return {"anyOf": [self._nullable(member) for member in schema.any_of]}
        types: list[Json] = [*schema.types]
        lowered: dict[str, Json] = {"type": types[0] if len(types) == 1 else types} if types else {}
        if schema.const is not None:
            lowered["const"] = schema.const
        if schema.items is not None:
            lowered["items"] = self._nullable(schema.items)
        if schema.prefix:
            lowered["prefixItems"] = [self._nullable(member) for member in schema.prefix]
            lowered["items"] = False
            lowered["minItems"] = lowered["maxItems"] = len(schema.prefix)
        if schema.values is not None:
            lowered["additionalProperties"] = self._nullable(schema.values) or True
        if schema.format in FORMATS and schema.types == ("string",):
            lowered["customTypePath"] = FORMATS[schema.format]
        for name, bound in schema.constraints:
            if name in _LENGTHS and isinstance(bound, int):
                bound = min(bound, _LONGEST)
            elif "number" in types and isinstance(bound, int):
                bound = max(min(bound, _LARGEST), -_LARGEST)
            lowered[name] = bound
        return lowered


def _generate(schemas: Mapping[str, dict[str, Json]]) -> str:
    """What datamodel-code-generator makes of `schemas`, of which it wants one at least."""
    if not schemas:
        return ""
    from datamodel_code_generator import (
        GenerateConfig,
        generate,
    )  # slow to import, and most runs change nothing
    from datamodel_code_generator.enums import DataModelType, InputFileType, TargetPydanticVersion
    from datamodel_code_generator.format import PythonVersion
    from datamodel_code_generator.parser import LiteralType

    config = GenerateConfig(
        input_file_type=InputFileType.JsonSchema,
        output_model_type=DataModelType.PydanticV2BaseModel,
        target_python_version=PythonVersion.PY_311,
        formatters=[],
        disable_timestamp=True,
        allow_remote_refs=False,
        skip_root_model=True,
        strict_refs=True,
        treat_dot_as_module=False,
        base_class="aoba_runtime.WireModel",
        use_annotated=True,
        field_constraints=True,
        use_union_operator=True,
        use_standard_collections=True,
        strict_nullable=True,
        target_pydantic_version=TargetPydanticVersion.V2,
        use_specialized_enum=True,
        keep_enum_member_values=True,
        enum_field_as_literal=LiteralType.Off,
        use_double_quotes=True,
        use_exact_imports=True,
    )
    document = {"$schema": "http://json-schema.org/draft-07/schema#", "$defs": dict(schemas)}
    text = generate(document, config=config)
    if not isinstance(text, str):
        raise TypeError(
            f"datamodel-code-generator made {type(text).__name__} instead of one module"
        )
    return text
