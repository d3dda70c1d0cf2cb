"""Development tokens: JSON Web Tokens (RFC 7519) signed with a secret that lies in a file of the user's."""

from __future__ import annotations

import logging
import os
import re
import secrets
import stat
import tempfile
import time
from pathlib import Path
from typing import Final

from .extras import require_extra

require_extra("xmpp", __name__, "jwt")

import jwt

ALGORITHM: Final = "HS256"
"""The only algorithm that is made or accepted; what a token's own header asks for is not listened to."""

DEFAULT_TTL: Final = 86_400.0
"""Lifetime of a token in seconds, unless the caller says otherwise: one day."""

MIN_SECRET_BYTES: Final = 32
"""An HS256 key is at least as long as the digest (RFC 7518, section 3.2)."""

# The characters that RFC 7622, section 3.3.1 forbids in a localpart, and blanks and controls.
_LOCALPART: Final = re.compile(r"[^\"&'/:<>@\s\x00-\x1f\x7f]{1,256}")
_DOMAIN: Final = re.compile(r"[^\"&'/<>@\s\x00-\x1f\x7f]{1,256}")

log = logging.getLogger("aoba_runtime")


class BadToken(ValueError):
    """A token that opens nothing. The text says why and never holds the token."""


class BadSecret(ValueError):
    """A secret file that cannot be used. The text names the file and the fix, never the secret."""


def is_user(text: str) -> bool:
    """Whether `text` names a user: a localpart (`alice`) or a bare JID (`alice@localhost`)."""
    local, at, domain = text.partition("@")
    return bool(_LOCALPART.fullmatch(local)) and (not at or bool(_DOMAIN.fullmatch(domain)))


def make_token(user: str, secret: str | bytes, *, ttl: float = DEFAULT_TTL) -> str:
    """A token that lets `user` in for `ttl` seconds: `sub`, `iat` and `exp`, signed with HS256.

    Raises `ValueError` when `user` is neither a localpart nor a bare JID, `ttl` is not above 0 s, or `secret` is
    shorter than 32 bytes.
    """
    if not is_user(user):
        raise ValueError(f"{user!r} is no user name; write it as alice or alice@localhost")
    if not 0 < ttl < 1e10:
        raise ValueError(
            f"a token cannot last {ttl:g} s; its lifetime is above 0 s, and below 317 years"
        )
    now = int(time.time())
    claims = {"sub": user, "iat": now, "exp": now + max(1, round(ttl))}
    return jwt.encode(claims, usable_secret(secret), algorithm=ALGORITHM)


def check_token(token: str, secret: str | bytes) -> str:
    """The user that a token is for; raises `BadToken` when it is malformed, forged, expired or says too little.

    `sub`, `iat` and `exp` (seconds since the epoch) are required; the algorithm is HS256 whatever the header says.
    """
    try:
        claims = jwt.decode(
            token,
            usable_secret(secret),
            algorithms=[ALGORITHM],
            options={"require": ["sub", "iat", "exp"]},
        )
    except jwt.ExpiredSignatureError:
        raise BadToken("the token has expired") from None
    except jwt.InvalidTokenError as error:
        raise BadToken(f"the token is refused ({type(error).__name__})") from None
    user = claims["sub"]
    if not isinstance(user, str) or not is_user(user):
        raise BadToken("the token's sub names no user")
    return user


def usable_secret(secret: str | bytes) -> bytes:
    """`secret` as bytes; `ValueError` when it is shorter than 32 bytes."""
    key = secret.encode() if isinstance(secret, str) else secret
    if len(key) < MIN_SECRET_BYTES:
        raise ValueError(f"the secret has {len(key)} bytes; HS256 needs {MIN_SECRET_BYTES} or more")
    return key


def default_secret_file() -> Path:
    """Where the secret lies unless told otherwise: `aoba/dev-secret` in the user's state folder.

    The state folder is `$XDG_STATE_HOME`, else `%LOCALAPPDATA%`, else `~/.local/state`.
    """
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        folder = Path(os.environ.get(name, ""))
        if folder.is_absolute():
            return folder / "aoba" / "dev-secret"
    return Path.home() / ".local" / "state" / "aoba" / "dev-secret"


def load_secret(path: Path | None = None) -> bytes:
    """The secret in `path` (by default `default_secret_file()`), blanks around it cut off; made if it is missing.

    A new file is readable by its owner only (0600), holds 64 hexadecimal digits, and is there whole or not at all, so
    two processes that start together agree. Raises `BadSecret` for a file that cannot be read, made or used.
    """
    path = default_secret_file() if path is None else path
    try:
        if not path.exists():
            _create(path)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise BadSecret(f"{path} is no regular file; name another one for the secret")
            secret = file.read(65_536).strip()
    except OSError as error:
        raise BadSecret(f"cannot use the secret file {path}: {error.strerror or error}") from None
    if os.name == "posix" and mode & 0o077:
        log.warning("others may read the secret file %s; make it yours: chmod 600 %s", path, path)
    try:
        return usable_secret(secret)
    except ValueError as error:
        raise BadSecret(
            f"{path}: {error}; delete the file and a good one is made in its place"
        ) from None


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".dev-secret-")  # 0600 by itself
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(fresh, path)  # unlike a rename, never replaces what another process just made
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            if not path.exists():
                os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
