"""A served scene on a real socket, and how to talk to it; for tests of the server."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket

from immersive.catalog import Catalog, SceneRecord
from immersive.client import open_link
from immersive.server.run import ServerInfo
from immersive.share import Links, ShareLink
from streaming.asset import SplatAsset
from streaming.messages import (
    SUBPROTOCOL,
    BatchDone,
    decode_from_server,
)
from tests.streaming.opaque_asset import opaque_asset

ROOT = Path(__file__).resolve().parents[2]
ASSET = opaque_asset()


@dataclass
class Site:
    info: ServerInfo
    catalog: Catalog
    links: Links
    scene: SceneRecord
    link: ShareLink
    owner: dict[str, str]

    @property
    def url(self) -> str:
        return self.info.link(self.link.path)

    def socket(self, query: str = "&credit=1000000", ticket: str | None = None) -> ClientConnection:
        ticket = open_link(self.url).ticket if ticket is None else ticket
        return open_socket(
            f"ws://127.0.0.1:{self.info.port}/ws?ticket={ticket}{query}",
            subprotocols=[SUBPROTOCOL],
            compression=None,
            max_size=None,
            proxy=None,
        )


def drain(connection: ClientConnection) -> list[object]:
    """Receive until BATCH_DONE."""
    messages: list[object] = []
    while not messages or not isinstance(messages[-1], BatchDone):
        messages.append(decode_from_server(connection.recv(timeout=10)))
    return messages


def ending(connection: ClientConnection) -> tuple[list[object], int]:
    """Receive until the server closes; return what came and the close code."""
    messages: list[object] = []
    try:
        while True:
            messages.append(decode_from_server(connection.recv(timeout=10)))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return messages, closed.rcvd.code


def ticket_of(site: Site, link: ShareLink) -> str:
    return open_link(site.info.link(link.path)).ticket


def heavy_asset() -> SplatAsset:
    asset = opaque_asset()
    chunks, offset = [], 0
    for chunk in asset.chunks:
        size = chunk.byte_length * 40
        chunks.append(replace(chunk, byte_offset=offset, byte_length=size))
        offset += size
    pack = os.urandom(offset)
    chunks = [
        replace(c, sha256=hashlib.sha256(pack[c.byte_offset : c.byte_offset + c.byte_length]).hexdigest())
        for c in chunks
    ]
    return SplatAsset(asset.manifest, tuple(chunks), pack)
