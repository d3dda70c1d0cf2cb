"""What JSON Schema says and a Python type does not check, compiled once and run on what crosses the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import (
    CoreSchema,
    InitErrorDetails,
    PydanticCustomError,
    SchemaSerializer,
    core_schema,
)

from .checks_nested import NESTED
from .checks_plain import PLAIN, Check, Failure, run_all

_WIRE: Final = SchemaSerializer(core_schema.any_schema())


class Checks:
    """Constraints in JSON Schema (drafts 4 to 2020-12), as metadata of `Annotated` or as a `WireModel`'s `__checks__`.

    They are run on the JSON value when a message is decoded or encoded, not when a value is constructed or changed.
    Every keyword is run but `format`, `content...`, `unevaluated...` and the dynamic references; `$ref` leads to a place in
    the same schema. 1 equals 1.0 and not true; an integer may be written 1.0; `multipleOf` is exact in decimals. A
    pattern is run by pydantic's engine, which takes time in proportion to the text; one that only `re` understands
    (lookaround, backreferences) is run by that, unless it repeats a repetition and so could take for ever.
    """

    def __init__(self, schema: Mapping[str, Any] | bool) -> None:
        self.schema: Final = schema
        self._check = _Compiler(schema).check(schema)

    def failures(self, value: Any) -> list[Failure]:
        """Where in the JSON value `value` something is wrong, and what should be there."""
        return list(self._check(value))

    def demand(self, value: object) -> None:
        """Raise `ValidationError` unless `value`, a JSON value or a model of one, is as the schema says."""
        wire: Any = _WIRE.to_python(value, mode="json", by_alias=True, exclude_unset=True)
        failures = self.failures(wire)
        if failures:
            raise ValidationError.from_exception_data("Checks", [*map(_details, failures)])

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._received, handler(source))

    def _received(self, value: object, info: ValidationInfo) -> object:
        if info.mode == "json":
            self.demand(value)
        return value

    def __repr__(self) -> str:
        return f"Checks({self.schema!r})"


def _details(failure: Failure) -> InitErrorDetails:
    path, text = failure
    error = PydanticCustomError("check", "{text}", {"text": text})
    return {"type": error, "loc": path, "input": ...}


class _Compiler:
    """Schemas to checks; what `$ref` leads to is compiled when it is first needed, since it may lead back."""

    def __init__(self, root: Mapping[str, Any] | bool) -> None:
        self._root = root
        self._referred: dict[str, Check] = {}

    def check(self, schema: Any) -> Check:
        """One check for all that `schema` says."""
        if schema is False:
            return lambda value: [((), "should not be there")]
        if not isinstance(schema, Mapping):
            return lambda value: ()
        checks = [check for keyword in schema for check in self._of_keyword(keyword, schema)]
        if schema.get("nullable") is True:  # OpenAPI 3.0
            return lambda value: () if value is None else run_all(checks, value)
        return checks[0] if len(checks) == 1 else lambda value: run_all(checks, value)

    def _of_keyword(self, keyword: str, schema: Mapping[str, Any]) -> Iterator[Check]:
        content = schema[keyword]
        if keyword in PLAIN:
            yield PLAIN[keyword](content, schema)
        elif keyword in NESTED:
            yield NESTED[keyword](content, schema, self.check)
        elif keyword == "$ref":
            yield lambda value: self._refer(content)(value)

    def _refer(self, pointer: str) -> Check:
        if pointer not in self._referred:
            schema: Any = self._root
            for step in pointer.removeprefix("#").split("/")[1:]:
                step = step.replace("~1", "/").replace("~0", "~")
                schema = schema[int(step)] if isinstance(schema, list) else schema[step]
            self._referred[pointer] = self.check(schema)
        return self._referred[pointer]
