"""Reaching friends elsewhere: a folder on any web host, and our server behind nginx."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket
from websockets.typing import Origin

from immersive.catalog import Catalog
from immersive.errors import ServerError
from immersive.poster import poster_path
from immersive.server import services
from immersive.server.run import start_in_thread
from immersive.share import Links
from immersive.static_site import publish_static
from reconstruction.errors import InvalidInputError
from streaming.asset import Spawn
from streaming.messages import Chunk, Tree, decode_from_server
from streaming.pack import read_asset
from tests.immersive.nginx import free_port, nginx
from tests.streaming.opaque_asset import opaque_asset

ASSET = opaque_asset()
README = Path(__file__).resolve().parents[2] / "immersive" / "server" / "README.md"
PAGE = '<!doctype html><head><script src="/assets/index-abc.js"></script></head>'


@pytest.fixture
def page_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets" / "index-abc.js").write_text("export {};")
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def written(catalog: Catalog, tmp_path: Path, page_folder: Path) -> Path:
    scene = catalog.publish(ASSET)
    poster_path(catalog, scene).write_bytes(b"a picture")
    catalog.edit(scene.id, title="Lake", spawn=Spawn((1.0, 0.0, -2.0), 30.0), notes="Hello")
    folder = tmp_path / "site"
    size = publish_static(
        catalog, scene.id[:6], folder, url="https://me.example/lake/", page_folder=page_folder
    )
    assert size == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return folder


def test_the_folder_holds_all_that_a_visit_needs(written: Path) -> None:
    about = json.loads((written / "scene.json").read_text("utf-8"))
    assert about["opened"]["title"] == about["scene"]["manifest"]["title"] == "Lake"
    assert about["opened"]["spawn"] == {"position": [1.0, 0.0, -2.0], "yaw_deg": 30.0}
    assert (about["opened"]["scope"], about["opened"]["notes"], about["opened"]["portals"]) == (
        "view",
        "Hello",
        {},
    )
    assert about["opened"]["version"] == about["scene"]["version"]
    tree = decode_from_server((written / "tree.bin").read_bytes())
    assert isinstance(tree, Tree) and tree.byte_length.tolist() == [c.byte_length for c in ASSET.chunks]
    assert read_asset(written).pack == ASSET.pack  # manifest and pack are an asset folder
    html = (written / "index.html").read_text("utf-8")
    assert 'src="./assets/index-abc.js"' in html and '<meta name="immersive-static"' in html
    assert 'content="https://me.example/lake/poster.jpg"' in html
    assert "script-src 'self' 'wasm-unsafe-eval'" in html and "frame-ancestors" not in html
    assert not any("secret" in path.name or "sqlite" in path.name for path in written.rglob("*"))


def test_only_a_folder_of_ours_is_written_over(
    catalog: Catalog, written: Path, tmp_path: Path, page_folder: Path
) -> None:
    other = catalog.publish(opaque_asset(seed=77))
    publish_static(catalog, other.id, written, page_folder=page_folder)
    assert (written / "pack.bin").read_bytes() == opaque_asset(seed=77).pack
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    for folder, options in [
        (taken, {}),
        (taken / "thesis.txt", {}),
        (tmp_path / "new", {"url": "ftp://x"}),
        (tmp_path / "new", {"page_folder": taken}),
    ]:
        with pytest.raises(InvalidInputError):
            publish_static(catalog, other.id, folder, **({"page_folder": page_folder} | options))
    assert [path.name for path in taken.iterdir()] == ["thesis.txt"]
    assert not (tmp_path / "new").exists()


def test_nginx_serves_the_folder_chunk_by_chunk(written: Path, tmp_path: Path) -> None:
    port = free_port()
    block = f"server {{ listen 127.0.0.1:{port}; root {written.parent}; }}"
    with nginx(tmp_path / "nginx", block, port):
        base = f"http://127.0.0.1:{port}/{written.name}"
        for chunk in ASSET.chunks:
            last = chunk.byte_offset + chunk.byte_length - 1
            part = httpx.get(f"{base}/pack.bin", headers={"Range": f"bytes={chunk.byte_offset}-{last}"})
            assert (part.status_code, part.content) == (206, ASSET.chunk_bytes(chunk.index))
        assert httpx.get(f"{base}/").text == (written / "index.html").read_text("utf-8")


@pytest.fixture
def proxied(
    catalog: Catalog, tmp_path: Path, page_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Links, str, int]]:
    """Run what the README shows, but for TLS; yields the proxy's address, links, a scene's id, our port."""
    monkeypatch.setattr(services, "OPENS_PER_MINUTE", 3)
    scene = catalog.publish(ASSET)
    port = free_port()
    found = re.search(r"```nginx\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert found is not None
    name = f"scenes.example.org:{port}"
    with start_in_thread(catalog.home, page_folder=page_folder, public_url=f"http://{name}/") as info:
        assert info.url == f"http://{name}"
        block = found[1].replace("listen 443 ssl", f"listen 127.0.0.1:{port}").replace("8765", str(info.port))
        block = re.sub(r" *ssl_certificate.*\n", "", block)
        with nginx(tmp_path / "nginx", block, port):
            yield f"http://127.0.0.1:{port}", Links(catalog), scene.id, info.port


def test_a_link_opens_and_streams_through_nginx_as_the_readme_sets_it_up(
    proxied: tuple[str, Links, str, int],
) -> None:
    address, links, scene_id, _ = proxied
    port = address.rsplit(":", 1)[1]
    name = f"scenes.example.org:{port}"
    link = links.create(scene_id, visibility="unlisted")
    with httpx.Client(base_url=address, headers={"Host": name}) as client:
        page = client.get(f"/v/{link.id}")
        assert f'content="http://{name}/v/{link.id}"' in page.text
        opened = client.post(f"/api/links/{link.id}/open", json={"secret": link.secret}).json()
        pack = client.get(
            f"/api/scenes/{scene_id}/pack",
            headers={"Authorization": f"Bearer {opened['bearer']}", "Range": "bytes=10-19"},
        )
        assert (pack.status_code, pack.content) == (206, ASSET.pack[10:20])
        assert client.get("/", headers={"Host": "rebound.example"}).status_code in (421, 502)
    socket_url = f"ws://{name}/ws?ticket={opened['ticket']}&credit=200000"

    def connect(origin: str) -> ClientConnection:
        raw = socket.create_connection(("127.0.0.1", int(port)))
        return open_socket(socket_url, sock=raw, origin=Origin(origin), proxy=None, max_size=None)

    with pytest.raises(InvalidStatus):
        connect("https://evil.example")
    with connect(f"http://{name}") as connection:
        assert isinstance(decode_from_server(connection.recv(timeout=10)), Chunk)


def test_visitors_behind_a_proxy_are_told_apart_and_nobody_else_can_pretend(
    proxied: tuple[str, Links, str, int],
) -> None:
    address, links, scene_id, port = proxied
    link = links.create(scene_id)

    def opens(base: str, forwarded: str) -> int:
        body = {"secret": link.secret}
        headers = {"X-Forwarded-For": forwarded, "Host": "127.0.0.1"}
        return httpx.post(f"{base}/api/links/{link.id}/open", json=body, headers=headers).status_code

    # nginx puts the visitor's address in place of what the visitor claims: all of these are one visitor.
    assert [opens(address, f"203.0.113.{n}") for n in range(4)] == [200, 200, 200, 429]
    # What the proxy forwards is believed, and noted.
    assert opens(f"http://127.0.0.1:{port}", "198.51.100.7") == 200
    assert len({entry.address_hash for entry in links.opens(link.id)}) == 2


def test_without_a_proxy_nobody_is_believed(tmp_path: Path, catalog: Catalog) -> None:
    link = Links(catalog).create(catalog.publish(ASSET).id)
    with start_in_thread(catalog.home) as info:
        for n in (1, 2):
            headers = {"X-Forwarded-For": f"203.0.{n}.1"}
            httpx.post(
                f"{info.url}/api/links/{link.id}/open", json={"secret": link.secret}, headers=headers
            ).raise_for_status()
    assert len({entry.address_hash for entry in Links(catalog).opens(link.id)}) == 1


@pytest.mark.parametrize("url", ["scenes.example", "https://", "ftp://x.example", "https://x.example/a", "https://[",
                                 "https://x.example?q=1"])  # fmt: skip
def test_a_public_address_is_a_scheme_and_a_name(tmp_path: Path, url: str) -> None:
    with pytest.raises(ServerError, match="public address"), start_in_thread(tmp_path, public_url=url):
        pass
