"""What every transport over a network shares: why there is no connection, what it tells of it, and when it tries again."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, TypeAlias, TypeVar
from urllib.parse import SplitResult, urlsplit

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A token, or a function (plain or async) that gives a fresh one; it is called before each attempt to connect."""

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 5.0

_MOST_DOUBLINGS: Final = 10
_COOKIE_OCTETS: Final = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('",;\\')
_E = TypeVar("_E")


class LinkError(ConnectionError):
    """There is no connection. Catch this one for all of them."""


class ConnectFailed(LinkError):
    """The server cannot be reached, or does not speak what it should; trying again may help."""


class HostUnknown(ConnectFailed):
    """The server is there and does not serve the domain (RFC 6120, 4.9.3.6)."""


class AuthRefused(LinkError):
    """The server did not accept the token; trying again with the same one is useless, so nothing is retried.

    `condition` is the HTTP status ("401", "403"), the close code ("4001") or the SASL condition ("not-authorized",
    RFC 6120, 6.5).
    """

    def __init__(self, text: str, condition: str) -> None:
        super().__init__(text)
        self.condition = condition


class InsecureUrl(ValueError):
    """A connection that others could read: ws:// to another machine, or TLS that verifies nothing."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is up; what was sent over an earlier one is not sent again."""


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection broke, or could not be made again; attempt number `attempt` follows in `delay` seconds."""

    attempt: int
    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone for good: `error` says why, and every send fails from now on."""

    error: LinkError


class Backoff:
    """The growing, random delays between attempts to connect.

    They start anew after a connection that held for more than `steady` seconds; after a shorter one they go on, at most
    `brief` doublings up. A delay is at least the part `least` of what it may be.
    """

    def __init__(self, *, steady: float, brief: int = _MOST_DOUBLINGS, least: float = 0.0) -> None:
        self._steady = steady
        self._brief = brief
        self._least = least
        self._attempt = 0

    def held(self, seconds: float) -> None:
        """A connection was there, for so long."""
        self._attempt = 0 if seconds > self._steady else min(self._attempt, self._brief)

    def next(self, reason: str) -> Reconnecting:
        """The next attempt, and how long to wait for it."""
        ceiling = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self._attempt, _MOST_DOUBLINGS))
        self._attempt += 1
        delay = random.uniform(ceiling * self._least, ceiling)
        return Reconnecting(self._attempt, delay, reason)


def is_loopback(url: str) -> bool:
    """Whether a URL names this very machine: localhost (RFC 6761, 6.3), or a loopback address."""
    host = urlsplit(url).hostname or ""
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def domain_of(host: str) -> str:
    """A host as the domain of JIDs: an IPv6 address stands in brackets (RFC 7622, 3.2)."""
    return f"[{host}]" if ":" in host else host


def check_url(url: str, insecure: bool) -> SplitResult:
    """The parts of a WebSocket URL; `InsecureUrl` for ws:// to another machine unless `insecure`, `ValueError` for no such URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError("a WebSocket URL is ws://host or wss://host")
    if parts.scheme == "ws" and not insecure and not is_loopback(url):
        raise InsecureUrl(
            f"ws:// to {parts.hostname} can be read on the way: use wss://, or insecure=True"
        )
    return parts


def place(url: str) -> str:
    """A URL as it may be shown: without credentials, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def cookie(name: str, token: str) -> str:
    """The cookie that carries a token; `AuthRefused` when none can (RFC 6265, 4.1.1)."""
    if not token or not _COOKIE_OCTETS.issuperset(token):
        raise AuthRefused("the token is empty, or holds characters that no cookie may hold", "401")
    return f"{name}={token}"


async def fresh_token(source: Token, within: float) -> str:
    """A token from its source; `ConnectFailed` when that fails, unless it raises a `LinkError` itself."""
    if isinstance(source, str):
        return source
    try:
        async with asyncio.timeout(within):
            token = source()
            return await token if inspect.isawaitable(token) else token
    except LinkError:
        raise
    except Exception as error:
        raise ConnectFailed(f"the token could not be had: {type(error).__name__}") from error


def tell(listeners: Iterable[Callable[[_E], object]], event: _E) -> None:
    """Call each listener; one that fails keeps no other from being called."""
    for listener in list(listeners):
        try:
            listener(event)
        except Exception as error:
            report("a listener to events failed", error)


def report(message: str, error: Exception) -> None:
    """Give an error that nobody can catch to the event loop's handler."""
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
