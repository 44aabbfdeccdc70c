"""Pictures on a real socket and by request: who gets them, how many at once, and when they have to go."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket

from immersive.catalog import Catalog, SceneRecord
from immersive.client import OpenedLink, open_link
from immersive.serve_command import sample_folder
from immersive.server import picture_routes
from immersive.server.run import start_in_thread
from immersive.share import Links, ShareLink
from immersive.thin import studio
from streaming.messages import (
    BAD_MESSAGE,
    LINK_REVOKED,
    NOT_FOUND,
    SUBPROTOCOL,
    TICKET_EXPIRED,
    TOO_MANY,
    TOO_SLOW,
    Credit,
    Error,
    Picture,
    Ping,
    Pong,
    Pose,
    Redirect,
    decode_from_server,
    encode,
)
from streaming.pack import read_asset
from tests.streaming.opaque_asset import opaque_asset


@dataclass
class Place:
    url: str
    links: Links
    scene: SceneRecord
    damaged: SceneRecord

    def link(self, scene: SceneRecord | None = None) -> ShareLink:
        return self.links.create((scene or self.scene).id)

    def open(self, link: ShareLink | None = None) -> OpenedLink:
        return open_link(self.url + (link or self.link()).path)

    def socket(self, ticket: str, query: str = "", **more: object) -> ClientConnection:
        return open_socket(
            f"ws{self.url.removeprefix('http')}/ws/pictures?ticket={ticket}{query}",
            subprotocols=[SUBPROTOCOL], compression=None, max_size=None, proxy=None, **more,
        )  # type: ignore[arg-type]  # fmt: skip

    def get(self, opened: OpenedLink, query: str = "", scene: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {opened.bearer}"}
        address = f"{self.url}/api/scenes/{scene or self.scene.id}/picture{query}"
        return httpx.get(address, headers=headers, timeout=20)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Catalog]]:
    home = tmp_path_factory.mktemp("pictures")
    catalog = Catalog(home)
    scene, damaged = catalog.publish(read_asset(sample_folder())), catalog.publish(opaque_asset())
    with start_in_thread(home) as info:
        yield Place(info.url, Links(catalog), scene, damaged), catalog
    catalog.close()


@pytest.fixture
def place(shared: tuple[Place, Catalog]) -> Place:
    return shared[0]


def _receive(socket: ClientConnection) -> object:
    return decode_from_server(socket.recv(timeout=20))


def _ending(socket: ClientConnection) -> tuple[list[object], int]:
    messages: list[object] = []
    try:
        while True:
            messages.append(_receive(socket))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return messages, closed.rcvd.code


def _picture(socket: ClientConnection) -> Picture:
    message = _receive(socket)
    assert isinstance(message, Picture), message
    socket.send(encode(Credit(len(message.picture))))
    return message


def test_a_visitor_walks_and_is_shown_where_they_are(place: Place) -> None:
    with place.socket(place.open().ticket, "&size=320x200&fov=80") as socket:
        first = _picture(socket)
        with Image.open(io.BytesIO(first.picture)) as image:
            assert (image.format, image.size) == ("JPEG", (320, 200))
        x, y, z = first.position
        socket.send(encode(Pose(1, (x, y + 50.0, z - 0.5), (0.0, 0.0, -1.0), 80.0)))
        second = _picture(socket)
        assert second.epoch == 1 and 0 < second.took_ms < 20_000
        # The ground decides about heights.
        assert second.position[2] == pytest.approx(z - 0.5, abs=1e-3) and abs(second.position[1] - y) < 0.4
        socket.send(encode(Pose(2, second.position, (1.0, 0.0, 0.0), 80.0)))
        assert _picture(socket).picture != second.picture
        socket.send(encode(Ping(3.5)))
        assert _receive(socket) == Pong(3.5)


def test_who_comes_back_says_where_they_were(place: Place) -> None:
    with place.socket(place.open().ticket, "&size=64x64") as socket:
        x, y, z = _picture(socket).position
    with place.socket(place.open().ticket, f"&size=64x64&pose={x + 0.5},{y + 0.2},{z - 0.3},1,0,0") as socket:
        first = _picture(socket)
    assert first.epoch == 0 and first.position[0] == pytest.approx(x + 0.5)
    assert first.position[2] == pytest.approx(z - 0.3) and abs(first.position[1] - y) < 0.3
    # Nobody stands in the air.
    with place.socket(place.open().ticket, f"&size=64x64&pose={x + 0.5},{y + 7},{z},1,0,0") as socket:
        assert _picture(socket).position == pytest.approx((x, y, z), abs=1e-3)


def test_a_viewer_that_does_not_answer_gets_two_pictures_and_then_has_to_go(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_routes, "CREDIT_DEADLINE_S", 0.5)
    with place.socket(place.open().ticket, "&size=64x64") as socket:
        # It goes on saying where it looks, which is no answer.
        for epoch in range(1, 30):
            with suppress(ConnectionClosed):
                socket.send(encode(Pose(epoch, (0.0, 1.6, -0.1 * epoch), (0.0, 0.0, -1.0), 80.0)))
            time.sleep(0.05)
        messages, code = _ending(socket)
    assert [type(message) for message in messages] == [Picture, Picture, Error]
    assert code == TOO_SLOW


def test_tickets_are_good_for_one_socket_of_either_kind(place: Place) -> None:
    opened = place.open()
    with place.socket(opened.ticket, "&size=64x64") as socket:
        _picture(socket)
    for ticket in (opened.ticket, "", "x" * 32, opened.bearer):
        with place.socket(ticket) as socket:
            messages, code = _ending(socket)
        assert code == TICKET_EXPIRED and len(messages) == 1
    ticket = place.open().ticket
    with pytest.raises(InvalidStatus):
        place.socket(ticket, origin="https://evil.example")
    with place.socket(ticket, "&size=64x64") as socket:  # the refusal did not use it up
        _picture(socket)


@pytest.mark.parametrize("query", ["&size=9x9", "&kind=png", "&stereo=2", "&fov=200", "&fov=x", "&v=7"])
def test_what_breaks_the_contract_is_said(place: Place, query: str) -> None:
    with place.socket(place.open().ticket, query) as socket:
        messages, code = _ending(socket)
    assert code == BAD_MESSAGE and isinstance(messages[-1], Error)
    assert query[1:].split("=")[0] in messages[-1].text


@pytest.mark.parametrize("data", [b"", b"\x02", "text"])
def test_messages_that_are_none_end_the_visit(place: Place, data: bytes | str) -> None:
    with place.socket(place.open().ticket, "&size=64x64") as socket:
        _picture(socket)
        socket.send(data)
        assert _ending(socket)[1] == BAD_MESSAGE


def test_a_revoked_link_shows_nothing_within_a_second(place: Place) -> None:
    link = place.link()
    opened = place.open(link)
    with place.socket(opened.ticket, "&size=64x64") as socket:
        _picture(socket)
        place.links.revoke(link.id)
        began = time.monotonic()
        messages, code = _ending(socket)
        assert code == LINK_REVOKED and isinstance(messages[-1], Error)
        assert time.monotonic() - began < 2.0  # 0.5 s apart are the looks; a busy machine gets more
    assert place.get(opened, "?size=64x64").status_code == 401


def test_a_link_that_is_revoked_while_a_picture_is_drawn_is_not_given_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = place.link()
    opened = place.open(link)

    async def drawn(*asked: object) -> tuple[bytes, tuple[float, float, float]]:
        place.links.revoke(link.id)
        return b"a picture", (0.0, 0.0, 0.0)

    monkeypatch.setattr(picture_routes, "_one_picture", drawn)
    answer = place.get(opened, "?size=64x64")
    assert answer.status_code == 410 and b"a picture" not in answer.content


def test_a_damaged_scene_is_said_to_be_one(place: Place) -> None:
    opened = place.open(place.link(place.damaged))
    with place.socket(opened.ticket) as socket:
        messages, code = _ending(socket)
    assert code == NOT_FOUND and "damaged" in str(messages[-1])
    answer = place.get(opened, scene=place.damaged.id)
    assert answer.status_code == 404 and "damaged" in answer.json()["error"]["message"]


def test_by_request_there_is_one_picture_from_where_one_may_be(place: Place) -> None:
    opened = place.open()
    start = place.get(opened, "?size=320x200&kind=webp&stereo=1")
    assert (start.status_code, start.headers["content-type"]) == (200, "image/webp")
    assert "no-store" in start.headers["cache-control"]
    with Image.open(io.BytesIO(start.content)) as image:
        assert (image.format, image.size) == ("WEBP", (320, 200))
    at = start.headers["x-position"]
    x, y, z = (float(part) for part in at.split(","))
    moved = place.get(opened, f"?size=64x64&at={at}&pose={x},{y + 9},{z - 0.4},0,0,-1&fov=60")
    there = [float(part) for part in moved.headers["x-position"].split(",")]
    assert there[2] == pytest.approx(z - 0.4, abs=1e-3) and abs(there[1] - y) < 0.4
    # Through walls and out of the world nobody walks, however far they ask for.
    far = place.get(opened, f"?size=64x64&at={at}&pose=900,{y},{z},0,0,-1").headers["x-position"]
    assert float(far.split(",")[0]) < x + 1.51


@pytest.mark.parametrize(
    "query",
    ["?pose=1,2,3", "?pose=a", "?pose=0,0,0,0,0,0", "?fov=nan", "?fov=0", "?at=1", "?size=1x1", "?kind=gif"],
)
def test_requests_that_make_no_sense_are_refused_in_words(place: Place, query: str) -> None:
    answer = place.get(place.open(), query)
    assert answer.status_code == 422 and answer.json()["error"]["message"]


def test_too_many_at_once_are_told_so_and_later_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "VISITORS_PER_THREAD", 1)
    monkeypatch.setattr(studio, "DRAWN_AT_ONCE", 1)
    catalog = Catalog(tmp_path / "home")
    scene = catalog.publish(read_asset(sample_folder()))
    with start_in_thread(tmp_path / "home") as info:
        place = Place(info.url, Links(catalog), scene, scene)
        link = place.link()
        with place.socket(place.open(link).ticket, "&size=64x64") as first:
            _picture(first)
            with place.socket(place.open(link).ticket, "&size=64x64") as second:
                messages, code = _ending(second)
            assert code == TOO_MANY and "another device" in str(messages[-1])
            answer = place.get(place.open(link), "?size=64x64")
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
        for _ in range(50):  # leaving is noticed by the server in its own time
            answer = place.get(place.open(link), "?size=64x64")
            if answer.status_code == 200:
                break
            time.sleep(0.1)
        assert answer.status_code == 200
    catalog.close()


def test_who_stands_still_for_long_leaves_the_seat_to_who_walks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "VISITORS_PER_THREAD", 1)
    monkeypatch.setattr(studio, "DRAWN_AT_ONCE", 1)
    monkeypatch.setattr(picture_routes, "_SEAT_S", 0.3)
    catalog = Catalog(tmp_path / "home")
    scene = catalog.publish(read_asset(sample_folder()))
    with start_in_thread(tmp_path / "home") as info:
        place = Place(info.url, Links(catalog), scene, scene)
        link = place.link()
        with place.socket(place.open(link).ticket, "&size=64x64") as first:
            _picture(first)
            time.sleep(0.5)
            with place.socket(place.open(link).ticket, "&size=64x64") as second:
                _picture(second)
                first.send(encode(Pose(1, (0.0, 0.0, -0.4), (1.0, 0.0, 0.0), 80.0)))
                assert _ending(first)[1] == TOO_MANY
    catalog.close()


def test_a_server_that_goes_down_says_goodbye(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "home")
    scene = catalog.publish(read_asset(sample_folder()))
    with ExitStack() as opened:
        with start_in_thread(tmp_path / "home") as info:
            place = Place(info.url, Links(catalog), scene, scene)
            socket = opened.enter_context(place.socket(place.open().ticket, "&size=64x64"))
            _picture(socket)
        assert isinstance(_ending(socket)[0][-1], Redirect)
    catalog.close()
