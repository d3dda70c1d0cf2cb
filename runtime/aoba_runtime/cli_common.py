"""What the commands of `aoba-call` share: exit codes, errors in words, and the extras that they need."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NoReturn, TextIO

__all__ = [
    "EXIT_BADLY",
    "EXIT_CONNECTION",
    "EXIT_USAGE",
    "Sparse",
    "click",
    "fail",
    "missing_extra",
    "no_traceback",
    "say",
    "to_nowhere",
]

EXIT_BADLY: Final = 1
EXIT_USAGE: Final = 2
EXIT_CONNECTION: Final = 3

_EXTRAS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("click", "jwt", "slixmpp", "websockets"), "xmpp"),
    **dict.fromkeys(("aioice", "aiortc", "av", "dns", "numpy"), "media"),
}
"""Which extra of aoba-runtime brings a package."""


def missing_extra(missing: ImportError) -> str:
    """What to install for an import that failed; raises it again if it is none of the extras' packages."""
    name = (missing.name or "").partition(".")[0]
    if name not in _EXTRAS:
        raise missing
    return (
        "aoba-call needs more than aoba-runtime alone: pip install 'aoba-runtime[xmpp,media]'"
        f" (no module named {name}, which the extra {_EXTRAS[name]!r} brings)"
    )


try:
    import click
except ModuleNotFoundError as error:
    print(missing_extra(error), file=sys.stderr)
    sys.exit(EXIT_USAGE)


class Sparse(logging.Filter):
    """Lets `most` records through in each `seconds`, and says how many it kept back: peers can make us write as they like.

    What they say cannot steer a terminal.
    """

    def __init__(self, most: int = 20, seconds: float = 60.0) -> None:
        super().__init__()
        self._most = most
        self._seconds = seconds
        self._since = -seconds
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        record.msg, record.args = printable(record.getMessage()), ()
        if record.created - self._since >= self._seconds:
            kept_back = self._count - self._most
            self._since, self._count = record.created, 0
            if kept_back > 0:
                record.msg = f"{record.msg} (and {kept_back} more were not shown before)"
        self._count += 1
        return self._count <= self._most


def printable(words: str) -> str:
    """`words` on one line of a terminal: what would steer it is escaped, as others may have said a part of it."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in words)


def say(words: str, before: str = "", end: str = "\n") -> None:
    """Write to standard error; where nobody can read that, such as on a full disk, all goes on without it."""
    if sys.stderr is not None:
        try:
            print(before + printable(words), end=end, file=sys.stderr, flush=True)
        except OSError:
            to_nowhere(sys.stderr)


def to_nowhere(stream: TextIO) -> None:
    """Let a stream that cannot be written any more take everything: what is in its buffer too, when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def fail(message: str, code: int) -> NoReturn:
    """End the program with a message."""
    say(f"aoba-call: {message}")
    sys.exit(code)


@contextmanager
def no_traceback(interrupted: int = 0) -> Iterator[None]:
    """Turn what is not a bug into a message: a missing package, an unusable secret file, a full disk, Ctrl-C."""
    try:
        yield
    except ImportError as missing:
        fail(missing_extra(missing), EXIT_USAGE)
    except ValueError as error:
        from .tokens import BadSecret

        if not isinstance(error, BadSecret):
            raise
        fail(str(error), EXIT_USAGE)
    except OSError as error:  # such as a full disk behind standard output
        if error.errno == errno.EPIPE:
            raise  # click ends quietly
        fail(str(error), EXIT_BADLY)
    except KeyboardInterrupt:
        sys.exit(interrupted)
