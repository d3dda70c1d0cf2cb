"""Draws the state diagrams in docs/call.md from the engine's table: `python tests/call_diagrams.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aoba_runtime.call_states import LIMITS, START, TRANSITIONS, End, Event, Role, State, Wait

PLACE: Final = Path(__file__).parents[1] / "docs" / "call.md"
SECONDS: Final = {Wait.RING: "30 s", Wait.CONNECT: "15 s", Wait.GOODBYE: "3 s"}


def diagram(role: Role) -> str:
    """The states of one role and what leads from each to another; what leaves a state as it is has the table below it."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {START[role]}"]
    for state, cells in TRANSITIONS[role].items():
        ways: dict[str, list[str]] = {}
        for event, cell in cells.items():
            if cell is state:
                continue
            ways.setdefault(target(cell), []).append(label(event, state))
        for to, labels in ways.items():
            end, _, reason = to.partition(" ")
            text = ", ".join(labels) + (f" / {reason}" if reason else "")
            lines.append(f"    {state} --> {end} : {text}")
    return "\n".join([*lines, "```"])


def target(cell: State | End) -> str:
    """The state, or the end with its reason."""
    if isinstance(cell, End):
        told = f", send {cell.tell.__name__.lower()}" if cell.tell else ""
        return f"[*] {cell.reason or 'as told'}{told}"
    return str(cell)


def label(event: Event, state: State) -> str:
    """What the diagram calls an event."""
    return f"after {SECONDS[LIMITS[state]]}" if event is Event.DEADLINE else str(event)


def stays(role: Role) -> str:
    """What may happen in each state and leaves it as it is."""
    rows = ["| state | what leaves it as it is |", "|---|---|"]
    for state, cells in TRANSITIONS[role].items():
        events = ", ".join(event for event, cell in cells.items() if cell is state)
        if events:
            rows.append(f"| {state} | {events} |")
    return "\n".join(rows)


def drawn() -> Iterator[tuple[str, str]]:
    """The parts of the page that are drawn, by their marks."""
    for role in Role:
        yield str(role), f"{diagram(role)}\n\n{stays(role)}"


def redrawn(page: str) -> str:
    """`page` with the parts between its marks drawn anew."""
    for mark, text in drawn():
        begin, end = f"<!-- {mark}: drawn -->", f"<!-- {mark}: end -->"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        assert found and ended, f"{begin} ... {end} is missing"
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


if __name__ == "__main__":
    PLACE.write_text(redrawn(PLACE.read_text()))
