"""The server on a real socket: who gets in, what they get, and what nobody can do to it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket

from immersive.catalog import Catalog, SceneRecord
from immersive.client import open_link
from immersive.errors import ServerError
from immersive.server import http_protocol, stream, viewers
from immersive.server.owner import is_owner, reset_owner_token
from immersive.server.run import ServerInfo, start_in_thread
from immersive.share import Links, ShareLink
from streaming.asset import SplatAsset
from streaming.messages import (
    BAD_MESSAGE,
    LINK_REVOKED,
    NOT_FOUND,
    PROTOCOL_VERSION,
    SUBPROTOCOL,
    TICKET_EXPIRED,
    TOO_MANY,
    TOO_SLOW,
    BatchDone,
    Chunk,
    Credit,
    Error,
    Hello,
    Ping,
    Pong,
    Redirect,
    Scene,
    Tree,
    decode_from_server,
    encode,
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


@pytest.fixture
def page_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><head><title>Immersive</title></head>")
    (folder / "assets" / "index-abc.js").write_text("export {};")
    (folder / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "secret.txt").write_text("not for anyone")
    return folder


@pytest.fixture
def site(tmp_path: Path, page_folder: Path) -> Iterator[Site]:
    catalog = Catalog(tmp_path / "home")
    scene = catalog.publish(ASSET)
    links = Links(catalog)
    with start_in_thread(tmp_path / "home", page_folder=page_folder) as info:
        owner = {"Authorization": f"Bearer {info.owner_token}"}
        yield Site(info, catalog, links, scene, links.create(scene.id), owner)
    catalog.close()


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


# --- links and REST -----------------------------------------------------------------------------------


def test_opening_a_link_tells_the_scene_and_gives_a_ticket(site: Site) -> None:
    address = f"{site.info.url}/api/links/{site.link.id}/open"
    answer = httpx.post(address, json={"secret": site.link.secret})

    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["scene"]["id"] == site.scene.id
    assert told["scene"]["title"] == "Cabin by a lake"
    assert told["scene"]["is_generated"] is True
    assert told["scene"]["quality"]["psnr_db"] == 22.5
    assert told["scene"]["spawn"] == {"position": [0.0, 0.0, 2.0], "yaw_deg": 0.0}
    assert told["ticket_expires_in_s"] == 60
    assert told["ticket"] != told["bearer"]


def test_links_that_do_not_open_say_why_as_json(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    expiring = site.links.create(site.scene.id, expires_in_s=1000)
    revoked = site.links.create(site.scene.id)
    site.links.revoke(revoked.id)
    with site.catalog.database.transaction():
        site.catalog.database.write("UPDATE link SET expires_at = 5 WHERE id = ?", (expiring.id,))
    cases = [
        ("nothing", "x", 404, "link_unknown"),
        (site.link.id, "x" * 32, 404, "link_unknown"),
        (expiring.id, expiring.secret, 410, "link_expired"),
        (revoked.id, revoked.secret, 410, "link_revoked"),
        (site.link.id, "x" * 300, 422, "invalid_request"),
    ]
    for link_id, secret, status, code in cases:
        answer = httpx.post(f"{site.info.url}/api/links/{link_id}/open", json={"secret": secret})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert set(answer.json()["error"]) == {"code", "message", "hint"}


def test_every_failure_is_json(site: Site) -> None:
    requests = [("GET", "/api/nothing"), ("PUT", "/healthz"), ("GET", "/assets/none.js"), ("GET", "/ws")]
    for method, path in requests:
        answer = httpx.request(method, site.info.url + path)
        assert answer.status_code in (404, 405)
        assert answer.json()["error"]["code"] in ("not_found", "method_not_allowed")


def test_opening_too_often_is_limited(site: Site) -> None:
    with httpx.Client() as client:
        address = f"{site.info.url}/api/links/nothing/open"
        codes = [client.post(address, json={"secret": "x"}).status_code for _ in range(65)]
    assert codes[:60] == [404] * 60
    assert 429 in codes[60:]


def test_a_preview_is_told_only_for_links_that_are_not_private(site: Site) -> None:
    shown = site.links.create(site.scene.id, visibility="unlisted")
    answer = httpx.get(f"{site.info.url}/api/links/{shown.id}/preview")
    assert answer.json() == {"title": "Cabin by a lake", "is_generated": True}
    hidden = httpx.get(f"{site.info.url}/api/links/{site.link.id}/preview")
    missing = httpx.get(f"{site.info.url}/api/links/nosuchlink00/preview")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace(site.link.id, "nosuchlink00") == missing.text


def test_the_owner_manages_scenes_and_links(site: Site) -> None:
    with httpx.Client(base_url=site.info.url, headers=site.owner) as owner:
        assert [s["id"] for s in owner.get("/api/scenes").json()["scenes"]] == [site.scene.id]
        scene = f"/api/scenes/{site.scene.id}"
        assert owner.patch(scene, json={"title": "Lake"}).json()["scene"]["title"] == "Lake"
        assert owner.patch(scene, json={"title": " "}).status_code == 422
        created = owner.post(f"{scene}/links", json={"expires_in_s": 60}).json()
        assert open_link(site.info.link(created["path"])).scene["title"] == "Lake"
        listed = owner.get(f"{scene}/links").json()["links"]
        assert {link["id"] for link in listed} == {site.link.id, created["link"]["id"]}
        assert "secret" not in json.dumps(listed)
        revoked = owner.delete(f"/api/links/{created['link']['id']}").json()["link"]
        assert revoked["revoked_at"] is not None
        assert owner.delete(scene).json()["scene"]["id"] == site.scene.id
        assert owner.get(scene).status_code == 404
        assert owner.get("/api/scenes").json() == {"scenes": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/scenes"),
        ("GET", "/api/scenes/{id}"),
        ("PATCH", "/api/scenes/{id}"),
        ("DELETE", "/api/scenes/{id}"),
        ("GET", "/api/scenes/{id}/links"),
        ("POST", "/api/scenes/{id}/links"),
        ("DELETE", "/api/links/{link}"),
        ("GET", "/api/scenes/{id}/pack"),
    ],
)
def test_everything_of_the_owner_needs_the_token(site: Site, method: str, path: str) -> None:
    path = path.replace("{id}", site.scene.id).replace("{link}", site.link.id)
    body = {"title": "x"} if method in ("PATCH", "POST") else None
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {site.link.secret}"}):
        answer = httpx.request(method, site.info.url + path, headers=headers, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_allowed")
    assert site.catalog.get(site.scene.id).title == "Cabin by a lake"
    assert site.links.get(site.link.id).revoked_at is None


def test_the_owner_token_is_kept_as_a_hash_for_the_owner_alone(tmp_path: Path) -> None:
    token = reset_owner_token(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert token.encode() not in b"".join(path.read_bytes() for path in files)
    assert is_owner(tmp_path, token)
    assert not is_owner(tmp_path, token + "x")
    assert not is_owner(tmp_path / "elsewhere", token)
    newer = reset_owner_token(tmp_path)
    assert is_owner(tmp_path, newer) and not is_owner(tmp_path, token)


def test_the_pack_can_be_read_by_range(site: Site) -> None:
    opened = open_link(site.url)
    bearer = {"Authorization": f"Bearer {opened.bearer}"}
    address = f"{site.info.url}/api/scenes/{site.scene.id}/pack"
    chunk = ASSET.chunks[3]
    last = chunk.byte_offset + chunk.byte_length - 1

    part = httpx.get(address, headers={**bearer, "Range": f"bytes={chunk.byte_offset}-{last}"})
    whole = httpx.get(address, headers=bearer)
    again = httpx.get(address, headers={**bearer, "If-None-Match": whole.headers["etag"]})

    assert (part.status_code, part.content) == (206, ASSET.chunk_bytes(3))
    assert (whole.status_code, whole.content) == (200, ASSET.pack)
    assert "immutable" in whole.headers["cache-control"]
    assert (again.status_code, again.content) == (304, b"")


def test_a_bearer_reads_its_own_scene_and_only_while_its_link_opens(site: Site) -> None:
    other = site.catalog.publish(opaque_asset(seed=77))
    opened = open_link(site.url)
    bearer = {"Authorization": f"Bearer {opened.bearer}"}
    assert httpx.get(f"{site.info.url}/api/scenes/{other.id}/pack", headers=bearer).status_code == 401
    assert httpx.get(f"{site.info.url}/api/scenes", headers=bearer).status_code == 401
    site.links.revoke(site.link.id)
    address = f"{site.info.url}/api/scenes/{site.scene.id}/pack"
    assert httpx.get(address, headers=bearer).status_code == 401
    assert httpx.get(address, headers=site.owner).status_code == 200


# --- page ---------------------------------------------------------------------------------------------


def test_the_page_is_one_file_under_a_strict_policy(site: Site) -> None:
    for path in ("/", "/v/anything"):
        answer = httpx.get(site.info.url + path)
        assert answer.status_code == 200
        assert answer.text.startswith("<!doctype html><head><title>Immersive</title>")
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'self'"
        assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
        assert policy["worker-src"] == "'self' blob:"
        assert policy["frame-ancestors"] == "'none'"
        assert f"ws://127.0.0.1:{site.info.port}" in policy["connect-src"].split()
        assert "xr-spatial-tracking=(self)" in answer.headers["permissions-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_files_of_the_page_are_served_and_nothing_beside_them(site: Site) -> None:
    script = httpx.get(site.info.url + "/assets/index-abc.js")
    assert script.status_code == 200
    assert "immutable" in script.headers["cache-control"]
    assert httpx.get(site.info.url + "/icon.svg").headers["content-type"].startswith("image/svg")
    for path in ("/assets/../../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/..%2fsecret.txt"):
        connection = socket.create_connection(("127.0.0.1", site.info.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda c=connection: c.recv(4096), b""))
        connection.close()
        assert b"not for anyone" not in answer
        assert answer.split(b" ")[1] == b"404"


def test_scripts_travel_compressed_to_who_can_read_that(site: Site, page_folder: Path) -> None:
    text = "export const colours = [" + "0.25, " * 5000 + "];"
    (page_folder / "assets" / "large-def.js").write_text(text)
    address = site.info.url + "/assets/large-def.js"
    for _ in range(2):
        squeezed = httpx.get(address, headers={"Accept-Encoding": "gzip"})
        plain = httpx.get(address, headers={"Accept-Encoding": "identity"})
        part = httpx.get(address, headers={"Accept-Encoding": "gzip", "Range": "bytes=7-11"})
        assert squeezed.text == plain.text == text
        assert squeezed.headers["content-encoding"] == "gzip"
        assert int(squeezed.headers["content-length"]) < len(text) / 20
        assert squeezed.headers["content-type"] == plain.headers["content-type"]
        assert "content-encoding" not in plain.headers
        assert (part.status_code, part.text) == (206, "const")
        assert all("immutable" in a.headers["cache-control"] for a in (squeezed, plain))


def test_a_page_that_is_not_built_says_how_to(tmp_path: Path) -> None:
    with start_in_thread(tmp_path / "home", page_folder=tmp_path / "none") as info:
        answer = httpx.get(info.url + "/")
        assert httpx.get(info.url + "/healthz").json() == {"status": "ok"}
    assert answer.status_code == 503
    assert "make setup" in answer.text


def test_the_api_describes_itself_without_anyone_elses_page(site: Site) -> None:
    paths = httpx.get(site.info.url + "/api/openapi.json").json()["paths"]
    assert "/api/links/{link_id}/open" in paths
    assert httpx.get(site.info.url + "/docs").status_code == 404


# --- who may talk to us -------------------------------------------------------------------------------


def test_a_foreign_origin_is_refused_before_the_upgrade(site: Site) -> None:
    ticket = open_link(site.url).ticket
    address = f"ws://127.0.0.1:{site.info.port}/ws?ticket={ticket}&credit=9000"
    for origin in ("https://evil.example", "null", f"http://localhost:{site.info.port}", "http://127.0.0.1"):
        with pytest.raises(InvalidStatus) as refused:
            open_socket(address, origin=origin, proxy=None)
        assert refused.value.response.status_code == 403
    # The refusals did not use up the ticket, and our own page gets in.
    with open_socket(address, origin=site.info.url, proxy=None, max_size=None) as connection:
        assert isinstance(decode_from_server(connection.recv()), Chunk)


def test_a_name_that_is_not_ours_is_refused(site: Site) -> None:
    answer = httpx.get(site.info.url + "/", headers={"Host": "rebound.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "foreign_host")
    assert httpx.get(site.info.url + "/healthz", headers={"Host": "localhost:1"}).status_code == 200


def test_a_ticket_is_good_for_one_socket(site: Site) -> None:
    ticket = open_link(site.url).ticket
    with site.socket(ticket=ticket) as connection:
        drain(connection)
    for again in (ticket, "", "x" * 5000):
        with site.socket(ticket=again) as connection:
            messages, code = ending(connection)
        assert code == TICKET_EXPIRED
        assert isinstance(messages[-1], Error) and "open the link again" in messages[-1].text


def test_sockets_per_address_are_limited(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "MAX_SOCKETS_PER_ADDRESS", 2)
    with site.socket() as first, site.socket() as second:
        drain(first), drain(second)
        with site.socket() as third:
            assert ending(third)[1] == TOO_MANY
    for _ in range(100):  # leaving is noticed by the server in its own time
        with site.socket() as later:
            if isinstance(decode_from_server(later.recv()), Chunk):
                return
        time.sleep(0.02)
    pytest.fail("closed sockets are still counted")


# --- the stream ---------------------------------------------------------------------------------------


def test_the_first_picture_comes_without_a_message_and_before_the_description(site: Site) -> None:
    with site.socket() as connection:
        assert connection.subprotocol == SUBPROTOCOL
        messages = drain(connection)
    kinds = [type(message) for message in messages]
    assert kinds[:5] == [Chunk, Chunk, Scene, Tree, Chunk]
    chunks = {m.chunk: m.glb for m in messages if isinstance(m, Chunk)}
    assert chunks == {i: ASSET.chunk_bytes(i) for i in range(9)}
    assert messages[-1] == BatchDone(0, 0)


def test_the_query_says_where_the_viewer_looks(site: Site) -> None:
    def order(direction: str) -> list[int]:
        with site.socket(f"&credit=1000000&pose=0.5,1.6,1,{direction}&fov=70") as connection:
            return [m.chunk for m in drain(connection) if isinstance(m, Chunk)]

    north, south = order("0,0,-1"), order("0,0,1")
    assert north.index(2) < north.index(4)
    assert south.index(4) < south.index(2)


def test_a_budget_in_the_query_counts(site: Site) -> None:
    with site.socket("&credit=1000000&budget=0") as connection:
        messages = drain(connection)
    assert [m.chunk for m in messages if isinstance(m, Chunk)] == [0, 1, 8]
    assert messages[-1] == BatchDone(0, 6)


@pytest.mark.parametrize(
    "query",
    [
        "&credit=abc",
        "&credit=-1",
        "&credit=1e300",
        "&credit=nan",
        "&credit=9&pose=1,2,3",
        "&credit=9&pose=0,0,0,0,0,0",
        "&credit=9&pose=inf,0,0,0,0,1",
        "&credit=9&fov=0",
        "&credit=9&v=2",
        "&credit=9&budget=1e12",
    ],
)
def test_a_query_that_breaks_the_contract_is_refused_in_words(site: Site, query: str) -> None:
    with site.socket(query) as connection:
        messages, code = ending(connection)
    assert code == BAD_MESSAGE
    assert len(messages) == 1 and isinstance(messages[0], Error)


def test_a_returning_viewer_is_sent_only_what_it_lacks(site: Site) -> None:
    held = tuple(bytes.fromhex(ASSET.chunks[i].sha256)[:8] for i in (0, 1, 2, 3, 8))
    with site.socket("") as connection:
        connection.send(encode(Hello(PROTOCOL_VERSION, 100_000, 1_000_000, held)))
        messages = drain(connection)
    assert sorted(m.chunk for m in messages if isinstance(m, Chunk)) == [4, 5, 6, 7]


def test_a_viewer_that_gives_no_credit_is_not_flooded(site: Site) -> None:
    with site.socket("&credit=3000") as connection:
        chunks = []
        with pytest.raises(TimeoutError):
            while True:
                message = decode_from_server(connection.recv(timeout=0.4))
                if isinstance(message, Chunk):
                    chunks.append(message.chunk)
        assert chunks == [0, 1, 8]
        connection.send(encode(Credit(1_000_000)))
        assert isinstance(drain(connection)[-1], BatchDone)


def test_ping_is_answered(site: Site) -> None:
    with site.socket() as connection:
        drain(connection)
        connection.send(encode(Ping(7.25)))
        assert decode_from_server(connection.recv(timeout=5)) == Pong(7.25)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("text", BAD_MESSAGE),
        (b"", BAD_MESSAGE),
        (b"\x03\xff\xff\xff\xff", BAD_MESSAGE),
        (b"\x05" + b"\xff" * 4, BAD_MESSAGE),
        (b"\x05" + bytes(70_000), 1009),  # larger than any message may be; the socket itself refuses
    ],
)
def test_messages_that_break_the_protocol_close_the_socket(
    site: Site, data: str | bytes, expected: int
) -> None:
    with site.socket() as connection:
        drain(connection)
        connection.send(data)
        assert ending(connection)[1] == expected


def test_a_message_from_the_future_is_ignored(site: Site) -> None:
    with site.socket() as connection:
        drain(connection)
        connection.send(b"\x6fnew")
        connection.send(encode(Ping(1.0)))
        assert decode_from_server(connection.recv(timeout=5)) == Pong(1.0)


def test_a_chatterer_is_sent_away(site: Site) -> None:
    with site.socket() as connection:
        drain(connection)
        with suppress(ConnectionClosed):  # it may be sent away before it has said everything
            for _ in range(400):
                connection.send(encode(Ping(1.0)))
        assert ending(connection)[1] == TOO_MANY


def test_a_viewer_that_never_says_hello_is_sent_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HELLO_DEADLINE_S", 0.2)
    with site.socket("") as connection:
        assert ending(connection)[1] == TOO_SLOW


def test_a_viewer_that_never_gives_credit_is_sent_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CREDIT_DEADLINE_S", 0.2)
    with site.socket("&credit=2000") as connection:
        messages, code = ending(connection)
    assert code == TOO_SLOW
    assert isinstance(messages[-1], Error) and "credit" in messages[-1].text


def test_a_viewer_that_reads_nothing_is_cut_off_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CREDIT_DEADLINE_S", 0.3)
    monkeypatch.setattr(stream, "CLOSE_DEADLINE_S", 0.2)
    monkeypatch.setattr(http_protocol, "CLOSE_DEADLINE_S", 0.2)
    catalog = Catalog(tmp_path / "home")
    link = Links(catalog).create(catalog.publish(_heavy_asset()).id)
    with start_in_thread(tmp_path / "home") as info:
        ticket = open_link(info.link(link.path)).ticket
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", info.port))
        raw.sendall(
            f"GET /ws?ticket={ticket}&credit=4000000 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        raw.settimeout(10)
        time.sleep(1.5)  # reads nothing meanwhile
        received = 0
        with pytest.raises(ConnectionResetError):
            while received < 12_000_000:
                part = raw.recv(65_536)
                received += len(part)
                if not part:
                    raise ConnectionResetError
        raw.close()
    catalog.close()
    # Less than the credit it had: the rest stayed in nobody's buffers.
    assert received < 3_000_000


def _heavy_asset() -> SplatAsset:
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


def test_revoking_from_another_process_closes_the_socket(site: Site) -> None:
    other = site.links.create(site.scene.id)
    with site.socket() as connection, site.socket(ticket=_ticket(site, other)) as untouched:
        drain(connection), drain(untouched)
        site.links.revoke(site.link.id)
        messages, code = ending(connection)
        assert code == LINK_REVOKED
        assert isinstance(messages[-1], Error) and "revoked" in messages[-1].text
        untouched.send(encode(Ping(2.0)))
        assert decode_from_server(untouched.recv(timeout=5)) == Pong(2.0)


def _ticket(site: Site, link: ShareLink) -> str:
    return open_link(site.info.link(link.path)).ticket


def test_a_ticket_of_a_revoked_link_is_worth_nothing(site: Site) -> None:
    ticket = open_link(site.url).ticket
    site.links.revoke(site.link.id)
    with site.socket(ticket=ticket) as connection:
        assert ending(connection)[1] == LINK_REVOKED


def test_an_expiring_link_closes_its_sockets(site: Site) -> None:
    with site.socket() as connection:
        drain(connection)
        with site.catalog.database.transaction():
            site.catalog.database.write("UPDATE link SET expires_at = 5", ())
        messages, code = ending(connection)
    assert code == LINK_REVOKED
    assert isinstance(messages[-1], Error) and "expired" in messages[-1].text


def test_deleting_a_scene_closes_its_sockets(site: Site) -> None:
    with site.socket() as connection:
        drain(connection)
        httpx.delete(f"{site.info.url}/api/scenes/{site.scene.id}", headers=site.owner).raise_for_status()
        assert ending(connection)[1] == NOT_FOUND


def test_a_damaged_pack_is_not_streamed(site: Site) -> None:
    pack = site.catalog.pack_folder(site.scene) / "pack.bin"
    data = bytearray(pack.read_bytes())
    data[5000] ^= 1
    pack.write_bytes(data)
    answer = httpx.post(f"{site.info.url}/api/links/{site.link.id}/open", json={"secret": site.link.secret})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "bad_asset")


def test_a_server_that_goes_down_sends_its_viewers_away(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "home")
    link = Links(catalog).create(catalog.publish(ASSET).id)
    with ExitStack() as stack:
        with start_in_thread(tmp_path / "home") as info:
            ticket = open_link(info.link(link.path)).ticket
            address = f"ws://127.0.0.1:{info.port}/ws?ticket={ticket}&credit=1000000"
            connection = stack.enter_context(open_socket(address, proxy=None, max_size=None))
            drain(connection)
        messages, code = ending(connection)
    catalog.close()
    assert code == 1001
    assert isinstance(messages[-1], Redirect) and messages[-1].retry_ms > 0


# --- abuse --------------------------------------------------------------------------------------------


def test_half_a_request_is_not_held(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_DEADLINE_S", 0.3)
    for beginning in (
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-a: ",
        b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
    ):
        connection = socket.create_connection(("127.0.0.1", site.info.port), timeout=10)
        connection.sendall(beginning)
        try:
            answer = b"".join(iter(lambda c=connection: c.recv(4096), b""))
        except ConnectionResetError:
            answer = b""
        connection.close()
        assert not answer.startswith(b"HTTP/1.1 200")


def test_a_request_that_never_ends_is_refused(site: Site) -> None:
    connection = socket.create_connection(("127.0.0.1", site.info.port), timeout=10)
    answer = b""
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for _ in range(200):
            connection.sendall(b"X-a: " + b"a" * 1000 + b"\r\n")
        answer = connection.recv(4096)
    except (ConnectionResetError, BrokenPipeError):
        pass
    connection.close()
    assert answer == b"" or b"413" in answer.split(b"\r\n")[0]
    assert httpx.get(site.info.url + "/healthz").status_code == 200


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8))
def test_no_bytes_from_a_viewer_hurt_the_server(shared_site: Site, messages: list[bytes]) -> None:
    link = shared_site.links.create(shared_site.scene.id)
    grant = httpx.post(
        f"{shared_site.info.url}/api/links/{link.id}/open", json={"secret": link.secret}
    ).json()
    with shared_site.socket("&credit=5000", ticket=grant["ticket"]) as connection:
        try:
            for data in messages:
                connection.send(data)
            connection.send(encode(Ping(3.0)))
            while decode_from_server(connection.recv(timeout=10)) != Pong(3.0):
                pass
        except ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd.code == BAD_MESSAGE
    assert httpx.get(shared_site.info.url + "/healthz").json() == {"status": "ok"}


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("shared")
    catalog = Catalog(home)
    scene = catalog.publish(ASSET)
    links = Links(catalog)
    with start_in_thread(home) as info:
        yield Site(info, catalog, links, scene, links.create(scene.id), {})
    catalog.close()


def test_connections_that_end_in_any_way_leave_no_timers(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_protocol, "CLOSE_DEADLINE_S", 0.2)
    monkeypatch.setattr(http_protocol, "REQUEST_DEADLINE_S", 0.2)
    heavy = site.links.create(site.catalog.publish(_heavy_asset()).id)
    for _ in range(3):
        with site.socket("&credit=4000000", ticket=_ticket(site, heavy)) as connection:
            connection.recv()  # and leave while megabytes are on their way
    with site.socket(ticket="none") as connection:
        ending(connection)
    for request in (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        for how in (socket.SHUT_WR, socket.SHUT_RDWR):
            raw = socket.create_connection(("127.0.0.1", site.info.port))
            raw.sendall(request)
            raw.shutdown(how)
            raw.close()
    time.sleep(0.6)
    assert httpx.get(site.info.url + "/healthz").status_code == 200
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_logs_hold_no_secrets(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        opened = open_link(site.url)
        with site.socket(ticket=opened.ticket) as connection:
            drain(connection)
        with site.socket(ticket=opened.ticket) as connection:
            ending(connection)
        httpx.get(f"{site.info.url}/api/scenes", headers=site.owner)
    ours = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore", "websockets.client"))
    ]
    assert any("viewer" in line for line in ours)
    for secret in (site.link.secret, opened.ticket, opened.bearer, site.info.owner_token):
        assert not any(str(secret) in line for line in ours)


# --- starting -----------------------------------------------------------------------------------------


def test_a_taken_port_is_said_in_one_line(site: Site, tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match=f"port {site.info.port} is taken") as caught,
        start_in_thread(tmp_path / "other", port=site.info.port),
    ):
        pass
    assert "--port" in str(caught.value.hint)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "plain HTTP is refused"),
        ({"host": "203.0.113.7", "insecure": True}, "cannot be listened on"),
        ({"cert": Path("cert.pem")}, "come together"),
        ({"cert": Path("none.pem"), "key": Path("none.key")}, "cannot be used"),
    ],
)
def test_a_server_that_would_not_be_safe_does_not_start(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ServerError, match=message), start_in_thread(tmp_path, **options):  # type: ignore[arg-type]
        pass


_SERVE = """
import sys
from pathlib import Path
from immersive.server.run import serve
serve(Path(sys.argv[1]), port=0, on_ready=lambda info: print(info.url, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("ending_signal", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_until_it_is_interrupted(tmp_path: Path, ending_signal: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert httpx.get(url + "/healthz").status_code == 200
    process.send_signal(ending_signal)
    rest = process.stdout.read()
    process.stdout.close()
    if ending_signal == signal.SIGINT:
        assert (process.wait(10), rest) == (0, "stopped\n")
    else:
        assert process.wait(10) in (0, -signal.SIGTERM)
