"""Who is connected, and the watch that ends what may no longer be seen."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from streaming.messages import LINK_REVOKED, NOT_FOUND

from ..catalog import Catalog
from ..errors import LinkError, StoreError, UnknownLinkError, UnknownSceneError
from ..share import Links
from .access import Pass
from .limits import DRAIN_DEADLINE_S, MAX_SOCKETS, MAX_SOCKETS_PER_ADDRESS, RETRY_MS, REVOCATION_CHECK_S

_log = logging.getLogger(__name__)

GOING_AWAY = 1001  # RFC 6455: the server is going down
FAILED = 1011  # RFC 6455: the server met something that it did not expect


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Why a socket closes; with GOING_AWAY, after how long one may come back."""

    code: int
    text: str
    retry_ms: int = RETRY_MS


@dataclass(slots=True, eq=False)
class Viewer:
    """One open socket. Setting `goodbye` ends it."""

    admitted: Pass
    address: str
    version: str = ""  # of the scene that is streamed
    goodbye: asyncio.Future[Goodbye] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def end(self, code: int, text: str, *, retry_ms: int = RETRY_MS) -> None:
        """Ask the socket to close; the first reason counts."""
        if not self.goodbye.done():
            self.goodbye.set_result(Goodbye(code, text, retry_ms))


class Viewers:
    """All open sockets."""

    def __init__(self, catalog: Catalog, links: Links) -> None:
        self._catalog, self._links = catalog, links
        self._open: set[Viewer] = set()
        self._addresses: Counter[str] = Counter()
        self.is_draining = False
        self.on_change: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._open)

    def has_room(self, address: str) -> bool:
        """Return whether one more socket from `address` is within the limits."""
        return len(self._open) < MAX_SOCKETS and self._addresses[address] < MAX_SOCKETS_PER_ADDRESS

    def add(self, viewer: Viewer) -> None:
        """Count a socket in."""
        self._open.add(viewer)
        self._addresses[viewer.address] += 1

    def remove(self, viewer: Viewer) -> None:
        """Count a socket out."""
        self._open.discard(viewer)
        self._addresses[viewer.address] -= 1
        if self._addresses[viewer.address] <= 0:
            del self._addresses[viewer.address]

    async def watch(self) -> None:
        """End the sockets of links that were revoked, have expired or are gone, for as long as it runs.

        The command line revokes from another process, so the catalog is asked, not an event awaited.
        """
        while True:
            await asyncio.sleep(REVOCATION_CHECK_S)
            self.check_links()

    def check_links(self) -> None:
        """End the sockets of links that no longer open and of versions that are not shown any more."""
        try:
            self.end_refused()
            self.end_outdated()
        except StoreError:
            _log.exception("links could not be checked")

    def links_changed(self) -> None:
        """End the sockets of links that no longer open, here and on the servers that share the catalog."""
        self.end_refused()
        self.on_change()

    def end_refused(self) -> None:
        """End the sockets of links that no longer open."""
        by_pass: dict[Pass, list[Viewer]] = {}
        for viewer in self._open:
            by_pass.setdefault(viewer.admitted, []).append(viewer)
        for admitted, viewers in by_pass.items():
            try:
                self._links.check_way(self._links.get(admitted.link_id), admitted.scene_id)
            except UnknownLinkError:
                code, text = NOT_FOUND, "the scene was deleted"
            except LinkError as error:
                code, text = LINK_REVOKED, str(error)
            else:
                continue
            for viewer in viewers:
                viewer.end(code, text)

    def end_outdated(self) -> None:
        """Send the viewers of scenes that have grown back for the version that is shown now."""
        shown = {viewer.admitted.scene_id: "" for viewer in self._open}
        for scene_id in shown:
            with suppress(UnknownSceneError):
                shown[scene_id] = self._catalog.get(scene_id).version
        for viewer in self._open:
            if shown[viewer.admitted.scene_id] not in ("", viewer.version):
                viewer.end(GOING_AWAY, "the scene has grown", retry_ms=0)

    async def drain(self) -> None:
        """Send everyone away and wait, not long, until they are gone."""
        self.is_draining = True
        for viewer in self._open:
            viewer.end(GOING_AWAY, "the server is going down")
        deadline = asyncio.get_running_loop().time() + DRAIN_DEADLINE_S
        while self._open and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
