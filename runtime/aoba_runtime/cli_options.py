"""The options that `aoba-call dial` and `listen` share, and what they amount to."""

from __future__ import annotations

import functools
import importlib
import math
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

from .cli_common import click
from .client import Client
from .links import AuthRefused, HostUnknown, LinkError, is_loopback
from .transport import Transport

DEFAULT_URL: Final = "ws://localhost:8082/xmpp"
DEFAULT_API: Final = "aoba_voice_call_signaling"
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


class MakeClient(Protocol):
    """The client class of a generated package."""

    def __call__(self, transport: Transport) -> Client: ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for, checked as far as it can be without a connection.

    `sound` is one of tone, play, echo, silence, devices. Times are in seconds.
    """

    url: str
    domain: str | None
    client: MakeClient
    token: Callable[[], str] = field(repr=False)
    json: bool
    sound: str
    tone: int
    play: Path | None
    record: Path | None
    mute_after: float | None
    ice_servers: tuple[str, ...]
    turn_user: str | None
    turn_password: str | None = field(repr=False)
    relay_only: bool
    local_addresses: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, so that peers may be too."""
        return is_loopback(self.url)


_FILE: Final = click.Path(path_type=Path, dir_okay=False)


class Seconds(click.FloatRange):
    """A number of seconds within a range; `nan`, which no range keeps out, is none."""

    name = "seconds"

    def convert(
        self, value: float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; fails in words."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return number


TALK: Final = Seconds(0, 10_000_000)
"""How far into a call something may be asked for."""

_OPTIONS: Final = (
    click.option(
        "--url", default=DEFAULT_URL, show_default=True, metavar="URL", help="The server."
    ),
    click.option("--domain", metavar="D", help="The XMPP domain; the URL's host by default."),
    click.option(
        "--api",
        default=DEFAULT_API,
        show_default=True,
        metavar="PACKAGE",
        help="The generated package that says what goes over the wire.",
    ),
    click.option(
        "--token-file", type=_FILE, metavar="F", help="Where the token is, unless in AOBA_TOKEN."
    ),
    click.option(
        "--tone",
        type=click.IntRange(1, 23_999),
        metavar="HZ",
        help="Say a tone instead of what the microphone hears.",
    ),
    click.option("--play", type=_FILE, metavar="FILE", help="Say what a sound file holds."),
    click.option("--echo", is_flag=True, help="Say what the peer says."),
    click.option("--silence", is_flag=True, help="Say nothing."),
    click.option(
        "--record",
        type=_FILE,
        metavar="FILE",
        help="Write a stereo WAV file, our side left and the peer's right; FILE-2 for a second call, and so on.",
    ),
    click.option("--mute-after", type=TALK, metavar="S", help="Mute after S seconds of talk."),
    click.option(
        "--ice-server",
        "ice_servers",
        multiple=True,
        metavar="URL",
        help="stun:HOST[:PORT], turn:HOST[:PORT][?transport=tcp] or turns:HOST[:PORT]; repeatable.",
    ),
    click.option("--turn-user", metavar="U", help="The user name at the TURN servers."),
    click.option("--turn-password-file", type=_FILE, metavar="F", help="Where its password is."),
    click.option("--relay-only", is_flag=True, help="Go through a TURN server, show no address."),
    click.option(
        "--local-address",
        "local_addresses",
        multiple=True,
        metavar="IP",
        help="An address of ours to be reached at; repeatable. All but loopback by default, "
        "and that too if the server is on this machine.",
    ),
    click.option("--json", is_flag=True, help="Print each event as a JSON object on a line."),
)


def phone_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the shared options, and hand them to it as one `Options`."""

    @functools.wraps(command)
    def with_options(
        *args: object,
        url: str,
        domain: str | None,
        api: str,
        token_file: Path | None,
        tone: int | None,
        play: Path | None,
        echo: bool,
        silence: bool,
        record: Path | None,
        mute_after: float | None,
        ice_servers: tuple[str, ...],
        turn_user: str | None,
        turn_password_file: Path | None,
        relay_only: bool,
        local_addresses: tuple[str, ...],
        json: bool,
        **others: object,
    ) -> object:
        chosen = {
            "tone": tone is not None,
            "play": play is not None,
            "echo": echo,
            "silence": silence,
        }
        options = Options(
            url=_checked_url(url),
            domain=domain,
            client=client_of(api),
            token=_token(token_file),
            json=json,
            sound=only("", chosen) or "devices",
            tone=tone or 0,
            play=play,
            record=record,
            mute_after=mute_after,
            ice_servers=ice_servers,
            turn_user=turn_user,
            turn_password=None if turn_password_file is None else _secret(turn_password_file),
            relay_only=relay_only,
            local_addresses=local_addresses,
        )
        return command(*args, options=options, **others)

    wrapped: Callable[..., Any] = with_options
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def only(default: str, chosen: dict[str, bool]) -> str:
    """The one option of several that was given; a usage error for two."""
    given = [name for name, is_given in chosen.items() if is_given]
    if len(given) > 1:
        listed = " and ".join(f"--{name}" for name in given)
        raise click.UsageError(f"{listed} exclude each other")
    return given[0] if given else default


def client_of(api: str) -> MakeClient:
    """The client class of a generated package; a usage error where there is none."""
    if not _NAME.fullmatch(api):
        raise click.UsageError(f"--api {api!r} is no name of a Python package")
    try:
        try:
            package = importlib.import_module(api)
        except ModuleNotFoundError as missing:
            if missing.name != api or (folder := _generated(api)) is None:
                raise
            sys.path.append(str(folder))
            package = importlib.import_module(api)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{api}.".startswith(f"{error.name}."):
            raise click.UsageError(
                f"there is no package {api}: generate it with aoba-gen, and install it or put its folder on PYTHONPATH"
            ) from None
        why = "it is a program of its own" if isinstance(error, SystemExit) else error
        raise click.UsageError(f"the package {api} cannot be used: {why}") from None
    found = [each for each in vars(package).values() if isinstance(each, type)]
    clients = [each for each in found if issubclass(each, Client) and each is not Client]
    if len(clients) != 1:
        raise click.UsageError(f"{api} is no package that aoba-gen made: it has no client")
    if clients[0]._call_plug is Client._call_plug:
        raise click.UsageError(
            f"{api} has no voice calls: aoba-gen bound none in its document, and says why when it generates"
        )
    return cast(MakeClient, clients[0])


def _generated(api: str) -> Path | None:
    """The folder `generated` here, or of the checkout that this runs from, if the package is there."""
    for folder in (Path.cwd() / "generated", Path(__file__).parents[2] / "generated"):
        if (folder / api.partition(".")[0] / ".aoba-gen.json").is_file():
            return folder
    return None


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
        is_good = is_good and "#" not in url
    except ValueError:
        parts, is_good = urlsplit(""), False
    if not is_good:
        raise click.UsageError("--url is a WebSocket URL such as " + DEFAULT_URL)
    if "@" in parts.netloc:
        raise click.UsageError(
            "--url holds no user name and no password: the token, from AOBA_TOKEN or --token-file, says who you are"
        )
    if parts.scheme == "ws" and not is_loopback(url):
        raise click.UsageError(
            f"what goes to {parts.hostname} over ws:// can be read on the way, the token too: use wss://"
        )
    return url


def _token(file: Path | None) -> Callable[[], str]:
    """Where tokens come from: a file, read before each attempt to connect unless it is a pipe, else the environment."""
    if file is not None:
        first = _secret(file)
        return (lambda: _secret(file)) if file.is_file() else (lambda: first)
    token = os.environ.get("AOBA_TOKEN", "").strip()
    if not token:
        raise click.UsageError(
            "there is no token: set AOBA_TOKEN, or name a file with --token-file; "
            "for the development server: export AOBA_TOKEN=$(aoba-call token alice)"
        )
    return lambda: token


def _secret(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise click.UsageError(f"{file} cannot be read: {why}") from None
    if not text:
        raise click.UsageError(f"{file} is empty")
    return text


def why_not_connected(options: Options, error: LinkError) -> str:
    """What a person can do about it."""
    if isinstance(error, AuthRefused):
        return f"not let in: {error}"
    if isinstance(error, HostUnknown):
        return f"no connection: {error}; --domain says which one to ask for"
    hint = "; is the server running? `aoba-call serve` runs one" if options.is_local else ""
    return f"no connection: {error}{hint}"
