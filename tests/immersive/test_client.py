"""The Python viewer against a real server: whole scenes, resuming, refusals, damaged chunks."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from websockets.exceptions import InvalidUpgrade

from immersive import client
from immersive.catalog import Catalog
from immersive.client import ConnectionRefusedByServerError, SceneConnection, connect, open_link
from immersive.server import scenes
from immersive.server.run import ServerInfo, start_in_thread
from immersive.share import Links, ShareLink
from reconstruction.errors import InvalidInputError
from streaming.asset import SplatAsset
from streaming.errors import ProtocolError
from streaming.messages import CHUNK_HEADER_BYTES, BatchDone, Budget, Chunk, Pose
from tests.streaming.opaque_asset import opaque_asset

ASSET = opaque_asset()


@dataclass
class Site:
    info: ServerInfo
    links: Links
    link: ShareLink

    @property
    def url(self) -> str:
        return self.info.link(self.link.path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("home")
    catalog = Catalog(home)
    links = Links(catalog)
    with start_in_thread(home) as info:
        yield Site(info, links, links.create(catalog.publish(ASSET).id))
    catalog.close()


def test_a_whole_scene_arrives_through_a_small_window(site: Site) -> None:
    async def visit() -> None:
        async with connect(site.url, window=4096) as connection:
            received = await connection.receive_all()
        assert received.is_complete
        assert received.chunks == {i: ASSET.chunk_bytes(i) for i in range(9)}
        assert received.chunk_bytes == len(ASSET.pack) + 9 * CHUNK_HEADER_BYTES
        assert received.description is not None
        assert received.description["manifest"]["title"] == "Cabin by a lake"

    asyncio.run(visit())


def test_coming_back_after_a_cut_costs_no_byte_twice(site: Site) -> None:
    async def visit() -> None:
        async with connect(site.url, window=4096) as connection:
            while len(connection.received.order) < 5:
                await connection.receive()
            first = connection.received
        have = [bytes.fromhex(ASSET.chunks[index].sha256) for index in first.order]
        async with connect(site.url, have=have) as connection:
            second = await connection.receive_all()
        assert second.is_complete
        assert set(first.order) & set(second.order) == set()
        assert {**first.chunks, **second.chunks} == {i: ASSET.chunk_bytes(i) for i in range(9)}
        assert first.chunk_bytes + second.chunk_bytes == len(ASSET.pack) + 9 * CHUNK_HEADER_BYTES

    asyncio.run(visit())


def test_a_turn_and_a_larger_budget_bring_what_was_left_out(site: Site) -> None:
    async def visit() -> None:
        pose = (0.5, 1.6, 1.0, 0.0, 0.0, -1.0)
        async with connect(site.url, pose=pose, fov_deg=70, max_splats=1000) as connection:
            received = await connection.receive_all()
            assert not received.is_complete
            before = list(received.order)
            assert 2 in before and 4 not in before
            await connection.send(Pose(1, (0.5, 1.6, 1.0), (0.0, 0.0, 1.0), 70.0))
            await connection.send(Budget(100_000))
            message = await connection.receive()
            while not isinstance(message, Chunk):
                message = await connection.receive()
            while not received.is_complete:
                await connection.receive()
            assert sorted(received.order) == list(range(9))
            assert received.order[len(before)] == message.chunk

    asyncio.run(visit())


def test_refusals_say_why(site: Site) -> None:
    revoked = site.links.create(site.link.scene_id)
    site.links.revoke(revoked.id)
    with pytest.raises(ConnectionRefusedByServerError) as gone:
        open_link(site.info.link(revoked.path))
    assert (gone.value.status, gone.value.code) == (410, "link_revoked")
    with pytest.raises(ConnectionRefusedByServerError) as unknown:
        open_link(site.info.link("/v/nothing#nothing"))
    assert (unknown.value.status, unknown.value.code) == (404, "link_unknown")


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:1/", "http://127.0.0.1:1/v/abc", "file:///v/abc#def", "/v/abc#def"]
)
def test_what_is_no_link_is_refused_without_asking_anyone(url: str) -> None:
    with pytest.raises(InvalidInputError, match="link must look like"):
        open_link(url)


def test_a_damaged_chunk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(tmp_path)
    link = Links(catalog).create(catalog.publish(ASSET).id)
    pack = bytearray(ASSET.pack)
    pack[ASSET.chunks[3].byte_offset + 17] ^= 4
    damaged = SplatAsset(ASSET.manifest, ASSET.chunks, bytes(pack))
    monkeypatch.setattr(Catalog, "asset", lambda self, scene_id: damaged)

    async def visit(url: str) -> SceneConnection:
        async with connect(url) as connection:
            with pytest.raises(ProtocolError, match="chunk 3 must have the hash"):
                await connection.receive_all()
            return connection

    with start_in_thread(tmp_path) as info:
        connection = asyncio.run(visit(info.link(link.path)))
    catalog.close()
    assert connection.received.order[-1] == 3


def test_a_fast_viewer_of_many_chunks_is_no_chatterer(tmp_path: Path) -> None:
    # One CREDIT a chunk, far more a second than any other message may come.
    base = ASSET.chunks[0]
    parts = [index.to_bytes(2, "little") * 40 for index in range(700)]
    chunks = tuple(
        replace(
            base,
            index=index,
            level=min(index, 1),
            parent=0 if index else -1,
            range_stop=90 if index else 0,
            byte_offset=80 * index,
            byte_length=80,
            sha256=hashlib.sha256(part).hexdigest(),
        )
        for index, part in enumerate(parts)
    )
    catalog = Catalog(tmp_path)
    link = Links(catalog).create(catalog.publish(SplatAsset(ASSET.manifest, chunks, b"".join(parts))).id)

    async def visit(url: str) -> int:
        async with connect(url, window=500) as connection:
            return len((await connection.receive_all()).chunks)

    with start_in_thread(tmp_path) as info:
        assert asyncio.run(visit(info.link(link.path))) == 700
    catalog.close()


def test_many_viewers_of_one_scene_read_its_pack_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(tmp_path)
    link = Links(catalog).create(catalog.publish(ASSET).id)
    reads: list[str] = []
    read = scenes.SceneCache._prepare

    def counted(self: scenes.SceneCache, scene_id: str, version: str) -> object:
        reads.append(scene_id)
        return read(self, scene_id, version)

    monkeypatch.setattr(scenes.SceneCache, "_prepare", counted)

    async def visit(url: str) -> bool:
        async with connect(url) as connection:
            return (await connection.receive_all()).is_complete

    async def crowd(url: str) -> list[bool]:
        return await asyncio.gather(*(visit(url) for _ in range(12)))

    with start_in_thread(tmp_path) as info:
        assert asyncio.run(crowd(info.link(link.path))) == [True] * 12
    catalog.close()
    assert len(reads) == 1


def test_requests_bring_the_same_scene_where_sockets_are_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise InvalidUpgrade("Upgrade", "a proxy took it out")

    monkeypatch.setattr(client, "open_socket", refused)

    async def visit() -> None:
        async with connect(site.url, window=4096) as connection:
            received = await connection.receive_all()
            await connection.send(Pose(1, (0.0, 1.6, 0.0), (0.0, 0.0, 1.0), 80.0))
            assert isinstance(await connection.receive(), BatchDone), "a waiting request makes way"
        assert received.is_complete
        assert received.chunks == {i: ASSET.chunk_bytes(i) for i in range(9)}
        have = [bytes.fromhex(chunk.sha256) for chunk in ASSET.chunks]
        async with connect(site.url, have=have) as connection:
            assert (await connection.receive_all()).chunk_bytes == 0

    asyncio.run(visit())
