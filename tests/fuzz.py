"""Mutated documents: valid ones in which something is dropped, swapped, retyped, cut or made odd; nothing may crash.

    python tests/fuzz.py [COUNT] [SEED]     # prints the seed, and each document that breaks a promise

A run ends with exit 0 or 1; 1 tells a place and leaves the output folder as it was.
"""

from __future__ import annotations

import copy
import io
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final

import yaml
from aoba_gen import cli

ROOT: Final = Path(__file__).parents[1]
SECONDS: Final = 60
LARGEST: Final = 12_000
"""Larger documents only take longer."""
_ODD: Final = (
    "", " ", "\n", "\x00", "\u202e", "\ufffe", "\ud800", "'", '"""', "\\", "{", "{{ x }}", "#", "#/", "#/components",
    "*", "$ref", "..", "../x.yaml", "__class__", "class", "None", "é́", "\U0001f600", "a" * 3000, "0", "1e999",
    "https://example.com/x", "file:///etc/passwd", "(a+)+$", "[", "^$", "string", "object", "null", "x-a",
)  # fmt: skip
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**53, 10**400, 0.5, 1e308, -0.0, [], {}, [[]], [None], {"": None}, {"$ref": "#"},
    {"$ref": "#/components/schemas"}, {"$ref": 5}, [{}], {"type": "object"}, {"allOf": [{"$ref": "#"}]}, {"const": {}},
    {"oneOf": []}, {"enum": []}, {"type": []}, {"type": ["null"]}, {"properties": []}, {"items": [True, False]},
)  # fmt: skip


def seeds() -> list[Any]:
    """Valid documents of the checkout, as plain values."""
    places = [ROOT / "spec" / "voice-call-signaling.yaml"]
    for folder in ("schemas", "documents", "calls", "resolve", "warned", "library"):
        places += sorted((ROOT / "tests" / "cases" / folder).rglob("*.yaml"))
    loaded = [yaml.safe_load(place.read_text(encoding="utf-8")) for place in places]
    return [
        found
        for found in loaded
        if isinstance(found, dict) and "asyncapi" in found and len(str(found)) < LARGEST
    ]


def mutated(chance: random.Random, documents: list[Any]) -> bytes:
    """One of the documents with some things wrong with it, as JSON or YAML."""
    document = json.loads(json.dumps(chance.choice(documents), default=str))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        _change(chance, document, documents)
    if chance.random() < 0.5:
        text = json.dumps(document, ensure_ascii=chance.random() < 0.5)
    else:
        text = yaml.safe_dump(document, allow_unicode=chance.random() < 0.5, sort_keys=False)
    data = text.encode("utf-8", "surrogatepass")
    kind = chance.random()
    if kind < 0.05:
        return data[: chance.randrange(len(data))]
    if kind < 0.1:
        at = chance.randrange(len(data))
        return (
            data[:at] + bytes(chance.choices(range(256), k=chance.randint(1, 4))) + data[at + 1 :]
        )
    return data


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    todo = [node]
    for inner in todo:
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        for key in keys:
            yield inner, key
            if isinstance(inner[key], dict | list):
                todo.append(inner[key])


def _change(chance: random.Random, document: Any, documents: list[Any]) -> None:
    places = list(_places(document))
    if not places:
        return
    holder, key = chance.choice(places)
    match chance.randrange(9):
        case 0:
            del holder[key]
        case 1:
            other, at = chance.choice(places)
            try:
                holder[key] = json.loads(json.dumps(other[at]))
            except (KeyError, IndexError):
                return
        case 2:
            holder[key] = copy.deepcopy(chance.choice(_VALUES))
        case 3:
            holder[key] = chance.choice(_ODD)
        case 4 if isinstance(holder, dict):
            holder[chance.choice(_ODD)] = holder.pop(key)
        case 5 if isinstance(holder[key], str):
            text = holder[key]
            at = chance.randrange(len(text) + 1)
            holder[key] = text[:at] + chance.choice(_ODD) + text[at:]
        case 6:
            holder[key] = [holder[key]] if chance.random() < 0.5 else {"a": holder[key]}
        case 7:
            other, at = chance.choice(list(_places(chance.choice(documents))))
            if isinstance(holder, dict):
                holder[str(at)] = json.loads(json.dumps(other[at], default=str))
        case _:
            holder[key] = {"$ref": "#" + "/".join(["", *map(str, chance.sample(list(_ODD), 2))])}


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(place): place.read_bytes() for place in folder.rglob("*") if place.is_file()}


def complaint(data: bytes, folder: Path) -> str | None:
    """What is broken of what is promised when a document is generated; `None` when nothing is."""
    spec, out = folder / "spec.yaml", folder / "out"
    spec.write_bytes(data)
    before = _snapshot(out)
    text = io.StringIO()
    status: object = 0
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)  # the machine may be busy
    try:
        with redirect_stdout(text), redirect_stderr(text):
            cli.main([str(spec), "-o", str(out), "--package", "fuzzed"])
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    said = text.getvalue()
    if status not in (0, 1):
        return f"exit {status}: {said}"
    if "unsafe-output" in said:
        return said
    if status == 1:
        if not re.search(r"spec\.yaml:\d+:\d+: ", said):
            return f"exit 1 without a place: {said}"
        if _snapshot(out) != before:
            return f"exit 1, but the output changed: {said}"
    return None


def _stop(*_: object) -> None:
    raise TimeoutError(f"still at it after {SECONDS} s of work")


def run(count: int, seed: int) -> list[tuple[bytes, str]]:
    """The documents that break a promise, among so many that come from the seed."""
    import black  # noqa: F401  (imported before the first document, so that none waits for it)
    import datamodel_code_generator  # noqa: F401  (likewise)

    signal.signal(signal.SIGVTALRM, _stop)
    documents, found, chance = seeds(), [], random.Random(seed)
    folder = Path(tempfile.mkdtemp())
    try:
        for number in range(count):
            if number % 50 == 0:
                shutil.rmtree(folder / "out", ignore_errors=True)
            data = mutated(chance, documents)
            if wrong := complaint(data, folder):
                found.append((data, wrong))
    finally:
        shutil.rmtree(folder)
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    print(f"seed {seed}, {count} documents", flush=True)
    begun = time.perf_counter()
    found = run(count, seed)
    kept = Path(os.environ.get("FUZZ_OUT", "."))
    for number, (data, wrong) in enumerate(found):
        place = kept / f"fuzz-{seed}-{number}.yaml"
        place.write_bytes(data)
        print(f"{place}: {wrong}")
    print(f"{len(found)} of {count} break a promise; {time.perf_counter() - begun:.0f} s")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
