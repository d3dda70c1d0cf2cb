"""The voice of one call: what the engine asks of its media, done one after the other, and what the media tells back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Final

from .call_effects import ApplyAnswer, ApplyCandidate, ApplyOffer, StartOffer
from .media import BadMedia, MediaSession

Work = StartOffer | ApplyOffer | ApplyAnswer | ApplyCandidate

log: Final = logging.getLogger("aoba_runtime.phone")


class VoiceWork:
    """Feeds one media session, in order; `offered`, `answered` and `failed` are told what comes of it."""

    def __init__(
        self,
        session: MediaSession,
        *,
        offered: Callable[[str], None],
        answered: Callable[[str], None],
        failed: Callable[[str], None],
    ) -> None:
        self.session: Final = session
        self._offered = offered
        self._answered = answered
        self._failed = failed
        self._queue: asyncio.Queue[Work] = asyncio.Queue()

    def put(self, work: Work) -> None:
        """To be done when all before it is."""
        self._queue.put_nowait(work)

    async def run(self) -> None:
        """Gather while it rings, then do what comes, until cancelled or failed."""
        if not await self._try(self.session.prepare()):
            return
        while await self._try(self._one(await self._queue.get())):
            pass

    async def aclose(self) -> None:
        """Let go of the session."""
        try:
            await self.session.aclose()
        except Exception:
            log.exception("the voice of a call could not be closed")

    async def _one(self, work: Work) -> None:
        match work:
            case StartOffer():
                self._offered(await self.session.offer())
            case ApplyOffer(sdp=sdp):
                self._answered(await self.session.answer(sdp))
            case ApplyAnswer(sdp=sdp):
                await self.session.accept_answer(sdp)
            case ApplyCandidate(candidate=candidate):
                await self.session.add_candidate(candidate)

    async def _try(self, step: Coroutine[None, None, None]) -> bool:
        """Whether the step went well; an engine that fails ends its call, and no other."""
        try:
            await step
        except BadMedia as error:
            self._failed(str(error))
        except Exception as error:
            log.exception("the voice engine failed")
            self._failed(f"the voice engine failed: {type(error).__name__}")
        else:
            return True
        return False
