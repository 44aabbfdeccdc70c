"""How many bytes may be on their way at once: two round trips' worth of what the line carries, and a little.

The same rule as the page's (`viewer/src/protocol/creditWindow.ts`, with the measurements behind it).
"""

from __future__ import annotations

import math
from collections import deque

SMALLEST_BYTES = 64 * 1024
LARGEST_BYTES = 1024 * 1024
FIRST_WINDOW_BYTES = 256 * 1024
# Credit comes back by whole chunks, and from ends that are busy now and then.
_PIECES_BYTES = 16 * 1024
_BUSY_S = 0.01
_SPAN_S = 0.4  # rates are judged over at least this long, so that one burst out of a buffer does not count
# The best of so many spans counts: a window sized for a busy moment would keep the line at that.
_SPANS = 8
# Less than this part of the window is held back for HOLD_S: the server does something for every message.
_PARTS = 8
HOLD_S = 0.05


class CreditWindow:
    """The window of one connection. Times in seconds, of any clock."""

    def __init__(self, granted: int = FIRST_WINDOW_BYTES) -> None:
        self.bytes = granted
        self._round_trip_s = math.inf
        self._span_start = 0.0
        self._span_bytes = 0
        self._bytes_s: deque[float] = deque(maxlen=_SPANS)
        self._owed = 0

    def measure_round_trip(self, seconds: float) -> None:
        """Note how long an answer took; the shortest counts, the others have waited in queues."""
        self._round_trip_s = min(self._round_trip_s, max(0.001, seconds))

    def arrive(self, count: int, now: float) -> None:
        """Note bytes that arrived."""
        if self._span_bytes == 0:
            self._span_start = now
        self._span_bytes += count
        if now - self._span_start >= _SPAN_S:
            self._bytes_s.append(self._span_bytes / (now - self._span_start))
            self._span_bytes = 0

    def release(self, count: int) -> int:
        """Take `count` bytes as used up, and return the credit to give now; 0: none before HOLD_S is over.

        More is given than was used while the window grows, less while it shrinks.
        """
        self._owed += count
        return self.flush() if self._owed * _PARTS >= self.bytes else 0

    def flush(self) -> int:
        """Return the credit that was held back."""
        owed, self._owed = self._owed, 0
        change = max(-owed, self._target() - self.bytes) if owed else 0
        self.bytes += change
        return owed + change

    def _target(self) -> int:
        if not self._bytes_s or math.isinf(self._round_trip_s):
            return self.bytes
        needed = max(self._bytes_s) * (2 * self._round_trip_s + _BUSY_S) + _PIECES_BYTES
        return round(min(LARGEST_BYTES, max(SMALLEST_BYTES, needed)))
