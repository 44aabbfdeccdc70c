"""What a link allows, to whom and for how long; and passwords, of which only an argon2id hash is kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from reconstruction.errors import InvalidInputError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

Scope = Literal["view", "remix", "edit"]  # each allows what those before it do
Visibility = Literal["private", "unlisted", "public"]  # from the least to the most that is told
SCOPES: tuple[Scope, ...] = get_args(Scope)
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)

MAX_PASSWORD_CHARACTERS = 200
_LEAST_PASSWORD_CHARACTERS = 4
_MAX_OPENS = 1_000_000
_MAX_EMBED_ORIGINS = 16
# Goes into a header: nothing but a scheme, a host and a port may stand here.
_ORIGIN = re.compile(r"(https?)://([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(:[0-9]{1,5})?")


def check_terms(
    *,
    scope: str,
    visibility: str,
    expires_in_s: float | None,
    max_opens: int | None,
    password: str | None,
) -> None:
    """Raise InvalidInputError unless a link can be made with these terms."""
    if scope not in SCOPES:
        raise InvalidInputError(f"scope must be one of {', '.join(SCOPES)}, got {scope[:40]!r}")
    if visibility not in VISIBILITIES:
        raise InvalidInputError(
            f"visibility must be one of {', '.join(VISIBILITIES)}, got {visibility[:40]!r}"
        )
    if visibility == "public" and scope != "view":
        raise InvalidInputError(
            f"a public link must have scope 'view', got {scope!r}",
            hint="It opens without a secret, so anyone could change the scene; use unlisted.",
        )
    if expires_in_s is not None and not 0 < expires_in_s < 1e10:
        raise InvalidInputError(f"expires must be a time from now on, got {expires_in_s} s")
    if max_opens is not None and not 0 < max_opens <= _MAX_OPENS:
        raise InvalidInputError(f"max opens must be 1 to {_MAX_OPENS}, got {max_opens}")
    if password is not None and not _LEAST_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise InvalidInputError(
            f"a password must have {_LEAST_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters, "
            f"got {len(password)}"
        )


def checked_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Return the origins of pages that may embed a scene, in lower case, each once, in order.

    Raises:
        InvalidInputError: One is not `http(s)://host[:port]`, or there are more than 16.
    """
    found = tuple(dict.fromkeys(origin.lower() for origin in origins))
    if len(found) > _MAX_EMBED_ORIGINS:
        raise InvalidInputError(f"a link must name at most {_MAX_EMBED_ORIGINS} origins, got {len(found)}")
    for origin in found:
        if not _ORIGIN.fullmatch(origin):
            raise InvalidInputError(
                f"an embed origin must look like https://example.org, got {origin[:80]!r}",
                hint="Scheme, host and port of the page with the frame; no path and no wildcard.",
            )
    return found


def narrower(a: Visibility, b: Visibility) -> Visibility:
    """Return the one of the two that tells less."""
    return min(a, b, key=VISIBILITIES.index)


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, with its salt and costs. Takes about 0.1 s and 64 MiB."""
    return _hasher().hash(_bytes(password))


def is_password(password: str, password_argon2: str) -> bool:
    """Return whether a password is the one that was hashed; compared in constant time. As dear as hashing."""
    from argon2.exceptions import VerificationError

    try:
        return _hasher().verify(password_argon2, _bytes(password))
    except VerificationError:
        return False


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()  # RFC 9106, second recommendation: 3 passes over 64 MiB, 4 lanes


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
