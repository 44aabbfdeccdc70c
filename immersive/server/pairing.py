"""Six characters that open a link on a headset, where nobody types forty-four. In memory only.

A code stands for a link and its secret, for ten minutes and one use. There are 31^6 of them, and at 60 tries
a minute over all addresses a day of guessing at ten codes succeeds with odds of 1 in 1000.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable

from .limits import MAX_PAIRING_CODES, PAIRING_LIFETIME_S

# Without 0 O, 1 I L: read off one screen and typed on another.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 6


class PairingCodes:
    """Codes not yet used or expired. `now` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._entries: OrderedDict[str, tuple[float, str, str]] = OrderedDict()

    def make(self, link_id: str, secret: str) -> tuple[str, float]:
        """Return a new code for a link and its lifetime in seconds; an earlier one of the link ends."""
        for code in [c for c, (_, known, _) in self._entries.items() if known == link_id]:
            del self._entries[code]
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        self._entries.pop(code, None)
        self._entries[code] = (self._now() + PAIRING_LIFETIME_S, link_id, secret)
        while len(self._entries) > MAX_PAIRING_CODES:
            self._entries.popitem(last=False)
        return code, PAIRING_LIFETIME_S

    def take(self, code: str) -> tuple[str, str] | None:
        """Return link id and secret behind what was typed, which is used up by this; None: no such code."""
        typed = "".join(code.upper().split()).replace("-", "")
        expires, link_id, secret = self._entries.pop(typed, (0.0, "", ""))
        return (link_id, secret) if expires > self._now() else None
