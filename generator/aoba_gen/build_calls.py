"""Model -> Calls: which messages are the nine signals of a voice call, and where in them the fields lie.

Found by the table of usual names in `call_names`, or as the document says with `x-aoba-call`. What cannot be found is a
warning that says what to add: the rest of the package is generated all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from . import names
from .call_extension import EXTENSION, Extension, Wish, check_extension, read_extension
from .call_fields import Fields, Way, dotted, kind_name, other_kind
from .call_names import SIGNALS, Field, SignalKind, matches, signal_of
from .call_operations import sender
from .call_reasons import Reasons, read_reasons
from .diagnostics import Report, shown
from .model import Message, Model, Property
from .model_calls import (
    Argument,
    Calls,
    CallSignal,
    Guard,
    Made,
    Read,
    Step,
)
from .resolve import Place

_TELLING: Final = frozenset({"offer", "answer", "ice-candidate"})
"""A document that has these is about calls, and is told what is missing."""


def build_calls(model: Model, places: Mapping[str, Place], report: Report) -> Calls | None:
    """How the document says the signals of a call; `None` where it is not about calls, or after a warning.

    `places` holds the messages by pointer. An extension that makes no sense is an error.
    """
    return _Binder(model, places, report).calls()


@dataclass(frozen=True, slots=True)
class _Candidate:
    message: Message
    place: Place
    extension: Extension
    rank: int

    @property
    def payload(self) -> str:
        """The class of the payload."""
        return self.message.payload or ""


class _Binder:
    def __init__(self, model: Model, places: Mapping[str, Place], report: Report) -> None:
        self._model = model
        self._places = places
        self._report = report
        self._fields = Fields(model.definitions)
        self._reasons: Reasons | None = None

    def calls(self) -> Calls | None:
        found: dict[str, list[_Candidate]] = {kind.key: [] for kind in SIGNALS}
        is_marked = False
        for kind, one in self._candidates():
            is_marked |= one.extension.is_there
            found[kind.key].append(one)
        if not is_marked and not all(found[key] for key in _TELLING):
            return None
        chosen = {kind.key: self._chosen(kind, found[kind.key]) for kind in SIGNALS}
        bound = [
            self._bound(kind, candidate)
            for kind in SIGNALS
            if (candidate := chosen[kind.key]) is not None
        ]
        signals = tuple(signal for signal in bound if signal is not None)
        if len(signals) < len(SIGNALS):
            return None
        has_date_time = any(read.is_date_time for signal in signals for read in signal.reads)
        reasons = self._reasons or Reasons()
        return Calls(signals, reasons.said, reasons.heard, reasons.enum, has_date_time)

    def _candidates(self) -> Iterator[tuple[SignalKind, _Candidate]]:
        """Every message that may stand for a signal: as it is marked, else by its tag, else by its name."""
        tags: dict[str, list[str]] = {}
        for channel in self._model.channels:
            for message in channel.messages:
                if message.payload not in (None, "bytes"):
                    tags.setdefault(message.pointer, [])
            for route in channel.routes:
                tags.setdefault(route.message.pointer, []).append(str(route.tag.value))
        for message in self._model.messages:
            place = self._places[message.pointer]
            extension = read_extension(place, self._report)
            if extension.is_none:
                continue
            if message.pointer not in tags:
                if extension.is_there:
                    self._report.error(
                        "call-extension",
                        f"{shown(message.name)} is no signal of a call: it has no payload in JSON, or is in no channel",
                        place.key_location(EXTENSION),
                        "give it a payload, put it into a channel, or leave the extension out",
                    )
                continue
            if extension.kind is not None:
                yield extension.kind, _Candidate(message, place, extension, -1)
                continue
            for name in (*tags[message.pointer], message.name):
                if (guess := signal_of(name)) is not None:
                    yield guess[0], _Candidate(message, place, extension, guess[1])
                    break
            else:
                if extension.is_there:
                    self._report.error(
                        "call-extension",
                        f"{EXTENSION} does not say which signal {shown(message.name)} stands for, nor does its name",
                        place.key_location(EXTENSION),
                        f"add signal, one of {', '.join(kind.key for kind in SIGNALS)}",
                    )

    def _chosen(self, kind: SignalKind, found: list[_Candidate]) -> _Candidate | None:
        mark = f"mark the message that does with {EXTENSION}: {{signal: {kind.key}}}"
        if not found:
            root = next(iter(self._places.values())).document.root
            self._report.warn(
                "call-signal",
                f"no calls.py is made: no message stands for the signal {kind.key!r} of a call",
                root.key_location("channels"),
                f"{mark}, or add one",
            )
            return None
        best = [each for each in found if each.rank == min(other.rank for other in found)]
        if len(best) > 1:
            listed = " and ".join(shown(each.message.name) for each in best)
            what = f"{listed} both stand for the signal {kind.key!r} of a call"
            hint = f"{mark}, or the other with {EXTENSION}: false"
            if not any(
                all(each.message in channel.messages for each in best)
                for channel in self._model.channels
            ):
                hint = "say and hear it by one message: let both channels refer to the same"
            at = best[1].place.location
            self._report.warn("call-signal", f"no calls.py is made: {what}", at, hint)
            return None
        return best[0]

    def _bound(self, kind: SignalKind, candidate: _Candidate) -> CallSignal | None:
        message, extension = candidate.message, candidate.extension
        check_extension(extension, kind, self._report)
        if not self._fields.is_record(candidate.payload):
            what = f"the payload of {shown(message.name)} is no class of objects, and a call looks for fields in it"
            self._warn(
                candidate, "call-field", what, "describe one object, with type and properties"
            )
            return None
        ways = {each: self._way(each, candidate) for each in kind.fields}
        values = {
            way: wish
            for path, wish in extension.values.items()
            if (way := self._walked(path, wish, candidate)) is not None
        }
        parts = self._parts(kind, candidate, ways, values)
        is_complete = all(
            way is not None and self._fields.is_sure(way)
            for each, way in ways.items()
            if each.is_required
        )
        operation, why, hint = sender(self._model, message, self._fields)
        if operation is None:
            what = f"{why}, which stands for the signal {kind.key!r} of a call"
            self._warn(candidate, "call-operation", what, hint, "")
        if operation is None or not parts or not is_complete or not self._take(ways, candidate):
            return None
        for each, way in ways.items():
            if each.is_reason and way is not None:
                self._reasons = read_reasons(
                    self._fields,
                    way,
                    extension.reasons,
                    self._report,
                    lambda message, hint: self._warn(candidate, "call-reason", message, hint),
                )
                if self._reasons is None:
                    return None
        reads = [(each, self._read(each, way)) for each, way in ways.items() if way is not None]
        return CallSignal(
            python=kind.python,
            snake=names.snake(kind.python),
            payload=candidate.payload,
            method=operation.method,
            hook=next(hook.python for hook in self._model.hooks if hook.message == message),
            parts=parts,
            reads=tuple(read for each, read in reads if len(each.source) == 1),
            candidate=tuple(read for each, read in reads if len(each.source) == 2),
        )

    def _way(self, field: Field, candidate: _Candidate) -> Way | None:
        """Where in the message the field is; `None` where it is not, after a warning if it must be there."""
        wish = candidate.extension.paths.get(field.key)
        if wish is not None:
            way = self._walked(str(wish.value), wish, candidate)
            if way is None:
                return None
            if not self._fields.holds(way, field):
                self._report.error(
                    "call-extension",
                    f"{shown(wish.value)} is {other_kind(way, field)}, which {field.key!r} is",
                    wish.location,
                    "name another field, or correct its schema",
                )
                return None
            found = [way]
        else:
            found = self._fields.find(candidate.payload, field)
        if not field.is_required:
            return next(iter(found), None)
        sure = [way for way in found if self._fields.is_sure(way)]
        if found and not sure:
            self._warn(
                candidate,
                "call-field",
                f"{shown(dotted(found[0]))} of {shown(candidate.message.name)} may be absent or null, "
                f"and a call needs it as {field.key!r}",
                "require it, and every object that it lies in",
            )
            return found[0]
        if sure and not self._fields.is_tied(sure, field):
            return sure[0]
        named = self._fields.named(candidate.payload, field)
        if sure:
            listed = " or ".join(shown(dotted(way)) for way in sure[:2])
            what = f"{field.key!r} of {shown(candidate.message.name)} may be {listed}"
        elif named:
            what = (
                f"{shown(dotted(named[0]))} of {shown(candidate.message.name)} is {other_kind(named[0], field)}, "
                f"which {field.key!r} is"
            )
        else:
            what = (
                f"{shown(candidate.message.name)} has no {field.key!r}: "
                f"no {kind_name(field)} in it is called {', '.join(field.usual)}"
            )
        possible = sure or ([] if named else self._fields.possible(candidate.payload, field))
        if possible:
            hint = f"say where it is: {EXTENSION}: {{{field.key}: {dotted(possible[0])}}}"
        elif named:
            hint = f"correct its schema, or say where else it is: {EXTENSION}: {{{field.key}: <the way to it>}}"
        else:
            hint = f"add a required {kind_name(field)} called {field.key}"
        self._warn(candidate, "call-field", what, hint)
        return None

    def _take(self, ways: Mapping[Field, Way | None], candidate: _Candidate) -> bool:
        """Whether the fields take what calls say in them."""
        refused = {
            field: (way, value)
            for field, way in ways.items()
            if way is not None and (value := self._fields.refused(way, field)) is not None
        }
        for field, (way, value) in refused.items():
            self._warn(
                candidate,
                "call-field",
                f"{shown(dotted(way))} of {shown(candidate.message.name)} does not take {shown(value)}, "
                f"and calls say such in {field.key!r}",
                "let its schema take it, or name another field",
            )
        return not refused

    def _walked(self, path: str, wish: Wish, candidate: _Candidate) -> Way | None:
        way, missing = self._fields.walk(candidate.payload, path)
        if way is None:
            self._report.error(
                "call-extension",
                f"{shown(path)} leads nowhere in {shown(candidate.message.name)}: {missing}",
                wish.location,
                "write the way from the payload down with dots, such as payload.sessionId",
            )
        return way

    def _parts(
        self,
        kind: SignalKind,
        candidate: _Candidate,
        ways: Mapping[Field, Way | None],
        values: Mapping[Way, Wish],
    ) -> tuple[Made, ...]:
        """How the message is made, from the inside out; nothing, after warnings, where something cannot be filled."""
        parts: list[Made] = []
        is_complete = True
        sources = {
            tuple(step.name for step in way): field
            for field, way in ways.items()
            if way is not None
        }
        missing = [each for each, way in ways.items() if each.is_required and way is None]
        fixed = {tuple(step.name for step in way): wish for way, wish in values.items()}

        for way in sources.keys() & fixed.keys():
            self._report.error(
                "call-extension",
                f"{shown('.'.join(way))} is {sources[way].key!r} of the call, and no constant",
                fixed[way].location,
                f"leave it out of values, or say where {sources[way].key!r} is instead",
            )

        def made(record: str, prefix: tuple[str, ...]) -> tuple[Argument, ...]:
            nonlocal is_complete
            arguments: list[Argument] = []
            for each in self._fields.of(record):
                way = (*prefix, each.name)
                inner = each.schema.ref or ""
                leads = any(known[: len(way)] == way for known in (*sources, *fixed))
                if way in sources:
                    field = sources[way]
                    is_bare = field.is_required or not each.required or each.schema.nullable
                    arguments.append(
                        Argument(
                            each.python,
                            source=tuple(map(Step, field.source)),
                            value=() if is_bare else (field.otherwise,),
                            is_reason=field.is_reason,
                            is_date_time=self._fields.is_date_time((each,), field),
                        )
                    )
                elif way in fixed:
                    arguments.append(self._fixed(each, inner, fixed[way]))
                elif self._fields.is_record(inner) and (leads or not self._fields.is_given(each)):
                    variable = f"made_{'_'.join(map(names.snake, way))}"
                    parts.append(Made(variable, inner, made(inner, way)))
                    arguments.append(Argument(each.python, variable=variable))
                elif not self._fields.is_given(each) and not any(
                    self._fields.holds((each,), field)
                    or matches(each.name, field.usual) is not None
                    for field in missing
                ):
                    member = self._fields.obvious(each, kind)
                    if member is None:
                        is_complete = False
                        constant = f"{EXTENSION}: {{values: {{{'.'.join(way)}: <a constant>}}}}"
                        self._warn(
                            candidate,
                            "call-required",
                            f"{shown(candidate.message.name)} requires {shown('.'.join(way))}, "
                            "which no signal of a call knows",
                            (
                                f"let it be optional, or say what it is: {constant}"
                                if self._fields.may_be_constant(each)
                                else "let it be optional: no constant can stand there"
                            ),
                        )
                    arguments.append(Argument(each.python, member=member))
            return tuple(arguments)

        payload = candidate.payload
        parts.append(Made("message", payload, made(payload, ())))
        return tuple(parts) if is_complete else ()

    def _fixed(self, each: Property, enum: str, wish: Wish) -> Argument:
        member = self._fields.member(enum, str(wish.value))
        if member is not None:
            return Argument(each.python, member=member)
        if not isinstance(wish.value, (str, int, float)):
            self._report.error(
                "call-extension",
                f"{shown(wish.value)} is no constant, expected text, a number, true or false",
                wish.location,
                "an object is made by giving values to what is in it",
            )
        elif not self._fields.takes((each,), wish.value):
            self._report.error(
                "call-extension",
                f"{shown(each.name)} does not take {shown(wish.value)}",
                wish.location,
                "write a value that its schema allows",
            )
        else:
            return Argument(each.python, value=(wish.value,))
        return Argument(each.python)

    def _read(self, field: Field, way: Way) -> Read:
        steps = tuple(Step(each.python) for each in way)
        guards = tuple(
            Guard(steps[: index + 1])
            for index, each in enumerate(way[:-1])
            if not each.required or each.schema.nullable
        )
        is_date_time = self._fields.is_date_time(way, field)
        return Read(field.source[-1], steps, guards, field.is_reason, is_date_time)

    def _warn(
        self, candidate: _Candidate, rule: str, message: str, hint: str, mark: str = EXTENSION
    ) -> None:
        place = candidate.place
        at = place.key_location(mark if place.raw(mark) is not None else "payload")
        self._report.warn(rule, f"no calls.py is made: {message}", at, hint)
