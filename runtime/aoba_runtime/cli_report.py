"""What `aoba-call` says of its calls: JSON on standard output for machines, words and a live line on standard error."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from . import phone_events as events
from .call_states import Role
from .cli_common import say, to_nowhere
from .media import Stats
from .phone import Missed, VoiceCall

_BARS: Final = " ▁▂▃▄▅▆▇█"
_QUIETEST: Final = -60.0
_CLEAR: Final = "\r\x1b[K"


class Report:
    """Tells each event once; with `as_json` as an object on a line, else in words.

    `unheard` is called when nobody reads standard output any more.
    """

    def __init__(self, as_json: bool, unheard: Callable[[], None] = lambda: None) -> None:
        self._as_json = as_json
        self._unheard = unheard
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self.is_live = not as_json and is_terminal and os.environ.get("TERM") != "dumb"
        self._has_line = False
        if self.is_live:
            for handler in logging.getLogger().handlers:  # what is logged wipes the line, too
                handler.setFormatter(logging.Formatter(f"{_CLEAR}aoba-call: %(message)s"))

    def ready(self, jid: str) -> None:
        """We are reachable."""
        self._event("ready", f"ready as {jid}", jid=jid)

    def incoming(self, call: VoiceCall | Missed) -> None:
        """Somebody calls."""
        call_id = call.call_id if isinstance(call, Missed) else call.id
        named = f" ({call.caller_name!a})" if call.caller_name else ""
        self._event("incoming", f"{call.peer}{named} calls", call_id=call_id, **{"from": call.peer})

    def missed(self, missed: Missed) -> None:
        """Somebody called and was told busy."""
        self.incoming(missed)
        self._ended(missed.call_id, events.Ended(events.EndReason.BUSY, None, events.Party.LOCAL))

    def link(self, is_up: bool, reason: str = "") -> None:
        """The connection that carries signals broke, or is there again."""
        if is_up:
            self._event("resumed", "the server is there again")
        else:
            self._event("reconnecting", f"the server is gone, trying again ({reason})")

    def event(self, call: VoiceCall, event: events.CallEvent) -> None:
        """Something happened to a call."""
        peer, name = call.peer, call.id
        match event:
            case events.Ringing():
                self._event("ringing", f"{event.peer} rings", call_id=name, to=event.peer)
            case events.Accepted():
                self._event("accepted", f"accepted by {event.peer}" if peer else "", call_id=name)
            case events.Connected(setup=setup):
                said = f"connected after {setup:.2f} s"
                self._event("connected", said, call_id=name, setup_ms=round(setup * 1000, 1))
            case events.FirstAudio(setup=setup):
                said = f"first sound after {setup:.2f} s"
                self._event("first-audio", said, call_id=name, setup_ms=round(setup * 1000, 1))
            case events.Muted(by=by, muted=muted):
                who = "you are" if by is events.Party.LOCAL else f"{peer} is"
                said = f"{who} {'muted' if muted else 'not muted any more'}"
                self._event("muted", said, call_id=name, by=by.value, muted=muted)
            case events.Stalled():
                self._words(f"nothing comes from {peer} any more")
            case events.VoiceBack():
                self._words(f"{peer} can be heard again")
            case events.Ended():
                self._ended(name, event)
            case _:
                pass

    def answered(self, call: VoiceCall) -> None:
        """Tell that a call is accepted which rang here when we dialed who made it; other calls tell it themselves."""
        if call.role is Role.CALLEE:
            self.event(call, events.Accepted(call.peer))

    def stats(self, call: VoiceCall, stats: Stats) -> None:
        """How a call's voice is."""
        if self._as_json:
            numbers = {
                key: round(value, 6) if isinstance(value, float) else value
                for key, value in asdict(stats).items()
            }
            self._event("stats", "", call_id=call.id, **numbers)

    def live(self, call: VoiceCall, stats: Stats | None, seconds: float) -> None:
        """Draw the live line anew."""
        who = call.peer.partition("/")[0]
        parts = ["ringing" if stats is None else "talking", _clock(seconds)]
        if call.muted:
            parts.append("muted")
        if stats is not None:
            parts += [f"you {_bar(stats.local_level)}", f"they {_bar(stats.remote_level)}"]
            parts.append(f"loss {stats.loss:.1%}")
            parts += [] if stats.mos is None else [f"MOS {stats.mos:.1f}"]
        say(_fitted([who, *parts], _width() - 1), before=_CLEAR, end="")
        self._has_line = True

    def _ended(self, call_id: str, ended: events.Ended) -> None:
        lasted = "" if ended.duration is None else f" after {_clock(ended.duration)}"
        who = "this end" if ended.by is events.Party.LOCAL else "the other end"
        why = f": {ended.why}" if ended.why else ""
        if why and self._as_json:
            self._words(f"the call failed{why}")
        self._event(
            "ended",
            f"the call is over: {ended.reason}{lasted}, by {who}{why}",
            call_id=call_id,
            reason=ended.reason.value,
            duration=ended.duration,
            by=ended.by.value,
        )

    def _event(self, event: str, words: str, /, **fields: object) -> None:
        if self._as_json:
            try:
                print(
                    json.dumps({"event": event, "at": round(time.time(), 3), **fields}), flush=True
                )
            except OSError as problem:
                if not isinstance(problem, BrokenPipeError):
                    say(f"aoba-call: {problem}")
                to_nowhere(sys.stdout)
                self._unheard()
        elif words:
            self._words(words)

    def _words(self, words: str) -> None:
        clear = _CLEAR if self._has_line else ""
        self._has_line = False
        say(words, before=clear)


def _width() -> int:
    """The columns of the terminal that the live line is drawn on."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        columns = 0
    return columns or shutil.get_terminal_size().columns


def _fitted(parts: list[str], width: int) -> str:
    """As many of the parts, from the first on, as a line of `width` has room for."""
    while len(parts) > 1 and len("  ".join(parts)) > width:
        parts = parts[:-1]
    return "  ".join(parts)[:width]


def _bar(level: float) -> str:
    """A level (RMS, 0..1) as a bar of one character, by decibels."""
    decibels = 20 * math.log10(level) if level > 0 else _QUIETEST
    part = max(0.0, min(1.0, 1 - decibels / _QUIETEST))
    return _BARS[round(part * (len(_BARS) - 1))]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
