"""Types as syntax trees: unions, presence, and what stands beside a type in `Annotated`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from .model import Alias, Definition, Json, Property, Record, Schema

FORMATS: Final = {"uuid": "aoba_runtime.Uuid"}
"""Formats with a type of their own; any other is text as it stands on the wire, so that it survives a round trip."""


def subscript(name: str, *items: ast.expr) -> ast.expr:
    """`name[items]`."""
    return ast.Subscript(ast.Name(name), items[0] if len(items) == 1 else ast.Tuple([*items]))


def union_parts(node: ast.expr) -> Iterator[ast.expr]:
    """The members of `a | b | c`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from union_parts(node.left)
        yield from union_parts(node.right)
    else:
        yield node


def joined(parts: Sequence[ast.expr]) -> ast.expr:
    """`a | b | c` of its members."""
    union = parts[0]
    for part in parts[1:]:
        union = ast.BinOp(union, ast.BitOr(), part)
    return union


def _opened(annotation: ast.expr) -> tuple[ast.expr, list[ast.expr]]:
    """The type in `Annotated[type, ...]`, and what stands beside it."""
    if (
        isinstance(annotation, ast.Subscript)
        and isinstance(annotation.value, ast.Name)
        and annotation.value.id == "Annotated"
        and isinstance(annotation.slice, ast.Tuple)
    ):
        return annotation.slice.elts[0], list(annotation.slice.elts[1:])
    return annotation, []


def annotated(
    annotation: ast.expr, beside: Sequence[ast.expr], alias: str | None = None
) -> ast.expr:
    """The type with more beside it, and with a name on the wire."""
    inner, known = _opened(annotation)
    known += beside
    if alias is not None:
        keyword = ast.keyword("alias", ast.Constant(alias))
        for call in known:
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id == "Field"
            ):
                call.keywords.insert(0, keyword)
                break
        else:
            known.insert(0, ast.Call(ast.Name("Field"), [], [keyword]))
    return subscript("Annotated", inner, *known) if known else inner


def presence(annotation: ast.expr, field: Property, allows_null: bool) -> ast.expr:
    """The type of a field that may be absent or null."""
    inner, beside = _opened(annotation)
    is_null = isinstance(inner, ast.Constant) and inner.value is None
    if field.required:
        if field.schema.nullable and not is_null:
            inner = joined([inner, ast.Constant(None)])
    elif allows_null:
        inner = subscript("Nullable", inner)
    elif not field.has_default or _is_only_value(field.schema, field.default):
        inner = joined([inner, ast.Constant(None)])
    return annotated(inner, beside)


def _is_only_value(schema: Schema, default: Json) -> bool:
    """Whether a default is all that a field can be, so that a constructor puts it in, and a message may lack it."""
    return default in ((schema.const,) if schema.const is not None else schema.literals) and (
        len(schema.literals) < 2
    )


def checks_of(check: dict[str, Json] | None) -> list[ast.expr]:
    """`Checks({...})`, if there is anything to check."""
    return [ast.Call(ast.Name("Checks"), [_json(check)], [])] if check is not None else []


def _json(value: Json) -> ast.expr:
    if isinstance(value, dict):
        return ast.Dict(
            [ast.Constant(key) for key in value], [_json(item) for item in value.values()]
        )
    if isinstance(value, list):
        return ast.List([_json(item) for item in value])
    return ast.Constant(value)


def in_order(record: Record, by_name: Mapping[str, Definition]) -> Iterator[str]:
    """The classes and aliases that a class needs to be complete, those of its bases among them."""
    waiting = [field.schema for field in record.properties]
    if record.extras is not None:
        waiting.append(record.extras)
    seen: set[str] = set()
    for base in record.bases:
        above = by_name[base]
        if isinstance(above, Record):
            yield from in_order(above, by_name)
    while waiting:
        schema = waiting.pop()
        waiting += [
            inner
            for inner in (*schema.any_of, *schema.prefix, schema.items, schema.values)
            if inner is not None
        ]
        if schema.ref is None or schema.ref in seen:
            continue
        seen.add(schema.ref)
        yield schema.ref
        made = by_name[schema.ref]
        if isinstance(made, Alias):
            waiting.append(made.schema)


def said(doc: str, schema: Schema) -> str:
    """What the document says of a value, and the format of a text where the type does not show it."""
    is_text = schema.types == ("string",) and schema.const is None
    if not schema.format or schema.format in FORMATS or not is_text:
        return doc
    doc, shown = doc.strip(), f"format: {schema.format}"
    if not doc:
        return shown.capitalize()
    if "\n" in doc:
        return f"{doc}\n\n{shown.capitalize()}"
    return f"{doc.removesuffix('.')} ({shown}){'.' if doc.endswith('.') else ''}"
