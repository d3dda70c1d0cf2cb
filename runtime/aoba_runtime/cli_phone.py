"""`aoba-call dial` and `aoba-call listen`: a softphone, from its options to its exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Final, TypeVar

from .cli_common import EXIT_BADLY, EXIT_CONNECTION, EXIT_USAGE, click, fail, no_traceback
from .cli_names import is_domain, is_jid
from .cli_options import (
    TALK,
    Options,
    Seconds,
    only,
    phone_options,
    why_not_connected,
)
from .links import InsecureUrl, LinkError, Lost, Reconnecting
from .signals import EndReason

if TYPE_CHECKING:
    from .cli_sound import Sound
    from .media import Media
    from .phone import Phone, VoiceCall
    from .phone_events import CallEvent, Ended

T = TypeVar("T")

_STATS_EVERY: Final = 1.0
_LINE_EVERY: Final = 0.25
_AS_ASKED: Final = {
    "accept": {EndReason.COMPLETED},
    "reject": {EndReason.REJECTED, EndReason.CANCELLED},
    "busy": {EndReason.BUSY, EndReason.CANCELLED},
    "ignore": set(EndReason),
}
"""How a call may end when it was answered as asked."""

_ENVIRONMENT: Final = """\
\b
Environment:
  AOBA_TOKEN  the token to log in with, unless --token-file names it
\b
See also:
  aoba-call serve  run a server to try it on
  docs/calls.md    how a program holds calls
"""
_DIAL: Final = f"""\
\b
Examples:
  AOBA_TOKEN=$(aoba-call token alice) aoba-call dial echo
      hear yourself, with microphone and speaker
  aoba-call dial bob@localhost --token-file alice.jwt --tone 440 --duration 5 --record heard.wav
      say a tone for five seconds and keep what came back
\b
Exit codes:
  0  the call was completed
  1  it ended otherwise
  2  a wrong call of the program
  3  no connection
{_ENVIRONMENT}"""
_LISTEN: Final = f"""\
\b
Examples:
  AOBA_TOKEN=$(aoba-call token bob) aoba-call listen --tone 440
      take every call and say a tone
  AOBA_TOKEN=$(aoba-call token bob) aoba-call listen --busy --once --json
      turn the first call away, and tell so in JSON
