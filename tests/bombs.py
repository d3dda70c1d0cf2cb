"""Documents that ask for more than they may, each run in a process of its own, and what that cost.

python tests/bombs.py     # prints a line for each: its name, the exit code, seconds of the processor, MiB at most
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

HEAD: Final = "asyncapi: 3.0.0\ninfo: {title: Bomb, version: '1'}\n"
CHANNEL: Final = (
    "channels: {c: {address: c, messages: {m: {payload: {$ref: '#/components/schemas/S'}}}}}\n"
)


@dataclass(frozen=True)
class Run:
    """What came of one document."""

    name: str
    exit: int
    seconds: float
    mib: int
    said: str


def _ref(name: object) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/S{name}"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _schemas(schemas: Mapping[str, Any]) -> str:
    """A document with these schemas, of which the first is that of its message."""
    payload = {"$ref": f"#/components/schemas/{next(iter(schemas))}"}
    return json.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {"title": "Bomb", "version": "1"},
            "channels": {"c": {"address": "c", "messages": {"m": {"payload": payload}}}},
            "components": {"schemas": schemas},
        }
    )


def _wide(schemas: int, fields: int, text: int = 0) -> str:
    """Many schemas that share their properties by an alias: a few KiB that ask for much code."""
    lines = [f"      p{number}: {{type: string}}" for number in range(fields)]
    described = f"  description: '{'x' * text}'\n" if text else ""
    shared = f"x-all: &all\n{described}  type: object\n  properties:\n" + "\n".join(lines) + "\n"
    listed = "\n".join(f"    S{number or ''}: *all" for number in range(schemas))
    return f"{HEAD}{CHANNEL}{shared}components:\n  schemas:\n{listed}\n"


def _enums(schemas: int, members: int) -> str:
    """Many schemas that are one long enum, by an alias."""
    shared = f"x-all: &all {{enum: [{', '.join(f'v{number}' for number in range(members))}]}}\n"
    listed = "\n".join(f"    S{number or ''}: *all" for number in range(schemas))
    return f"{HEAD}{CHANNEL}{shared}components:\n  schemas:\n{listed}\n"


def _laughs(kind: str) -> str:
    lines = [HEAD, "channels: {}\n", "x-0: &a0 [x, x, x, x, x, x, x, x, x]\n"]
    for number in range(1, 12):
        inner = ", ".join([f"*a{number - 1}"] * 9)
        open_, close = "[]" if kind == "list" else "{}"
        named = ", ".join(f"k{k}: *a{number - 1}" for k in range(9))
        lines.append(f"x-{number}: &a{number} {open_}{inner if kind == 'list' else named}{close}\n")
    return "".join(lines)


def _merges() -> str:
    lines = [HEAD, "channels: {}\n", "x-0: &a0 {k: 1}\n"]
    lines += [
        f"x-{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: *a{n - 1}}}\n"
        for n in range(1, 25)
    ]
    return "".join(lines)


def _choices(depth: int) -> str:
    """Each level doubles how many ways there are to be valid."""
    made: dict[str, Any] = {"S": _ref(depth)}
    for level in range(1, depth + 1):
        below = _ref(level - 1)
        made[f"S{level}"] = {
            "allOf": [
                {"oneOf": [below, _object(**{f"a{level}": below})]},
                {"anyOf": [below, _object(**{f"b{level}": below})]},
            ]
        }
    made["S0"] = {"type": "string"}
    return _schemas(made)


BOMBS: Final[Mapping[str, tuple[str, Callable[[], str]]]] = {
    # name: the limit or the rule that is told of, "" where it may as well generate; the document
    "bytes": ("limit-bytes", lambda: " " * (17 * 2**20)),
    "files": ("limit-files", lambda: _schemas({f"S{n}": {"$ref": f"./f{n}.json"} for n in range(201)})),
    "aliases of lists": ("limit-nodes", lambda: _laughs("list")),
    "aliases of objects": ("limit-nodes", lambda: _laughs("object")),
    "merge keys": ("", _merges),
    "nested lists": ("", lambda: f"{HEAD}x-a: {'[' * 100_000}"),
    "nested objects": ("limit-depth", lambda: '{"a":' * 100_000),
    "block nesting": ("limit-depth", lambda: HEAD + "x-a:\n" + "".join(" " * n + "- \n" for n in range(1, 3000))),
    "a long key": ("limit-name", lambda: _schemas({"S": _object(**{"k" * 1001: {}})})),
    "a long text": ("limit-text", lambda: _schemas({"S": {"description": "x" * 500_001}})),
    "properties": ("limit-fields", lambda: _schemas({"S": _object(**{f"p{n}": {} for n in range(5001)})})),
    "an enum": ("limit-items", lambda: _schemas({"S": {"enum": [f"v{n}" for n in range(5001)]}})),
    "a ring of references": ("limit-recursion", lambda: _schemas({f"S{n}": _object(n=_ref((n + 1) % 5000)) for n in range(5000)})),
    "a chain of references": ("", lambda: _schemas({f"S{n}": _ref(n + 1) for n in range(1000)} | {"S1000": {"type": "string"}})),
    "a cycle of references": ("ref-cycle", lambda: _schemas({f"S{n}": _ref((n + 1) % 1000) for n in range(1000)})),
    "a chain of allOf": ("", lambda: _schemas({f"S{n}": {"allOf": [_ref(n + 1), _object(**{f"p{n}": {}})]} for n in range(2000)} | {"S2000": {"type": "object"}})),
    "a cycle of allOf": ("", lambda: _schemas({f"S{n}": {"allOf": [_ref((n + 1) % 100)]} for n in range(100)})),
    "unions of unions": ("limit-seconds", lambda: _choices(40)),
    "unions": ("", lambda: _schemas({"S": {"oneOf": [_object(**{f"p{n}": {}}) for n in range(300)]}})),
    "much code of little text": ("limit-seconds", lambda: _wide(300, 250)),
    "more parts": ("limit-parts", lambda: _enums(21, 5000)),
    "one text again and again": ("limit-characters", lambda: _wide(200, 1, 100_000)),
    "huge numbers": ("", lambda: f"{HEAD}channels: {{}}\nx-a: [1e999999999, {'9' * 400_000}, 0x{'f' * 400_000}, -1e-999999999]\n"),
    "numbers that no double holds": ("", lambda: _schemas({"S": {"type": "integer", "multipleOf": 1e-320, "maximum": 10**400, "default": 10**4000}})),
    "a slow pattern": ("", lambda: _schemas({"S": {"type": "string", "pattern": "^(a+)+$", "examples": ["a" * 64 + "!"], "default": "a" * 64 + "!"}})),
    "a large pattern": ("", lambda: _schemas({"S": {"type": "string", "pattern": "((a{1,999}){1,999}){1,999}", "default": "a"}})),
    "tags of YAML": ("", lambda: f"{HEAD}channels: !!python/object/apply:os.system ['touch ran']\n"),
}  # fmt: skip


def runs(*, quick: bool) -> Iterator[Run]:
    """Each document, in a process that has all imported already; `quick` is content to see that there is an end."""
    import black  # noqa: F401  (imported before the first document, so that none is charged with it)
    import datamodel_code_generator  # noqa: F401  (likewise)
    import jsonschema  # noqa: F401  (likewise)
    from aoba_gen import cli, render, values  # noqa: F401  (likewise)

    call = ("spec.yaml", "-o", "out", "--package", "bomb")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in range(201):
            Path(f"f{number}.json").write_text('{"type": "string"}')
        for name, (told, document) in BOMBS.items():
            options = ["--limit", "seconds=1"] if quick and told == "limit-seconds" else []
            Path("spec.yaml").write_text(document())
            begun = time.monotonic()
            child = os.fork()
            if child == 0:
                said = os.open("said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
                os.dup2(said, 1)
                os.dup2(said, 2)
                _leave(lambda: cli.main([*call, *options]))
            _, status, usage = os.wait4(child, 0)
            seconds = usage.ru_utime + usage.ru_stime
            assert time.monotonic() - begun < 60 * max(seconds, 1)
            text = Path("said").read_text()[:200_000]
            yield Run(
                name, os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss // 1024, text
            )
        assert not Path("ran").exists()


def _leave(run: Callable[[], object]) -> NoReturn:
    """End this process as `run` does, and nothing else with it."""
    code = 3
    try:
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    as_json = "--json" in sys.argv
    for run in runs(quick="--quick" in sys.argv):
        told = BOMBS[run.name][0]
        text = f"{run.name:26} {told:18} exit {run.exit} {run.seconds:6.2f} s {run.mib:5} MiB"
        print(json.dumps(asdict(run)) if as_json else text, flush=True)


if __name__ == "__main__":
    main()
