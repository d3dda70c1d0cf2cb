"""What the test modules share: the checkout, the document, and the command line called in-process."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from aoba_gen.cli import main
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings

# Helpers assert for the modules that import them, and what failed is told as in those.
pytest.register_assert_rewrite(
    "actions",
    "bombs",
    "call_ends",
    "call_world",
    "corpus",
    "devserver_peer",
    "outputs",
    "phone_pair",
    "softphones",
    "texts",
    "websocket_server",
)

# A shell lets what it runs in the background ignore interrupts, and the programs that are tested would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile(  # the machine may be busy
    "aoba", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("aoba")
_BARE: Final = re.compile(r"^.+:\d+:\d+: .+ \[[a-z][a-z0-9-]+\]$(?!\n    hint: .)", re.MULTILINE)
Cli: TypeAlias = Callable[..., Result]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def spec(root: Path) -> Path:
    """The Aoba document."""
    return root / "spec" / "voice-call-signaling.yaml"


@pytest.fixture(scope="session")
def cli() -> Cli:
    """`aoba-gen` in this process; an exception that is no exit goes on to the test, and a problem without a hint is one."""

    def call(*arguments: str | Path) -> Result:
        words = [str(one) for one in arguments]
        result = CliRunner().invoke(main, words, catch_exceptions=False, prog_name="aoba-gen")
        if words[:1] != ["breaking"]:  # some of what has changed needs no mending
            assert not _BARE.findall(result.output)
        return result

    return call


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, cli: Cli, spec: Path) -> Path:
    """A folder that holds nothing but the Aoba package, just generated; not to be changed."""
    out = tmp_path_factory.mktemp("fresh")
    assert cli(spec, "-o", out).exit_code == 0
    return out
