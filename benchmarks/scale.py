"""How generation grows: 10 to 5,000 schemas, and 300 operations; aoba-gen beside datamodel-codegen and asyncapi-python.

Whole processes, medians of wall time and peak memory, every peer on the very same document. A peer that fails, or that takes
longer than the limit, gets a line that says so. asyncapi-python wants libraries of other versions, so it lives in an
environment of its own: `--asyncapi-python PATH` names its command, and without it the row is left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import yaml
from generate import BIN, PEER, Run, keep_compiled

SCHEMAS = (10, 100, 1_000, 5_000)
OPERATIONS, MESSAGES = 300, 180


@dataclass(frozen=True)
class Failed:
    """A command that gave no output; `why` in a few words."""

    why: str


def document(schemas: int, messages: int, operations: int) -> dict[str, object]:
    """An AsyncAPI 3.0.0 document with objects of six properties, and messages told apart by a constant."""
    objects: dict[str, object] = {
        f"Thing{number}": {
            "type": "object",
            "description": f"Thing number {number}.",
            "required": ["id", "name"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "name": {"type": "string", "minLength": 1, "maxLength": 80},
                "count": {"type": "integer", "minimum": 0},
                "ratio": {"type": "number", "description": "Between 0 and 1."},
                "labels": {"type": "array", "items": {"type": "string"}},
                "parent": {"$ref": f"#/components/schemas/Thing{number // 2}"},
            },
        }
        for number in range(schemas)
    }
    told = {
        f"Told{number}": {
            "payload": {
                "type": "object",
                "required": ["type", "thing"],
                "properties": {
                    "type": {"type": "string", "const": f"told-{number}"},
                    "thing": {"$ref": f"#/components/schemas/Thing{number % schemas}"},
                },
            }
        }
        for number in range(messages)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Scale", "version": "1.0.0"},
        "channels": {
            "things": {
                "address": "/things",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in told},
            }
        },
        "operations": {
            f"tell{number}": {
                "action": "send" if number % 2 else "receive",
                "channel": {"$ref": "#/channels/things"},
                "messages": [{"$ref": f"#/channels/things/messages/Told{number % messages}"}],
            }
            for number in range(operations)
        },
        "components": {"messages": told, "schemas": objects},
    }


def run(command: list[str], limit: float) -> Run | Failed:
    """Run `command` to its end, at most `limit` seconds."""
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        timer = threading.Timer(limit, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            last = output.read().decode(errors="replace").strip().splitlines() or ["no output"]
            return Failed(
                f"over {limit:.0f} s"
                if wall >= limit
                else f"exit {process.returncode}: {last[-1][:60]}"
            )
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def commands(spec: Path, folder: Path, python_peer: str | None) -> Iterator[tuple[str, list[str]]]:
    """Each tool's command for `spec`, writing into `folder`."""
    yield "aoba-gen", [str(BIN / "aoba-gen"), str(spec), "-q", "-o", str(folder / "aoba")]
    yield "datamodel-codegen", [
        str(BIN / "datamodel-codegen"),
        "--input",
        str(spec),
        *PEER,
        "--output",
        str(folder / "models.py"),
    ]
    if python_peer:
        yield "asyncapi-python", [python_peer, str(spec), str(folder / "peer"), "--force"]


def median(runs: list[Run | Failed]) -> Run | Failed:
    """The median of the runs, or the first failure."""
    good = [once for once in runs if isinstance(once, Run)]
    if len(good) < len(runs):
        return next(once for once in runs if isinstance(once, Failed))
    return Run(
        statistics.median(once.wall for once in good),
        statistics.median(once.cpu for once in good),
        statistics.median(once.memory for once in good),
    )


def measure(
    spec: Path, rounds: int, limit: float, python_peer: str | None
) -> dict[str, Run | Failed]:
    """Every tool's median on `spec`; a tool that failed once is not run again."""
    found: dict[str, list[Run | Failed]] = {}
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(dir=spec.parent))
        for tool, command in commands(spec, folder, python_peer):
            runs = found.setdefault(tool, [])
            if not any(isinstance(once, Failed) for once in runs):
                runs.append(run(command, limit))
        shutil.rmtree(folder)
    return {tool: median(runs) for tool, runs in found.items()}


def cell(result: Run | Failed, base: Run | Failed) -> str:
    """A result in a table, with its ratio to `base`."""
    if isinstance(result, Failed):
        return result.why
    ratio = f" ({result.wall / base.wall:.2f})" if isinstance(base, Run) else ""
    return f"{result.wall:.2f} s{ratio}, {result.memory:.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each row (default: 3)")
    parser.add_argument("--limit", type=float, default=300, help="seconds that a run may take")
    parser.add_argument("--asyncapi-python", metavar="PATH", help="the peer's command")
    options = parser.parse_args()
    python_peer: str | None = options.asyncapi_python
    print(
        f"aoba-gen {version('aoba-gen')}, datamodel-code-generator {version('datamodel-code-generator')}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, median of {options.rounds}; "
        "in brackets the ratio to datamodel-codegen\n"
    )
    tools = ["aoba-gen", "datamodel-codegen", *(["asyncapi-python"] if python_peer else [])]
    print("| document |", " | ".join(tools), "|\n|---|" + "---|" * len(tools))
    ours: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name:
        spec = Path(name) / "scale.yaml"
        keep_compiled(Path(name) / "compiled")
        for schemas, messages, operations in (
            *((count, 10, 10) for count in SCHEMAS),
            (MESSAGES, MESSAGES, OPERATIONS),
        ):
            made = document(schemas, messages, operations)
            spec.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
            row = measure(spec, options.rounds, options.limit, python_peer)
            base = row["datamodel-codegen"]
            what = (
                f"{schemas:,} schemas"
                if operations == 10
                else f"{operations} operations, {messages} messages"
            )
            print(
                f"| {what} |", " | ".join(cell(row[tool], base) for tool in tools), "|", flush=True
            )
            if isinstance(mine := row["aoba-gen"], Run) and operations == 10:
                ours[schemas] = mine.wall
    if {1_000, 5_000} <= ours.keys():
        print(f"\naoba-gen, time at 5,000 by time at 1,000: {ours[5_000] / ours[1_000]:.2f}")


if __name__ == "__main__":
    main()
