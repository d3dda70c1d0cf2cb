"""The log of refused messages: how much of it a peer can make us write."""

from __future__ import annotations

import logging

import pytest
from aoba_runtime import Incoming
from aoba_runtime.errors import UnknownCall
from aoba_runtime.refusals import AT_ONCE, Refusals


def test_a_flood_is_summed_up(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    refusals = Refusals(logging.getLogger("aoba_runtime"), clock=lambda: now)
    for number in range(1000):
        refusals.add(Incoming(b"", "mallory@localhost/x", None, str(number)), UnknownCall("late"))
    assert len(caplog.records) == AT_ONCE
    assert caplog.messages[0] == "refused message 0 from mallory@localhost/x: item-not-found: late"
    now = 1.0
    for number in range(1000):
        refusals.add(Incoming(b"", None, None, str(number)), UnknownCall("late"))
    assert caplog.messages[AT_ONCE:] == [
        "refused message 0 from None: item-not-found: late (and 980 more before it)"
    ]
