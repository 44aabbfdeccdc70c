"""The owner's token: made once per data folder, told once, kept as a hash that only the owner may read."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from starlette.requests import HTTPConnection

from ..home import make_private
from .failures import AccessError

_FILE = "owner-token.sha256"


def ensure_owner_token(home: Path) -> str | None:
    """Make the token of this data folder and return it; None if there is one already."""
    path = make_private(home) / _FILE
    if path.exists():
        return None
    return reset_owner_token(home)


def reset_owner_token(home: Path) -> str:
    """Replace the token of this data folder and return the new one."""
    token = secrets.token_urlsafe(24)
    path = make_private(home) / _FILE
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(hashlib.sha256(token.encode()).hexdigest())
    draft.replace(path)
    return token


def is_owner(home: Path, token: str) -> bool:
    """Return whether `token` is this data folder's."""
    try:
        wanted = (home / _FILE).read_text("ascii").strip()
    except OSError:
        return False
    found = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    return hmac.compare_digest(wanted, found)


def require_owner(home: Path, request: HTTPConnection) -> None:
    """Return if a request carries this data folder's token.

    Raises:
        AccessError: It does not.
    """
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not is_owner(home, token.strip()):
        raise AccessError("this needs the owner's token", hint="Send `Authorization: Bearer <token>`.")
