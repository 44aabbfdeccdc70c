"""Opens of links that come at the same moment share one flush of the disk, and each waits for it."""

from __future__ import annotations

import asyncio

from reconstruction.errors import ImmersiveError

from ..share import Links, Opening, ShareLink


class Openings:
    """A flush takes milliseconds, during which nobody is served: 200 visitors waited a second for theirs."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._waiting: list[tuple[Opening, asyncio.Future[ShareLink]]] = []

    async def open(self, opening: Opening) -> ShareLink:
        """Return the link once its open is on the disk.

        Raises:
            As `Links.open` and `Links.reopen`.
        """
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[ShareLink] = loop.create_future()
        self._waiting.append((opening, opened))
        if len(self._waiting) == 1:
            loop.call_soon(self._commit)  # whatever else is ready in this turn of the loop comes along
        return await opened

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        found: list[ShareLink | ImmersiveError]
        try:
            found = [*self._links.open_together([opening for opening, _ in waiting])]
        except ImmersiveError as error:  # of the store: nobody's open is on the disk
            found = [error] * len(waiting)
        for (_, opened), result in zip(waiting, found, strict=True):
            if opened.done():  # whoever asked has left
                continue
            if isinstance(result, ImmersiveError):
                opened.set_exception(result)
            else:
                opened.set_result(result)
