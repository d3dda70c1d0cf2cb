"""What keeping a contract costs: `breaking` and `--check` on 1,000 schemas, beside reading and compiling the document alone.

Whole processes with a warm file cache, every row once a round, medians. `breaking` compares the document with one in which
each schema has one more field, or one alone has.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import yaml
from generate import BIN, Run, run
from scale import document

READ = (
    "import sys; from pathlib import Path; from aoba_gen.diagnostics import Report; "
    "from aoba_gen.pipeline import read; read(Path(sys.argv[1]), Report())"
)


def write(folder: Path, name: str, schemas: int, changed: int) -> Path:
    """A document whose first `changed` schemas have one more field."""
    made = document(schemas, 10, 10)
    components = made["components"]
    assert isinstance(components, dict)
    for number in range(changed):
        components["schemas"][f"Thing{number}"]["properties"]["added"] = {"type": "string"}
    place = folder / name
    place.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    return place


def commands(folder: Path, schemas: int) -> dict[str, list[str]]:
    """Every row's command; the package that --check looks at is generated here."""
    gen = str(BIN / "aoba-gen")
    old = str(write(folder, "old.yaml", schemas, 0))
    one = str(write(folder, "one.yaml", schemas, 1))
    each = str(write(folder, "each.yaml", schemas, schemas))
    out = ["-o", str(folder / "out")]
    run([gen, old, "-q", *out])
    return {
        "reading alone": [sys.executable, "-c", READ, old],
        "model": [gen, "model", old],
        "--check": [gen, old, *out, "--check"],
        "breaking, one field": [gen, "breaking", one, "--against", old],
        "breaking, a field in each": [gen, "breaking", each, "--against", old],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each row (default: 5)")
    parser.add_argument("--schemas", type=int, default=1_000, help="(default: 1000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = commands(Path(name), options.schemas)
        found: dict[str, list[Run]] = {row: [] for row in rows}
        for _ in range(options.rounds):
            for row, command in rows.items():
                found[row].append(run(command))
    print(
        f"aoba-gen {version('aoba-gen')}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{options.schemas:,} schemas, median of {options.rounds}\n"
    )
    print("| | wall s | CPU s | ratio | peak MiB | ratio |\n|---|---|---|---|---|---|")
    base: Run | None = None
    for row, runs in found.items():
        wall, cpu, memory = (
            statistics.median(getattr(once, field) for once in runs)
            for field in ("wall", "cpu", "memory")
        )
        base = base or Run(wall, cpu, memory)
        ratios = f"{cpu / base.cpu:.2f}", f"{memory / base.memory:.2f}"
        print(f"| {row} | {wall:.2f} | {cpu:.2f} | {ratios[0]} | {memory:.0f} | {ratios[1]} |")


if __name__ == "__main__":
    main()
