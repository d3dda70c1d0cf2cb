"""Who a handshake speaks for: the cookie, its JWT and the Origin; and the login token for ejabberd."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import jwt

COOKIE = "auth_token"
LEEWAY = 5
"""Seconds of clock difference forgiven for `iat` and `nbf`; `exp` gets none."""

LOGIN_SECONDS = 60
MAX_TOKEN = 4096
LOCALPART = re.compile(r"""[^\s"&'/:<>@\x00-\x20\x7f]{1,255}""")


class Refused(Exception):
    """The handshake is refused; the text never holds a part of the token."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Gatekeeper:
    """The rules of admission, the same as those of Prosody's mod_auth_jwt_cookie."""

    key: bytes
    domain: str
    origins: frozenset[str]
    issuer: str | None = None
    audience: str | None = None

    def admit(self, cookies: list[str], origins: list[str]) -> str:
        """The bare JID a handshake speaks for. Raises Refused: 403 for the Origin, 401 for the token."""
        if any(origin not in self.origins for origin in origins):
            raise Refused(HTTPStatus.FORBIDDEN, "origin not on the list")
        claims = self._claims(_token(cookies))
        return self._jid(claims["sub"])

    def login_token(self, jid: str) -> str:
        """A token for ejabberd, which wants the bare JID in `sub`; the client's own goes no further than here."""
        now = int(time.time())
        claims = {"sub": jid, "iat": now, "exp": now + LOGIN_SECONDS}
        return jwt.encode(claims, self.key, algorithm="HS256")

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.key,
                algorithms=["HS256"],
                options={"require": ["sub", "iat", "exp"]},
                issuer=self.issuer,
                audience=self.audience,
                leeway=LEEWAY,
            )
        except jwt.PyJWTError as error:
            raise Refused(HTTPStatus.UNAUTHORIZED, type(error).__name__) from None
        times = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
        if any(isinstance(at, bool) or not isinstance(at, (int, float)) for at in times):
            raise Refused(HTTPStatus.UNAUTHORIZED, "a time is no number")
        if claims["exp"] <= time.time():
            raise Refused(HTTPStatus.UNAUTHORIZED, "expired")
        return claims

    def _jid(self, sub: object) -> str:
        local, at, domain = str(sub).lower().partition("@")
        if not LOCALPART.fullmatch(local) or (at and domain != self.domain):
            raise Refused(HTTPStatus.UNAUTHORIZED, "wrong sub")
        return f"{local}@{self.domain}"


def _token(cookies: list[str]) -> str:
    """The one `auth_token`. Two of them are an attack or a mistake: neither is used."""
    found: list[str] = []
    for pair in ";".join(cookies).split(";"):
        name, _, value = pair.strip().partition("=")
        if name.strip() == COOKIE:
            found.append(value.strip())
    if not found or not found[0]:
        raise Refused(HTTPStatus.UNAUTHORIZED, "no cookie")
    if len(found) > 1:
        raise Refused(HTTPStatus.UNAUTHORIZED, "two cookies")
    if len(found[0]) > MAX_TOKEN:
        raise Refused(HTTPStatus.UNAUTHORIZED, "token too long")
    return found[0]
