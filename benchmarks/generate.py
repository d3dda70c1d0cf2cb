"""Whole processes against each other: aoba-gen and datamodel-codegen on the Aoba document, time and peak memory.

Each round runs every row once, one after the other, so that whatever else the machine does hits all alike. The rows are
fresh processes with a warm file cache; the figures are medians. All run from compiled modules, as pip installs them: a
checkout has none where PYTHONDONTWRITEBYTECODE is set. `make bench` runs this.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "spec" / "voice-call-signaling.yaml"
BIN = Path(sys.executable).parent

PEER = [
    "--input-file-type",
    "asyncapi",
    "--output-model-type",
    "pydantic_v2.BaseModel",
    "--target-python-version",
    "3.11",
    "--disable-timestamp",
    "--use-annotated",
    "--snake-case-field",
    "--use-schema-description",
    "--use-field-description",
    "--enum-field-as-literal",
    "none",
]
"""Options that ask the peer for what aoba-gen gives as well; the formatters are its default, black and isort."""


@dataclass(frozen=True)
class Run:
    """What one process took: seconds on the wall, seconds of CPU, peak resident memory in MiB."""

    wall: float
    cpu: float
    memory: float


def run(command: list[str]) -> Run:
    """Run `command` to its end; ends this program when it fails."""
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")
            sys.exit(f"{' '.join(command)} exited {process.returncode}:\n{text}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def keep_compiled(folder: Path) -> None:
    """Let every process from here on compile what it imports once, into `folder`."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def measure(rounds: int, folder: Path) -> dict[str, list[Run]]:
    """Every row's runs; one more round comes first, not counted, that fills the file cache."""
    aoba = [str(BIN / "aoba-gen"), str(SPEC), "-o"]
    peer = [str(BIN / "datamodel-codegen"), "--input", str(SPEC), *PEER, "--output"]
    keep_compiled(folder / "compiled")
    settled = str(folder / "settled")
    run([*aoba, settled])
    found: dict[str, list[Run]] = {}
    for number in range(rounds + 1):
        fresh = folder / str(number)
        fresh.mkdir()
        rows = {
            "datamodel-codegen, cold": [*peer, str(fresh / "models.py")],
            "aoba-gen, cold": [*aoba, str(fresh / "out")],
            "aoba-gen, unchanged": [*aoba, settled],
            "aoba-gen --check": [*aoba, settled, "--check"],
        }
        for row, command in rows.items():
            once = run(command)
            if number:
                found.setdefault(row, []).append(once)
    return found


def table(found: dict[str, list[Run]]) -> str:
    """The medians, and each as a ratio to the first row."""
    medians = {
        row: Run(
            statistics.median(once.wall for once in runs),
            statistics.median(once.cpu for once in runs),
            statistics.median(once.memory for once in runs),
        )
        for row, runs in found.items()
    }
    base = next(iter(medians.values()))
    lines = [
        "| row | wall s | ratio | CPU s | ratio | peak MiB | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, it in medians.items():
        lines.append(
            f"| {row} | {it.wall:.2f} | {it.wall / base.wall:.2f} | {it.cpu:.2f} | {it.cpu / base.cpu:.2f} "
            f"| {it.memory:.0f} | {it.memory / base.memory:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each row (default: 7)")
    rounds: int = parser.parse_args().rounds
    print(
        f"aoba-gen {version('aoba-gen')}, datamodel-code-generator {version('datamodel-code-generator')}, "
        f"black {version('black')}, Python {platform.python_version()}, {os.cpu_count()} cores, median of {rounds}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        print(table(measure(rounds, Path(folder))))


if __name__ == "__main__":
    main()
