"""The stream on a real socket: who gets in, what they get, and when they have to go."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as open_socket

from immersive.catalog import Catalog
from immersive.client import open_link
from immersive.server import http_protocol, stream, viewers
from immersive.server.run import start_in_thread
from immersive.share import Links
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
from tests.immersive.served_site import ASSET, Site, drain, ending, heavy_asset, ticket_of


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
    link = Links(catalog).create(catalog.publish(heavy_asset()).id)
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


def test_revoking_from_another_process_closes_the_socket(site: Site) -> None:
    other = site.links.create(site.scene.id)
    with site.socket() as connection, site.socket(ticket=ticket_of(site, other)) as untouched:
        drain(connection), drain(untouched)
        site.links.revoke(site.link.id)
        messages, code = ending(connection)
        assert code == LINK_REVOKED
        assert isinstance(messages[-1], Error) and "revoked" in messages[-1].text
        untouched.send(encode(Ping(2.0)))
        assert decode_from_server(untouched.recv(timeout=5)) == Pong(2.0)


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
