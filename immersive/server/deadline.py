"""A deadline that is moved thousands of times a second and hardly ever met."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """Calls `late` with the reason once a time is over. Moving it costs no timer: the old one rings first."""

    def __init__(self, late: Callable[[str], None]) -> None:
        self._late = late
        self._loop = asyncio.get_running_loop()
        self._at, self._reason = math.inf, ""
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float, reason: str) -> None:
        """Be late at `at` of the loop's clock."""
        self._at, self._reason = at, reason
        if self._timer is not None and at < self._timer.when():
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(at, self._ring)

    def clear(self) -> None:
        """Be late no more, until it is set again."""
        self._at = math.inf

    def close(self) -> None:
        """Leave no timer behind."""
        self.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._at <= self._loop.time():
            self._late(self._reason)
        elif self._at < math.inf:
            self._timer = self._loop.call_at(self._at, self._ring)
