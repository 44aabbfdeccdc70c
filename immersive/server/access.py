"""Short-lived proofs that a link was opened: tickets for sockets, bearers for downloads. In memory only.

They are looked up by their hash, so that the time of a look-up tells nothing about other tickets.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .limits import BEARER_LIFETIME_S, MAX_GRANTS, TICKET_LIFETIME_S


@dataclass(frozen=True, slots=True)
class Grant:
    """What opening a link gives."""

    ticket: str
    bearer: str


class Grants:
    """Tickets and bearers not yet used or expired. `now` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._tickets = _Expiring(now, TICKET_LIFETIME_S)
        self._bearers = _Expiring(now, BEARER_LIFETIME_S)

    def issue(self, link_id: str) -> Grant:
        """Return a ticket and a bearer for a link that was just opened."""
        return Grant(ticket=self._tickets.add(link_id), bearer=self._bearers.add(link_id))

    def redeem(self, ticket: str) -> str | None:
        """Return the link of a ticket, which is used up by this, or None."""
        return self._tickets.take(ticket)

    def link_of_bearer(self, bearer: str) -> str | None:
        """Return the link of a bearer, or None."""
        return self._bearers.find(bearer)


class _Expiring:
    def __init__(self, now: Callable[[], float], lifetime_s: float) -> None:
        self._now, self._lifetime_s = now, lifetime_s
        self._entries: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def add(self, link_id: str) -> str:
        token = secrets.token_urlsafe(24)
        self._entries[_key(token)] = (self._now() + self._lifetime_s, link_id)
        while len(self._entries) > MAX_GRANTS or self._is_first_expired():
            self._entries.popitem(last=False)
        return token

    def find(self, token: str) -> str | None:
        expires, link_id = self._entries.get(_key(token), (0.0, ""))
        return link_id if expires > self._now() else None

    def take(self, token: str) -> str | None:
        found = self.find(token)
        self._entries.pop(_key(token), None)
        return found

    def _is_first_expired(self) -> bool:
        # All live equally long, so the first added is the first to expire.
        expires, _ = next(iter(self._entries.values()))
        return expires <= self._now()


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
