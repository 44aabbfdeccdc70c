"""Packs prepared for streaming, kept in memory while they are being looked at."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable

from streaming.session import StreamedScene

from ..catalog import Catalog
from .limits import SCENES_IN_MEMORY


class SceneCache:
    """The most recently opened scenes. Several viewers of one scene share one copy."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._scenes: OrderedDict[tuple[Hashable, ...], asyncio.Task[StreamedScene]] = OrderedDict()

    async def get(self, scene_id: str) -> StreamedScene:
        """Return a scene ready to stream; reads its pack if need be, beside the event loop.

        Raises:
            UnknownSceneError, StoreError, AssetFormatError: It is gone or damaged.
        """
        record = self._catalog.get(scene_id)
        key = (record.version, record.title, self._catalog.edits(record.id))
        task = self._scenes.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(asyncio.to_thread(self._prepare, record.id, record.version))
            self._scenes[key] = task
            while len(self._scenes) > SCENES_IN_MEMORY:
                self._scenes.popitem(last=False)
        self._scenes.move_to_end(key)
        # One viewer that leaves must not take the scene from the others who wait for it.
        return await asyncio.shield(task)

    def _prepare(self, scene_id: str, version: str) -> StreamedScene:
        return StreamedScene.prepare(self._catalog.asset(scene_id), scene_id, version)
