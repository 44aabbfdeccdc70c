"""How often one viewer may have all chunks put in a new order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streaming.errors import ProtocolError
from streaming.messages import Pose

# A pose costs 0.1 ms in a small scene and 6 ms in one of 15 000 chunks; sixty a second from a few viewers
# would be all that the server does. Pages send ten.
_LEAST_S = 0.05
_SHARE = 0.05  # of a core, for one viewer's poses
_POSE = bytes((Pose.TYPE,))


class PosePace:
    """Hands messages on; a pose that comes too soon waits, and the latest of those that wait counts."""

    def __init__(
        self, receive: Callable[[bytes], None], after: Callable[[ProtocolError | None], None]
    ) -> None:
        """Hand on to `receive`; `after` is called when a pose that waited was, with what it raised."""
        self._receive, self._after = receive, after
        self._loop = asyncio.get_running_loop()
        self._free_at = 0.0
        self._held = b""
        self._timer: asyncio.TimerHandle | None = None

    def take(self, data: bytes) -> None:
        """Hand a message on, or keep it for a moment; raises what `receive` raises."""
        if data[:1] != _POSE:
            self._receive(data)
        elif self._timer is not None or self._loop.time() < self._free_at:
            self._held = data
            if self._timer is None:
                self._timer = self._loop.call_at(self._free_at, self._ring)
        else:
            self._look(data)

    def close(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, data: bytes) -> None:
        began = self._loop.time()
        self._receive(data)
        now = self._loop.time()
        self._free_at = now + max(_LEAST_S, (now - began) / _SHARE)

    def _ring(self) -> None:
        self._timer = None
        try:
            self._look(self._held)
        except ProtocolError as error:
            self._after(error)
        else:
            self._after(None)