\b
Exit codes:
  0  every call was completed, or answered as asked
  1  one was not
  2  a wrong call of the program
  3  no connection
{_ENVIRONMENT}"""


@click.command(epilog=_DIAL)
@click.argument("jid")
@click.option(
    "--duration",
    type=TALK,
    metavar="S",
    help="Hang up after S seconds of talk; never by default.",
)
@click.option(
    "--ring-timeout",
    type=Seconds(0.05, 3600),
    default=30.0,
    show_default=True,
    metavar="S",
    help="Give up after S seconds of ringing.",
)
@phone_options
def dial(jid: str, duration: float | None, ring_timeout: float, options: Options) -> None:
    """Call JID (bob@localhost, or bob alone at the server's domain) and talk.

    Without --tone, --play, --echo or --silence with microphone and speaker, for which the extra `audio` is needed. Ctrl-C
    hangs up.
    """
    if not is_jid(jid if "@" in jid else f"{jid}@localhost"):
        raise click.UsageError(f"{jid!r} is no JID; write it as bob@localhost")

    async def work(softphone: _Softphone) -> int:
        peer = jid if "@" in jid else f"{jid}@{softphone.domain}"
        return await softphone.dial(peer, duration)

    _run(options, work, interrupted=EXIT_BADLY, ring_time=ring_timeout)


@click.command(epilog=_LISTEN)
@click.option("--accept", is_flag=True, help="Take every call; the default.")
@click.option("--reject", is_flag=True, help="Decline every call.")
@click.option("--busy", is_flag=True, help="Say that we are busy.")
@click.option("--ignore", is_flag=True, help="Let it ring.")
@click.option(
    "--max-calls",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Calls at a time; who calls besides is told that we are busy.",
)
@click.option("--once", is_flag=True, help="End after the first call.")
@phone_options
def listen(
    accept: bool,
    reject: bool,
    busy: bool,
    ignore: bool,
    max_calls: int,
    once: bool,
    options: Options,
) -> None:
    """Wait for calls until Ctrl-C or SIGTERM.

    Takes every call, unless --reject, --busy or --ignore say otherwise.
    """
    chosen = {"accept": accept, "reject": reject, "busy": busy, "ignore": ignore}
    answer = only("accept", chosen)

    async def work(softphone: _Softphone) -> int:
        return await softphone.listen(answer, once)

    _run(options, work, interrupted=0, max_calls=max_calls)


class _Softphone:
    """A phone that is connected, and what it says of its calls."""

    def __init__(
        self, options: Options, sound: Sound, phone: Phone, jid: str, stop: asyncio.Event
    ) -> None:
        from .cli_report import Report

        self.domain = jid.partition("/")[0].partition("@")[2]
        self._options = options
        self._phone = phone
        self._stop = stop
        self._sound = sound
        self._report = Report(options.json, unheard=stop.set)
        self._is_lost: LinkError | None = None
        self._is_down = False
        self._tasks: set[asyncio.Task[None]] = set()
        phone.on_link(self._link)
        self._report.ready(jid)

    async def dial(self, peer: str, duration: float | None) -> int:
        """Call, talk, and hang up when asked to."""
        call = await _unless(self._stop, self._place(peer))
        if call is None:
            return EXIT_BADLY
        self._report.answered(call)
        self._watch(call, duration)
        await _unless(self._stop, call.ended)
        call.hangup()
        reason = (await call.ended).reason
        return 0 if reason is EndReason.COMPLETED else EXIT_BADLY

    async def _place(self, peer: str) -> VoiceCall:
        """The call; who rings here while it is not placed yet is told busy, unless it is the one whom we call."""
        from .phone import LineFull

        while True:
            try:
                return await self._phone.dial(peer)
            except LineFull:
                for other in self._phone.calls:
                    other.busy()

    async def listen(self, answer: str, once: bool) -> int:
        """Answer calls until asked to stop."""
        codes = {0}

        def take(call: VoiceCall) -> None:
            self._report.incoming(call)
            self._watch(call, None)
            call.ended.add_done_callback(judge)
            if answer in ("accept", "reject", "busy") and not call.is_over:
                {"accept": call.accept, "reject": call.reject, "busy": call.busy}[answer]()

        def judge(ended: asyncio.Future[Ended]) -> None:
            if ended.result().reason not in _AS_ASKED[answer]:
                codes.add(EXIT_BADLY)
            if once or self._is_lost is not None:
                self._stop.set()

        self._phone.on_incoming(take)
        self._phone.on_missed(self._report.missed)
        await self._stop.wait()
        calls = self._phone.calls
        for call in calls:
            call.hangup()
        for call in calls:
            await call.ended
        await asyncio.sleep(0)  # so that the last call is judged
        if self._is_lost is None:
            return max(codes)
        click.echo(f"aoba-call: the connection is lost: {self._is_lost}", err=True)
        return EXIT_CONNECTION

    async def aclose(self) -> None:
        """End what goes on beside the calls."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _watch(self, call: VoiceCall, duration: float | None) -> None:
        from .phone_events import Connected

        loop = asyncio.get_running_loop()

        def tell(event: CallEvent) -> None:
            if isinstance(event, Connected):
                self._sound.begin(call)
                if self._options.mute_after is not None:
                    loop.call_later(self._options.mute_after, call.mute)
                if duration is not None:
                    loop.call_later(duration, call.hangup)
            self._report.event(call, event)

        call.on_event(tell)
        if call.ended.done():  # at once, before it could be listened to
            tell(call.ended.result())
        task = loop.create_task(self._measure(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _measure(self, call: VoiceCall) -> None:
        """Tell from time to time how the voice is."""
        loop, ended = asyncio.get_running_loop(), call.ended
        began = loop.time()
        every = _LINE_EVERY if self._report.is_live else _STATS_EVERY
        is_up = False
        while not call.is_over:
            if call.is_connected and not is_up:
                is_up, began = True, loop.time()
            stats = await call.stats() if is_up else None
            if call.is_over:
                return
            if stats is not None:
                self._report.stats(call, stats)
            if self._report.is_live:
                self._report.live(call, stats, loop.time() - began)
            await asyncio.wait([ended], timeout=every)

    def _link(self, event: object) -> None:
        if isinstance(event, Lost):
            self._is_lost = event.error
            if not self._phone.calls:
                self._stop.set()
        elif isinstance(event, Reconnecting):
            if not self._is_down:
                self._report.link(False, event.reason)
            self._is_down = True
        elif self._is_down:
            self._report.link(True)
            self._is_down = False


def _run(
    options: Options,
    work: Callable[[_Softphone], Coroutine[None, None, int]],
    *,
    interrupted: int,
    ring_time: float = 30.0,
    max_calls: int = 1,
) -> None:
    """Connect, work, and end the program with the right code."""
    with no_traceback(interrupted):
        from .audio import AudioError
        from .cli_sound import Sound, media_of

        if options.domain and not is_domain(options.domain):
            raise click.UsageError(f"--domain {options.domain!r} is no XMPP domain")
        try:
            media, sound = media_of(options), Sound(options)
        except (AudioError, ValueError) as error:
            raise click.UsageError(str(error)) from None
        try:
            code = asyncio.run(
                _session(
                    options,
                    sound,
                    media,
                    work,
                    interrupted,
                    ring_time=ring_time,
                    max_calls=max_calls,
                )
            )
        except asyncio.CancelledError:  # asked a second time
            raise SystemExit(EXIT_BADLY) from None
        except InsecureUrl as error:
            fail(str(error), EXIT_USAGE)
        except LinkError as error:
            fail(why_not_connected(options, error), EXIT_CONNECTION)
        if code:
            raise SystemExit(code)


async def _session(
    options: Options,
    sound: Sound,
    media: Media,
    work: Callable[[_Softphone], Coroutine[None, None, int]],
    interrupted: int,
    *,
    ring_time: float,
    max_calls: int,
) -> int:
    from . import xmpp
    from .phone import Phone

    stop = asyncio.Event()
    _on_signals(stop)
    connection = xmpp.connect(options.url, options.token, domain=options.domain)
    transport = await _unless(stop, connection.__aenter__())
    if transport is None:
        return interrupted
    try:
        async with (
            options.client(transport) as client,
            Phone(
                client,
                media,
                ring_time=ring_time,
                max_calls=max_calls,
                caller_name=transport.jid.partition("@")[0][:255],
            ) as phone,
        ):
            softphone = _Softphone(options, sound, phone, transport.jid, stop)
            try:
                return await work(softphone)
            finally:
                await softphone.aclose()
    finally:
        await transport.aclose()


def _on_signals(stop: asyncio.Event) -> None:
    """Ctrl-C, SIGTERM and a terminal that is closed ask for an orderly end; a second one ends at once."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    assert task is not None

    def asked() -> None:
        if stop.is_set():
            warnings.simplefilter("ignore", ResourceWarning)  # what is open ends with the process
            task.cancel()
        stop.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)
    for number in numbers:
        try:
            loop.add_signal_handler(number, asked)
        except NotImplementedError:  # Windows: Ctrl-C cancels the main task instead
            break


async def _unless(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """What `work` comes to; `None` after cancelling it when `stop` comes first."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        doing.cancel()
        await asyncio.wait({doing})
        return None
    finally:
        doing.cancel()
        stopping.cancel()
