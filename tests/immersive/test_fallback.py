"""The stream without a socket: who gets in, what comes, what ends it. The client's side: test_client."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from immersive.catalog import Catalog
from immersive.client import open_link
from immersive.server import fallback, limits, viewers
from immersive.server.run import start_in_thread
from immersive.share import Links, ShareLink
from streaming.messages import (
    LINK_REVOKED,
    PROTOCOL_VERSION,
    BatchDone,
    Chunk,
    Credit,
    Error,
    Hello,
    Pose,
    Redirect,
    Scene,
    Tree,
    decode_from_server,
    encode,
)
from tests.streaming.opaque_asset import opaque_asset

ASSET = opaque_asset()


@dataclass
class Site:
    url: str
    links: Links
    link: ShareLink

    def ticket(self) -> str:
        return open_link(self.url + self.link.path).ticket

    def open(self, query: str = "&credit=1000000", **more: object) -> httpx.Response:
        return httpx.post(f"{self.url}/api/stream?ticket={self.ticket()}{query}", **more)  # type: ignore[arg-type]

    def go_on(self, name: str, *messages: object) -> httpx.Response:
        body = b"".join(framed(encode(message)) for message in messages)  # type: ignore[arg-type]
        return httpx.post(f"{self.url}/api/stream/{name}", content=body, timeout=30)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    catalog = Catalog(tmp_path)
    links = Links(catalog)
    with start_in_thread(tmp_path) as info:
        yield Site(info.url, links, links.create(catalog.publish(ASSET).id))
    catalog.close()


def framed(message: bytes) -> bytes:
    return struct.pack("<I", len(message)) + message


def messages_of(answer: httpx.Response) -> list[object]:
    found, data = [], answer.content
    while data:
        (length,) = struct.unpack_from("<I", data)
        found.append(decode_from_server(data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def test_an_answer_holds_the_first_picture_first_and_ends_when_all_is_said(site: Site) -> None:
    answer = site.open()

    said = messages_of(answer)
    kinds = [type(message) for message in said]
    assert kinds == [Chunk, Chunk, Scene, Tree, *[Chunk] * 7, BatchDone]
    assert {m.chunk: m.glb for m in said if isinstance(m, Chunk)} == {
        i: ASSET.chunk_bytes(i) for i in range(9)
    }
    assert answer.headers["cache-control"] == "no-store, no-transform"


def test_an_answer_ends_with_its_credit_and_the_next_goes_on(site: Site) -> None:
    answer = site.open("&credit=2000")

    first = [m.chunk for m in messages_of(answer) if isinstance(m, Chunk)]
    more = site.go_on(answer.headers["x-stream"], Credit(1_000_000))
    rest = [m.chunk for m in messages_of(more) if isinstance(m, Chunk)]
    assert first == [0, 1]  # 1516 bytes leave credit for one more to begin
    assert sorted(first + rest) == list(range(9))


def test_what_a_returning_viewer_holds_is_not_sent(site: Site) -> None:
    name = site.open("").headers["x-stream"]
    have = tuple(bytes.fromhex(chunk.sha256)[:8] for chunk in ASSET.chunks[:8])

    said = messages_of(site.go_on(name, Hello(PROTOCOL_VERSION, 1_000_000, 1_000_000, have)))

    assert [m.chunk for m in said if isinstance(m, Chunk)] == [8]


@pytest.mark.parametrize("query", ["", "?ticket=made-up", "?ticket="])
def test_without_a_ticket_there_is_no_stream(site: Site, query: str) -> None:
    answer = httpx.post(f"{site.url}/api/stream{query}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ticket_expired")


def test_a_ticket_opens_one_stream_of_either_kind(site: Site) -> None:
    ticket = site.ticket()

    statuses = [httpx.post(f"{site.url}/api/stream?ticket={ticket}").status_code for _ in range(2)]

    assert statuses == [200, 401]


def test_a_name_that_was_not_given_is_nobodys_stream(site: Site) -> None:
    assert site.go_on("guessed", Credit(1)).status_code == 404


def test_pages_of_others_and_names_of_others_are_refused(site: Site) -> None:
    assert site.open(headers={"Origin": "https://elsewhere.test"}).status_code == 403
    name = site.open().headers["x-stream"]
    foreign = {"Origin": "https://elsewhere.test"}
    assert httpx.post(f"{site.url}/api/stream/{name}", headers=foreign).status_code == 403
    assert site.open(headers={"Host": "elsewhere.test"}).status_code == 421


def test_a_revoked_link_ends_its_streams_with_a_word(site: Site) -> None:
    name = site.open().headers["x-stream"]
    ticket = site.ticket()
    site.links.revoke(site.link.id)

    began = time.monotonic()
    said = messages_of(site.go_on(name))

    assert time.monotonic() - began < limits.POLL_S / 2  # a waiting request is answered at once
    assert [m.code for m in said if isinstance(m, Error)] == [LINK_REVOKED]
    assert site.go_on(name).status_code == 404
    assert httpx.post(f"{site.url}/api/stream?ticket={ticket}").status_code == 410


@pytest.mark.parametrize(
    "body",
    [b"\1\0", struct.pack("<I", 9) + b"\3", framed(b"\3\1"), framed(encode(Credit(1))) + b"\xff" * 4],
)
def test_bodies_that_break_the_protocol_end_the_stream_in_words(site: Site, body: bytes) -> None:
    name = site.open().headers["x-stream"]

    answer = httpx.post(f"{site.url}/api/stream/{name}", content=body)

    assert [type(m) for m in messages_of(answer)] == [Error]
    assert site.go_on(name).status_code == 404


def test_a_newer_request_ends_the_wait_of_an_older_one(site: Site) -> None:
    name = site.open().headers["x-stream"]
    address = f"{site.url}/api/stream/{name}"
    with httpx.stream("POST", address, timeout=5) as older:
        newer = site.go_on(name, Pose(1, (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), 90.0))
        older.read()

    assert older.content == b""
    assert [type(m) for m in messages_of(newer)] == [BatchDone]


def test_streams_count_among_the_sockets_of_an_address(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "MAX_SOCKETS_PER_ADDRESS", 1)
    site.open()

    assert site.open().status_code == 429


def test_a_viewer_that_stops_asking_is_forgotten(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "POLL_GAP_S", 0.1)
    name = site.open().headers["x-stream"]

    time.sleep(0.4)

    assert site.go_on(name).status_code == 404


def test_a_viewer_that_never_says_hello_or_gives_credit_is_sent_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "HELLO_DEADLINE_S", 0.1)
    monkeypatch.setattr(fallback, "CREDIT_DEADLINE_S", 0.1)
    for query, reason in (("", "no HELLO"), ("&credit=1", "no credit")):
        name = site.open(query).headers["x-stream"]
        said = messages_of(site.go_on(name))
        assert [m.text for m in said if isinstance(m, Error)] == [f"{reason} came"]


def test_a_chatterer_is_sent_away(site: Site) -> None:
    name = site.open().headers["x-stream"]

    said = messages_of(site.go_on(name, *[Credit(0)] * 200))

    assert [type(m) for m in said] == [Error]


def test_an_answer_that_breaks_off_ends_the_stream(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    name = site.open().headers["x-stream"]
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{site.url}/api/stream/{name}", timeout=0.3)
    time.sleep(0.3)

    assert site.go_on(name).status_code == 404


def test_a_server_that_goes_down_tells_who_waits(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    link = Links(catalog).create(catalog.publish(ASSET).id)
    with start_in_thread(tmp_path) as info:
        site = Site(info.url, Links(catalog), link)
        name = site.open().headers["x-stream"]
        waiting = httpx.Client(timeout=10)
        request = waiting.build_request("POST", f"{site.url}/api/stream/{name}")
        answer = waiting.send(request, stream=True)
    answer.read()
    waiting.close()
    catalog.close()

    assert [type(m) for m in messages_of(answer)] == [Redirect]
