"""The end reasons of a call in a document's words: what is said for each, and what each word means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .call_extension import EXTENSION, Wish
from .call_fields import Fields, Way, dotted
from .call_names import REASONS, matches
from .diagnostics import Report, shown
from .model_calls import Reason


@dataclass(frozen=True, slots=True)
class Reasons:
    """`said` has each reason once, `heard` every word that there is for one; `enum` is the class of the words, if any."""

    said: tuple[Reason, ...] = ()
    heard: tuple[Reason, ...] = ()
    enum: str | None = None


def read_reasons(
    fields: Fields,
    way: Way,
    wishes: Mapping[str, Wish],
    report: Report,
    warn: Callable[[str, str], None],
) -> Reasons | None:
    """Find a word for each reason in the field `way`, as `x-aoba-call` wishes or as is usual; `None` after a warning."""
    enum = fields.enum(way)
    words = fields.values(enum) if enum else [usual[0] for usual in REASONS.values()]
    said: dict[str, str] = {}
    heard: dict[str, str] = {}
    for reason, usual in REASONS.items():
        ranked = {word: rank for word in words if (rank := matches(word, usual)) is not None}
        heard.update(dict.fromkeys(ranked, reason))
        wish = wishes.get(reason)
        if wish is not None and enum and wish.value not in words:
            report.error(
                "call-extension",
                f"{shown(wish.value)} is not among the values of {enum}",
                wish.location,
                f"expected one of {', '.join(map(shown, words))}",
            )
        elif wish is not None:
            said[reason] = str(wish.value)
        elif ranked:
            said[reason] = min(ranked, key=lambda word: ranked[word])
        else:
            warn(
                f"none of {', '.join(map(shown, words))} is a word for the end reason {reason!r}",
                f"say which one is: {EXTENSION}: {{reasons: {{{reason}: <one of them>}}}}",
            )
    refused = (
        None
        if enum
        else next((word for word in said.values() if not fields.is_free(way, word)), None)
    )
    if refused is not None:
        warn(
            f"{shown(dotted(way))} does not take {shown(refused)}, which is said for an end reason",
            "let its values be an enum, or let it take any text",
        )
    if refused is not None or len(said) < len(REASONS):
        return None
    heard.update({word: reason for reason, word in said.items() if reason in wishes})
    first = {word: reason for reason, word in reversed(said.items())}

    def reason_of(reason: str, word: str) -> Reason:
        return Reason(reason.upper(), fields.member(enum or "", word), word)

    return Reasons(
        tuple(reason_of(reason, word) for reason, word in said.items()),
        tuple(reason_of(reason, word) for word, reason in {**heard, **first}.items()),
        enum,
    )
