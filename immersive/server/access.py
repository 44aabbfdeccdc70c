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
class Pass:
    """What a ticket or bearer stands for: a scene, seen by a link that leads there."""

    link_id: str
    scene_id: str


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

    def issue(self, link_id: str, scene_id: str) -> Grant:
        """Return a ticket and a bearer for a scene to which a link was just opened."""
        admitted = Pass(link_id, scene_id)
        return Grant(ticket=self._tickets.add(admitted), bearer=self._bearers.add(admitted))

    def redeem(self, ticket: str) -> Pass | None:
        """Return what a ticket stands for; it is used up by this. None: unknown, used or expired."""
        return self._tickets.take(ticket)

    def pass_of_bearer(self, bearer: str) -> Pass | None:
        """Return what a bearer stands for, or None."""
        return self._bearers.find(bearer)


class _Expiring:
    def __init__(self, now: Callable[[], float], lifetime_s: float) -> None:
        self._now, self._lifetime_s = now, lifetime_s
        self._entries: OrderedDict[bytes, tuple[float, Pass]] = OrderedDict()

    def add(self, admitted: Pass) -> str:
        token = secrets.token_urlsafe(24)
        self._entries[_key(token)] = (self._now() + self._lifetime_s, admitted)
        while len(self._entries) > MAX_GRANTS or self._is_first_expired():
            self._entries.popitem(last=False)
        return token

    def find(self, token: str) -> Pass | None:
        expires, admitted = self._entries.get(_key(token), (0.0, None))
        return admitted if expires > self._now() else None

    def take(self, token: str) -> Pass | None:
        found = self.find(token)
        self._entries.pop(_key(token), None)
        return found

    def _is_first_expired(self) -> bool:
        # All live equally long, so the first added is the first to expire.
        expires, _ = next(iter(self._entries.values()))
        return expires <= self._now()


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
