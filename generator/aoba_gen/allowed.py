"""What generated Python may consist of: the last look at every file before it is written.

However text of a document should ever come to be code, it would have to be made of what is listed here: no import by
another name, no call of anything else, no expression that is evaluated from a text.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from typing import Final

_NODES: Final = frozenset("""
    AnnAssign Assign AsyncFunctionDef Attribute Await BinOp BitOr BoolOp Call ClassDef Compare Constant Dict Expr
    FunctionDef If IfExp ImportFrom Is List Load Match MatchClass Module Name Or Pass Return Starred Store Subscript
    Tuple UAdd USub UnaryOp alias arg arguments keyword match_case
    """.split())
_IMPORTS: Final = {
    module: frozenset(names.split())
    for module, names in {
        "__future__": "annotations",
        "aoba_runtime": """
            Channel Checks Client Hook Message Nullable OneOf Operation Parameter RequestHook Server Transport Uuid
            Variable WireModel by_default new_uuid now_milliseconds require_abi signals
            """,
        "aoba_runtime.plug": "CallPlug Hear date_time heard milliseconds together",
        "aoba_runtime.signals": "EndReason",
        "collections.abc": "Callable Mapping",
        "enum": "Enum IntEnum StrEnum",
        "pydantic": "Field",
        "types": "MappingProxyType",
        "typing": "Annotated Any ClassVar Final Literal TYPE_CHECKING TypeAlias get_args",
        "typing_extensions": "TypeAliasType",
    }.items()
}
_BESIDE: Final = frozenset("calls client messages models operations".split())
"""The modules of the package itself, from which anything may be imported."""
_CALLED: Final = frozenset("""
    Calls Channel Checks Field MappingProxyType Message OneOf Operation Parameter Server TypeAliasType Variable by_default
    get_args date_time heard milliseconds require_abi super together
    """.split())
_CALLED_OF: Final = re.compile(
    r"super\(\)\.__init__|self\._(hook|request|request_hook|send)|HEARD\.get"
)
_CALLED_OF_ANY: Final = frozenset({"decode", "model_rebuild", "model_validate"})
_BUILTINS: Final = frozenset("bool bytes dict float int list property str super tuple".split())
_DUNDERS: Final = frozenset(
    "__all__ __checks__ __init__ __name__ __pydantic_extra__ __version__".split()
)
_OTHER_BUILTINS: Final = frozenset(dir(builtins)) - _BUILTINS - _DUNDERS


class Forbidden(Exception):
    """A file holds what generated code never holds; the message says what, and in which line."""


def check_allowed(path: str, text: str, tree: ast.Module) -> None:
    """Raise `Forbidden` unless `text`, whose syntax tree is `tree`, is made of what is allowed alone."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.isprintable():
            raise Forbidden(f"{path}:{number}: a character that does not show")
    bound = _bound(tree)
    for what, node in _forbidden(tree, bound):
        raise Forbidden(f"{path}:{getattr(node, 'lineno', 1)}: {what}")


def _bound(tree: ast.Module) -> dict[str, str]:
    """What each name that a module binds stands for: what is imported, or itself."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found[name] = name
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                found[name] = name
            case ast.alias(name=name, asname=local):
                found[local or name] = name
    return found


def _forbidden(tree: ast.Module, bound: dict[str, str]) -> Iterator[tuple[str, ast.AST]]:
    defaults = dict(_defaults(tree, bound))
    shown = set(_shown(tree))
    for node in ast.walk(tree):
        if type(node).__name__ not in _NODES and id(node) not in defaults:
            yield f"the syntax {type(node).__name__}", node
        match node:
            case ast.ImportFrom():
                yield from _import(node)
            case ast.Call(func=called):
                if not (_may_call(called, bound) or defaults.get(id(node))):
                    yield f"a call of {ast.unparse(called)}", node
            case ast.Name(id=name):
                if name in _OTHER_BUILTINS and name not in bound:
                    yield f"the name {name}", node
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                if any(ast.unparse(one) != "property" for one in node.decorator_list):
                    yield "a decorator", node
            case ast.AnnAssign(annotation=annotation, value=value):
                yield from _evaluated(annotation)
                alias = isinstance(annotation, ast.Name) and annotation.id.endswith("TypeAlias")
                if alias and id(node) not in shown:
                    yield from _evaluated(value)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _evaluated(node.returns)
        if isinstance(node, ast.arg):
            yield from _evaluated(node.annotation)
        for name in _names(node):
            if name.startswith("__") and name not in _DUNDERS:
                yield f"the name {name}", node


def _defaults(tree: ast.Module, bound: dict[str, str]) -> Iterator[tuple[int, bool]]:
    """The nodes of what makes a default, by their ids, and whether each makes an object of a class of the module."""
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Lambda() as made], keywords=[]):
                if bound.get(name, name) == "by_default" and not ast.unparse(made.args):
                    yield id(made), False
                    for inner in ast.walk(made.body):
                        called = inner.func if isinstance(inner, ast.Call) else None
                        if isinstance(called, ast.Name) and called.id in classes:
                            yield id(inner), True


def _shown(tree: ast.Module) -> Iterator[int]:
    """The statements, by their ids, that only type checkers read."""
    for node in ast.walk(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body):
                yield from map(id, body)


def _import(node: ast.ImportFrom) -> Iterator[tuple[str, ast.AST]]:
    allowed = _IMPORTS.get(node.module or "", frozenset())
    for alias in node.names:
        if node.level == 0 and alias.name not in allowed:
            yield f"an import of {alias.name} from {node.module}", node
        elif node.level and (node.level > 1 or (node.module or alias.name) not in _BESIDE):
            yield f"an import of {alias.name}", node


def _may_call(called: ast.expr, bound: dict[str, str]) -> bool:
    match called:  # by the syntax tree, where names may be of any script
        case ast.Name(id=name):
            return bound.get(name, name) in _CALLED or name.startswith("say_")
        case ast.Attribute(value=ast.Name(id="models" | "signals"), attr=name):
            return not name.startswith("_")
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr="_client")):
            return True
        case ast.Attribute(value=ast.Name(), attr=name) if name in _CALLED_OF_ANY:
            return True
        case ast.Attribute():
            return _CALLED_OF.fullmatch(ast.unparse(called)) is not None
    return False


def _evaluated(node: ast.expr | None) -> Iterator[tuple[str, ast.AST]]:
    """The texts in a type that would be read as Python: all but those that a literal lists or a call takes."""
    match node:
        case ast.Constant(value=str()):
            yield "a text in the place of a type", node
        case ast.Subscript(value=ast.Name(id=name)) if name.endswith("Literal"):
            return
        case None | ast.Call():
            return
        case _:
            for inner in ast.iter_child_nodes(node):
                if isinstance(inner, ast.expr):
                    yield from _evaluated(inner)


def _names(node: ast.AST) -> Iterator[str]:
    for field in ("id", "attr", "arg", "name", "asname"):
        if isinstance(name := getattr(node, field, None), str):
            yield name
