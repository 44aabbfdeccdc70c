"""A lid that closes and opens: the socket is dead without a word, and coming back costs no byte twice."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from immersive import client
from immersive.client import ReceivedScene, connect
from immersive.errors import ConnectionRefusedByServerError
from streaming.messages import CHUNK_HEADER_BYTES
from tests.immersive.served_site import ASSET, Site


class Lid:
    """Passes bytes on to a server until it is shut; then it says nothing at all, like a lost network."""

    def __init__(self, port: int) -> None:
        self._target, self._is_open = port, True
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Lid:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        closings = (writer.wait_closed() for writer in self._writers)
        await asyncio.gather(*closings, return_exceptions=True)

    def shut(self) -> None:
        self._is_open = False

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, out = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, out]
        for source, sink in ((reader, out), (inner, writer)):
            self._passing.add(asyncio.create_task(self._pass(source, sink)))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(4096):
            if self._is_open:
                sink.write(data)


def test_after_a_sleep_nothing_acknowledged_comes_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ALIVE_INTERVAL_S", 0.2)
    monkeypatch.setattr(client, "_ALIVE_DEADLINE_S", 0.4)

    async def story() -> tuple[ReceivedScene, int, ReceivedScene]:
        async with Lid(site.info.port) as lid:
            url = site.url.replace(f":{site.info.port}/", f":{lid.port}/")
            async with connect(url, window=20_000) as connection:
                while len(connection.received.order) < 5:
                    await connection.receive()
                lid.shut()
                with pytest.raises(ConnectionRefusedByServerError) as lost:
                    while True:
                        await connection.receive()
                before, status = connection.received, lost.value.status
        held = [hashlib.sha256(glb).digest() for glb in before.chunks.values()]
        async with connect(site.url, have=held) as connection:
            return before, status, await connection.receive_all()

    before, status, after = asyncio.run(story())

    assert status == 1006
    assert len(before.chunks) >= 5
    assert not set(after.order) & set(before.order)
    assert set(after.order) | set(before.order) == {chunk.index for chunk in ASSET.chunks}
    sizes = {chunk.index: chunk.byte_length for chunk in ASSET.chunks}
    assert after.chunk_bytes == sum(sizes[index] + CHUNK_HEADER_BYTES for index in after.order)
