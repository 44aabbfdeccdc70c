"""What nobody can do to the server, and what its logs do not hold."""

from __future__ import annotations

import logging
import socket
import time

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from immersive.client import open_link
from immersive.server import http_protocol
from streaming.messages import (
    BAD_MESSAGE,
    Ping,
    Pong,
    decode_from_server,
    encode,
)
from tests.immersive.served_site import Site, drain, ending, heavy_asset, ticket_of


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


def test_connections_that_end_in_any_way_leave_no_timers(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_protocol, "CLOSE_DEADLINE_S", 0.2)
    monkeypatch.setattr(http_protocol, "REQUEST_DEADLINE_S", 0.2)
    heavy = site.links.create(site.catalog.publish(heavy_asset()).id)
    for _ in range(3):
        with site.socket("&credit=4000000", ticket=ticket_of(site, heavy)) as connection:
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
