"""tokens: what is made is taken back, what is forged is refused, and a secret is made once."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from aoba_runtime import tokens
from devserver_peer import BAD_TOKENS, SECRET, forged


def test_token_round_trip() -> None:
    token = tokens.make_token("alice", SECRET, ttl=60)
    assert tokens.check_token(token, SECRET.encode()) == "alice"
    assert tokens.check_token(forged(), SECRET) == "alice"  # what the bad ones differ from
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {"sub", "iat", "exp"} and claims["exp"] - claims["iat"] == 60
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    for user in ("", "a b", "alice/phone", "@x", "a@", "<a>"):
        with pytest.raises(ValueError, match="user name"):
            tokens.make_token(user, SECRET)
    for ttl in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="lifetime"):
            tokens.make_token("alice", SECRET, ttl=ttl)


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_check_token(token: str) -> None:
    with pytest.raises(tokens.BadToken) as info:
        tokens.check_token(token, SECRET)
    assert not token or token not in str(info.value)


def test_secret_file_is_made_once(tmp_path: Path) -> None:
    """Whoever comes second, even when it saw no file yet, uses what the first has made."""
    path = tmp_path / "sub" / "dev-secret"
    first = tokens.load_secret(path)
    tokens._create(path)
    assert tokens.load_secret(path) == first
    assert list(path.parent.iterdir()) == [path]
