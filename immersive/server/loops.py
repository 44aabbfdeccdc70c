"""Makes the moving pictures of cards beside the event loop, one at a time, for scenes that are shown."""

from __future__ import annotations

import asyncio

from ..card_loop import ensure_loop
from ..catalog import Catalog, SceneRecord


class LoopMaker:
    """What is made, and what was tried: a scene that cannot be drawn is not tried again by this server."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._tried: set[str] = set()  # versions
        self._tasks: set[asyncio.Task[None]] = set()
        self._one = asyncio.Semaphore(1)
        self._is_closing = False

    def want(self, record: SceneRecord) -> None:
        """Have a scene's loop made soon, unless it was; 5 CPU-seconds. Call from the event loop."""
        if record.version in self._tried or self._is_closing:
            return
        self._tried.add(record.version)
        task = asyncio.create_task(self._make(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, record: SceneRecord) -> None:
        async with self._one:
            await asyncio.to_thread(
                ensure_loop, self._catalog, record, is_wanted=lambda: not self._is_closing
            )

    async def close(self) -> None:
        """Stop what is being made, and wait: that is a frame."""
        self._is_closing = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
