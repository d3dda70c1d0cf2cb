"""The servers that calls are tried on: the development server in this process, and one Prosody for all tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from certificates import certify

from aoba_runtime import devserver

from .calls import Place
from .servers import RunningServer, free_ports, prosody


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate and key of 127.0.0.1, which nobody trusts unasked."""
    return certify(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture(scope="session")
def page_port() -> int:
    """Where the browser's page is served: Prosody asks for its origin beforehand."""
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def shared_prosody(
    tmp_path_factory: pytest.TempPathFactory, page_port: int
) -> Iterator[RunningServer]:
    """Prosody; users of one test are strangers to those of all others.

    Its URL names the host as the page's does, since the page's token travels in a cookie.
    """
    origin = f"http://localhost:{page_port}"
    with prosody(tmp_path_factory.mktemp("calls"), origins=[origin]) as running:
        running.url = running.url.replace("127.0.0.1", "localhost")
        yield running


@pytest_asyncio.fixture(params=["devserver", "prosody"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Each server in turn."""
    if request.param == "prosody":
        yield request.getfixturevalue("shared_prosody")
        return
    async with devserver.serve(port=0) as running:
        yield running
