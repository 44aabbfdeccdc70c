"""A file that stops being sent in the middle when whoever asked for it may no longer have it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from ..errors import LinkError
from .limits import REVOCATION_CHECK_S

ABORT = "immersive.abort"  # in a scope's extensions: cuts the connection, see `http_protocol`


class WatchedFile(FileResponse):
    """Sends a file, whole or by Range, as long as `check` does not raise LinkError; asked twice a second."""

    def __init__(
        self, path: Path, check: Callable[[], object], *, media_type: str, headers: dict[str, str]
    ) -> None:
        super().__init__(path, media_type=media_type, headers=headers)
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        due = clock() + REVOCATION_CHECK_S

        async def send_while_allowed(message: Message) -> None:
            nonlocal due
            if message["type"] == "http.response.body" and clock() >= due:
                self._check()
                due = clock() + REVOCATION_CHECK_S
            await send(message)

        try:
            await super().__call__(scope, receive, send_while_allowed)
        except (LinkError, FileNotFoundError):  # or deleted after its length was told
            # The status was sent long ago; an end before its time is all that can be said.
            scope.get("extensions", {}).get(ABORT, lambda: None)()
            await asyncio.sleep(0)  # until the connection knows that it is lost
