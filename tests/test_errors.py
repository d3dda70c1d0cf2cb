"""Fault: conditions and kinds that we know, those that we do not, and how they read."""

from __future__ import annotations

import copy
import pickle

import pytest
from aoba_runtime import AckTimeout, BadMessage, Fault, Problem, UnknownCall
from aoba_runtime.errors import remote_fault, travelling


def test_a_known_condition_comes_back_as_its_class() -> None:
    fault = remote_fault("item-not-found", "ended", "modify")
    assert isinstance(fault, UnknownCall)
    assert (fault.condition, fault.kind, fault.remote) == ("item-not-found", "modify", True)
    assert remote_fault("item-not-found").kind == "cancel"
    assert str(fault) == "the peer answered item-not-found: ended"


def test_an_unknown_condition_is_kept() -> None:
    fault = remote_fault("not-allowed", "go away")
    assert type(fault) is Fault
    assert (fault.condition, fault.kind, fault.text) == ("not-allowed", None, "go away")
    assert str(fault) == "the peer answered not-allowed: go away"
    assert str(remote_fault("gone")) == "the peer answered gone"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("no"), "no"),
        (Fault(), "Fault"),
        (Fault("no", condition="not-allowed"), "not-allowed: no"),
        (AckTimeout("no answer within 1 s"), "no answer within 1 s"),
        (BadMessage("text", problems=[Problem("", "p")]), "bad-request: text"),
    ],
)
def test_a_fault_reads_well_and_survives_a_copy(fault: Fault, text: str) -> None:
    for twin in (fault, copy.copy(fault), pickle.loads(pickle.dumps(fault))):
        assert type(twin) is type(fault)
        assert str(twin) == text
        assert vars(twin) == vars(fault)


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (Fault("no"), ("internal-server-error", "cancel")),
        (AckTimeout("slow"), ("internal-server-error", "cancel")),
        (Fault("no", condition="not-allowed"), ("not-allowed", "cancel")),
        (Fault("no", condition="not-allowed", kind="auth"), ("not-allowed", "auth")),
        (BadMessage("x"), ("bad-request", "modify")),
        (BadMessage("x", condition="not-acceptable", kind="cancel"), ("not-acceptable", "cancel")),
    ],
)
def test_every_fault_can_travel(fault: Fault, answer: tuple[str, str]) -> None:
    assert travelling(fault) == answer
