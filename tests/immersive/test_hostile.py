"""Clients that mean harm, tens at a time, over real sockets; `tests.bench.hostile` has hundreds."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from immersive.server import http_protocol, stream
from streaming.messages import SUBPROTOCOL, Chunk, Credit, decode_from_server, encode
from tests.fuzz import messages
from tests.immersive.served_site import ROOT, Site, drain, heavy_asset, ticket_of

EMPTY = struct.pack("!BBI", 0x00, 0x80, 0)  # a fragment that is neither first nor last, and holds nothing


@contextmanager
def raw_socket(site: Site, ticket: str, query: str = "") -> Iterator[socket.socket]:
    """Upgrade by hand, so that frames may be sent that no library sends."""
    with socket.create_connection(("127.0.0.1", site.info.port), timeout=10) as connection:
        connection.sendall(
            f"GET /ws?ticket={ticket}{query} HTTP/1.1\r\nHost: 127.0.0.1:{site.info.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(1)
        assert answer.startswith(b"HTTP/1.1 101")
        yield connection


def until_closed(connection: socket.socket, data: bytes) -> None:
    """Send `data` over and over until the other side closes, which it must within 10 s."""
    give_up = time.monotonic() + 10
    connection.settimeout(0.2)
    while time.monotonic() < give_up:
        try:
            connection.sendall(data)
            piece = connection.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            return
        if not piece:
            return
    raise AssertionError("the server must close")


def own_rss_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def assert_served(site: Site) -> None:
    with site.socket() as connection:
        assert isinstance(drain(connection)[0], Chunk)


@pytest.mark.parametrize(
    "first", [bytes([0x02, 0x80]) + bytes(4), bytes([0x01, 0x80]) + bytes(4)], ids=["binary", "text"]
)
def test_a_message_of_endless_fragments_is_cut_off(site: Site, first: bytes) -> None:
    with raw_socket(site, ticket_of(site, site.link), "&credit=1") as connection:
        connection.sendall(first)
        until_closed(connection, EMPTY * 5_000)

    assert_served(site)


@pytest.mark.parametrize("opcode", [0x89, 0x8A], ids=["ping", "pong"])
def test_a_flood_of_control_frames_is_cut_off(site: Site, opcode: int) -> None:
    with raw_socket(site, ticket_of(site, site.link), "&credit=1") as connection:
        until_closed(connection, (bytes([opcode, 0x80]) + bytes(4)) * 5_000)

    assert_served(site)


def test_pings_of_one_who_never_reads_fill_no_memory(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "FRAME_BURST", 10**9)  # the memory is what is looked at
    monkeypatch.setattr(stream, "CREDIT_DEADLINE_S", 600.0)  # which a busy machine may need
    ping = bytes([0x89, 0x80 | 125]) + bytes(4 + 125)
    with raw_socket(site, ticket_of(site, site.link), "&credit=1") as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before_kb = own_rss_kb()
        for _ in range(400):
            connection.sendall(ping * 800)  # 42 MB in all

        assert own_rss_kb() - before_kb < 15_000
    assert_served(site)


def test_ordinary_pings_are_answered(site: Site) -> None:
    with site.socket("&credit=0") as connection:
        for _ in range(30):
            assert connection.ping(b"here").wait(10)


def test_headers_that_drip_are_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_DEADLINE_S", 0.6)
    with ExitStack() as stack:
        drips = [
            stack.enter_context(socket.create_connection(("127.0.0.1", site.info.port))) for _ in range(40)
        ]
        alive = set(drips)
        give_up = time.monotonic() + 10
        while alive and time.monotonic() < give_up:
            for drip in list(alive):
                try:
                    drip.send(b"G")
                except OSError:
                    alive.discard(drip)
            time.sleep(0.05)
        assert not alive
    assert_served(site)


def test_viewers_that_read_nothing_do_not_keep_others_waiting(site: Site) -> None:
    heavy = site.links.create(site.catalog.publish(heavy_asset()).id)
    with ExitStack() as stack:
        for _ in range(15):
            silent = stack.enter_context(raw_socket(site, ticket_of(site, heavy), "&credit=4000000"))
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        began = time.thread_time()
        assert_served(site)
        assert httpx.get(site.info.url + "/healthz").status_code == 200
        assert time.thread_time() - began < 5


def test_a_hundred_messages_in_a_row_are_no_flood(site: Site) -> None:
    with site.socket("&credit=1000000") as connection:
        drain(connection)
        for _ in range(100):
            connection.send(encode(Credit(1)))
        connection.send(encode(Credit(10)))
        assert connection.ping(b"still").wait(10)


def test_messages_of_the_grammar_damaged_or_not_are_obeyed_or_refused() -> None:
    assert messages.main(["--cases", "6000", "--seed", "3"]) == 0


def test_other_visitors_are_served_while_fragments_rain(site: Site) -> None:
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            try:
                with raw_socket(site, ticket_of(site, site.link), "&credit=1") as connection:
                    connection.sendall(bytes([0x02, 0x80]) + bytes(4))
                    until_closed(connection, EMPTY * 5_000)
            except (OSError, AssertionError, httpx.HTTPError):
                return

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        for _ in range(5):
            with site.socket() as connection:
                assert isinstance(decode_from_server(connection.recv(timeout=10)), Chunk)
    finally:
        stop.set()
        flooding.join()


def test_the_latest_ping_is_answered_once_there_is_room_again(site: Site) -> None:
    heavy = site.links.create(site.catalog.publish(heavy_asset()).id)
    with raw_socket(site, ticket_of(site, heavy), "&credit=4000000") as connection:
        time.sleep(0.3)  # until the server can write no more
        for name in (b"first", b"other", b"later"):
            connection.sendall(bytes([0x89, 0x80 | 5]) + bytes(4) + name)
        time.sleep(0.2)
        came = b""
        while b"\x8a\x05later" not in came:
            part = connection.recv(1 << 20)
            assert part, "the server closed and did not answer"
            came += part
        assert b"\x8a\x05first" not in came or b"\x8a\x05other" not in came  # not a queue of them


def test_one_address_does_not_get_all_connections(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "MAX_CONNECTIONS_PER_ADDRESS", 12)
    with ExitStack() as stack:
        taken = [
            stack.enter_context(socket.create_connection(("127.0.0.1", site.info.port))) for _ in range(30)
        ]
        time.sleep(0.3)
        refused = 0
        for connection in taken:
            connection.settimeout(0.05)
            try:
                refused += connection.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                refused += 1
        assert refused >= 30 - 12
        # Another address of this machine is another visitor.
        with socket.create_connection(
            ("127.0.0.1", site.info.port), source_address=("127.0.0.9", 0)
        ) as other:
            other.settimeout(10)
            other.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{site.info.port}\r\n\r\n".encode())
            assert other.recv(100).startswith(b"HTTP/1.1 200")
    assert_served(site)


def test_a_server_may_open_more_files_than_it_has_connections() -> None:
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 3_000))\n"
        "from immersive.server import run\n"
        "run.allow_files(2_000); print(resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "run.allow_files(100); print(resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "run.allow_files(9_000); print(resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split("\n")[:3] == ["(2000, 3000)", "(2000, 3000)", "(3000, 3000)"]
