"""Keeps tokens, session descriptions and candidates out of what slixmpp logs."""

from __future__ import annotations

import logging
import re
from typing import Final

_SECRET: Final = re.compile(
    r"urn:xmpp:call:0|xmpp-sasl|<(?:auth|call|response)\b|Parse error|Cookie", re.IGNORECASE
)
_WITHHELD: Final = "a stanza of a call or a login (withheld)"


class _Withhold(logging.Filter):
    """Replaces records whose text shows a signal or a login."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by logging; always lets the record through, perhaps without its text."""
        try:
            words = record.getMessage()
        except Exception:
            words = "Parse error"
        if record.exc_info and record.exc_info[1] is not None:
            if _SECRET.search(str(record.exc_info[1])) or _SECRET.search(words):
                record.exc_info = record.exc_text = None
                words = "Parse error"
        if _SECRET.search(words):
            record.msg, record.args = _WITHHELD, ()
        return True


_FILTER: Final = _Withhold()


def withhold_stanzas() -> None:
    """Put the filter on every logger that slixmpp has by now. slixmpp logs whole stanzas at DEBUG, and bad ones at ERROR.

    A filter of a logger does not see what its children log, hence each; doing it again adds nothing.
    """
    for name in list(logging.root.manager.loggerDict):
        if name == "slixmpp" or name.startswith("slixmpp."):
            logging.getLogger(name).addFilter(_FILTER)
