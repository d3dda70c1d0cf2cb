"""What a phone needs of its client: that its document has calls, and that no other phone takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from weakref import WeakSet

from .client import Client
from .plug import CallPlug

_taken: Final[WeakSet[Client]] = WeakSet()


class NoCalls(TypeError):
    """The client's document has no voice calls: its package came without `calls.py`."""


def plug_of(client: Client) -> CallPlug:
    """Where a phone plugs in; raises `NoCalls`."""
    plug = client._call_plug()
    if plug is None:
        raise NoCalls(
            f"{type(client).__name__} comes from a document without voice calls, or with calls that aoba-gen could not "
            "bind: docs/calls.md says what the document needs"
        )
    return plug


def take(client: Client) -> Callable[[], None]:
    """Let no other phone have the client until what is returned is called; `RuntimeError` when one has it.

    Each of two would refuse the signals of the other's calls.
    """
    if client in _taken:
        raise RuntimeError("this client has a phone already: a phone holds many calls (max_calls)")
    _taken.add(client)
    return lambda: _taken.discard(client)
