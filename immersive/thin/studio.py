"""Who draws for whom: a few threads, the scenes that they keep in memory, and a turn for every visitor."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from reconstruction.kernels.binding import thread_count
from streaming.session import StreamedScene

if TYPE_CHECKING:
    from .scene import DrawnScene

# Splats of 56 bytes each, and packs: eight scenes of 300,000.
MEMORY_BYTES = 256 * 1024 * 1024
# Half of the cores draw; the other half streams to those who draw themselves, and runs jobs.
DRAWN_AT_ONCE = max(1, thread_count() // 2)
# Eight share a thread of 40 pictures a second: 5 each when all of them move at once.
VISITORS_PER_THREAD = 8

_Result = TypeVar("_Result")


class Studio:
    """All drawing of one server. Threads start with the first picture."""

    def __init__(
        self,
        *,
        at_once: int | None = None,
        memory_bytes: int = MEMORY_BYTES,
        most_visitors: int | None = None,
    ) -> None:
        at_once = DRAWN_AT_ONCE if at_once is None else at_once
        self._threads = ThreadPoolExecutor(at_once, "immersive-draw")
        # First come, first served, and each visitor waits for one picture at most: turns go round.
        self._turns = asyncio.Semaphore(at_once)
        self._memory_bytes = memory_bytes
        self._scenes: OrderedDict[bytes, DrawnScene] = OrderedDict()  # by id, version and manifest
        self._lock = threading.Lock()
        self.most_visitors = VISITORS_PER_THREAD * at_once if most_visitors is None else most_visitors
        self.seats: dict[str, float] = {}  # who looks, by name, until when

    def take_seat(self, name: str, now_s: float, until_s: float) -> bool:
        """Return whether `name` may look on until then, as one of the most that there is time for."""
        for gone in [other for other, until in self.seats.items() if until <= now_s]:
            del self.seats[gone]
        if name not in self.seats and len(self.seats) >= self.most_visitors:
            return False
        self.seats[name] = until_s
        return True

    def leave_seat(self, name: str) -> None:
        """Let somebody else look."""
        self.seats.pop(name, None)

    async def scene(self, scene: StreamedScene) -> DrawnScene:
        """Return a scene ready to be drawn, decoded if need be.

        Raises:
            AssetFormatError: Its chunks are damaged.
            MissingBackendError: The kernels are not compiled.
        """
        async with self.turn():
            return await self.work(lambda: self._kept(scene))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a thread to be free; what is drawn is chosen after that, when it is the newest."""
        async with self._turns:
            yield

    async def work(self, task: Callable[[], _Result]) -> _Result:
        """Run `task` on a drawing thread, within a `turn`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, task)

    def close(self) -> None:
        """Let the threads end after what they draw now."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _kept(self, scene: StreamedScene) -> DrawnScene:
        # Late: most servers never draw, and it brings SciPy.
        from .scene import DrawnScene

        with self._lock:
            key = scene.scene_message
            found = self._scenes.get(key)
            if found is None:
                found = self._scenes[key] = DrawnScene(scene)
            self._scenes.move_to_end(key)
            # The newest stays, however large: somebody waits for it.
            while len(self._scenes) > 1 and self._held() > self._memory_bytes:
                self._scenes.popitem(last=False)
            return found

    def _held(self) -> int:
        return sum(scene.byte_length for scene in self._scenes.values())
