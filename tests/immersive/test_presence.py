"""People in one scene, over real sockets: who sees whom, and what it takes from the stream."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from immersive.client import SceneConnection, connect, open_link
from immersive.share import Links
from streaming.messages import BAD_MESSAGE, TOO_MANY, Chunk, Ping, Pong, decode_from_server, encode
from streaming.peer_pose import Hand, PersonPose, pose_message, poses_in
from streaming.people_messages import PeerJoin, PeerNames, Peers, PeerSay
from tests.immersive.served_site import Site, drain, ending, heavy_asset, ticket_of

AHEAD = (1.0, 0.0, 0.0, 0.0)


def at(x: float) -> PersonPose:
    return PersonPose((x, 1.5, -2.0), AHEAD)


async def until(connections: list[SceneConnection], condition: Callable[[], bool]) -> None:
    """Read from all connections until the condition holds."""

    async def read(connection: SceneConnection) -> None:
        while True:
            await connection.receive()

    tasks = [asyncio.create_task(read(connection)) for connection in connections]
    try:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)
                for task in tasks:
                    if task.done():
                        task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_two_people_with_one_link_see_each_other_move_and_leave(site: Site) -> None:
    async def scenario() -> None:
        async with connect(site.url) as one, connect(site.url) as two:
            await one.join("Anna", 0x3366FF)
            await one.pose(at(1.0))
            await two.pose(PersonPose((0.5, 1.25, 3.0), AHEAD, right=Hand((0.25, -0.5, -0.125), AHEAD)))
            await until([one, two], lambda: bool(one.people and two.people))
            [anna], [other] = two.people.values(), one.people.values()
            assert (anna.name, anna.colour) == ("Anna", 0x3366FF) and anna.pose == at(1.0)
            assert other.name == "Guest 1" and other.pose is not None
            assert other.pose.position == (0.5, 1.25, 3.0) and other.pose.left is None
            assert other.pose.right is not None and other.pose.right.offset == (0.25, -0.5, -0.125)
            # The scene came beside it, whole.
            await until([one, two], lambda: one.received.is_complete and two.received.is_complete)

            await one.pose(at(2.0))
            await until([two], lambda: anna.pose == at(2.0))
            one.cut()
            await until([two], lambda: not two.people)

    asyncio.run(scenario())


def test_a_note_is_heard_and_too_many_are_lost(site: Site) -> None:
    async def scenario() -> None:
        async with connect(site.url) as one, connect(site.url) as two:
            await one.join("Anna")
            await one.pose(at(1.0))
            await two.pose(at(2.0))
            await until([one, two], lambda: bool(one.people and two.people))
            for number in range(20):
                await one.say(f"note {number}")
            await one.pose(at(3.0))  # told at the same time as the last notes, or later
            [anna] = two.people.values()
            heard = []
            while anna.pose != at(3.0):
                message = await two.receive()
                if isinstance(message, PeerSay):
                    heard.append(message.text)
            assert heard == [f"note {number}" for number in range(4)]

    asyncio.run(scenario())


def test_who_does_not_ask_is_neither_seen_nor_told(site: Site) -> None:
    async def scenario() -> None:
        async with connect(site.url) as one, connect(site.url) as quiet, connect(site.url) as two:
            await one.pose(at(1.0))
            await two.pose(at(2.0))
            await until([one, two], lambda: bool(one.people and two.people))
            await quiet.receive_all()
            assert len(one.people) == len(two.people) == 1
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    while True:
                        assert not isinstance(await quiet.receive(), Peers | PeerNames)

    asyncio.run(scenario())


def test_other_links_and_other_scenes_are_other_rooms(site: Site) -> None:
    other_link = site.links.create(site.scene.id)
    elsewhere = site.links.create(site.catalog.publish(heavy_asset()).id)

    async def scenario() -> None:
        async with (
            connect(site.url) as here,
            connect(site.info.link(other_link.path)) as friend,
            connect(site.info.link(elsewhere.path)) as stranger,
            connect(site.url) as company,
        ):
            for connection, x in ((friend, 1.0), (stranger, 2.0), (here, 3.0), (company, 4.0)):
                await connection.pose(at(x))
            await until([here, friend, stranger, company], lambda: bool(here.people and company.people))
            assert not friend.people and not stranger.people
            assert [person.pose for person in here.people.values()] == [at(4.0)]

    asyncio.run(scenario())


def _read_until(connection: ClientConnection, kind: type, seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        message = decode_from_server(connection.recv(timeout=deadline - time.monotonic()))
        if isinstance(message, kind):
            return message


def test_poses_at_their_rate_leave_the_other_messages_their_own(site: Site) -> None:
    with site.socket() as connection:
        drain(connection)
        # As after some seconds of a line that was held up: more than all other messages may be at once.
        for number in range(100):
            connection.send(encode(pose_message(at(number / 64))))
        for number in range(100):
            connection.send(encode(Ping(float(number))))
        for number in range(100):
            assert _read_until(connection, Pong) == Pong(float(number))


def test_a_flood_of_poses_is_sent_away(site: Site) -> None:
    with site.socket() as connection:
        drain(connection)
        with suppress(ConnectionClosed):
            for number in range(400):
                connection.send(encode(pose_message(at(number / 64))))
        assert ending(connection)[1] == TOO_MANY


@pytest.mark.parametrize(
    "messages",
    [
        [b"\x20"],
        [b"\x20\xff" + bytes(30)],
        [encode(pose_message(at(1.0))), encode(PeerJoin(0, "late"))],
        [encode(PeerJoin(0, "twice")), encode(PeerJoin(0, "twice"))],
        [b"\x24" + struct.pack("<I", 0) + b"x" * 300],
    ],
)
def test_broken_presence_closes_the_socket_and_is_told_to_nobody(site: Site, messages: list[bytes]) -> None:
    with site.socket() as witness, site.socket() as connection:
        witness.send(encode(pose_message(at(7.0))))
        drain(witness), drain(connection)
        for message in messages:
            connection.send(message)
        assert ending(connection)[1] == BAD_MESSAGE
        witness.send(encode(Ping(3.0)))
        assert _read_until(witness, Pong) == Pong(3.0)


def _frames(data: bytes) -> list[Any]:
    """Return the messages in what a server wrote to a socket, after the answer to the upgrade."""
    at, found = data.index(b"\r\n\r\n") + 4, []
    while at < len(data):
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = struct.unpack_from(">H", data, start)[0], start + 2
        elif size == 127:
            size, start = struct.unpack_from(">Q", data, start)[0], start + 8
        if data[at] == 0x82:
            found.append(decode_from_server(data[start : start + size]))
        at = start + size
    return found


def test_who_reads_nothing_for_a_while_gets_the_newest_place_before_the_next_chunk(site: Site) -> None:
    link = Links(site.catalog).create(site.catalog.publish(heavy_asset()).id)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", site.info.port))
    slow.sendall(
        f"GET /ws?ticket={ticket_of(site, link)}&credit=4000000 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    slow.settimeout(10)
    received = slow.recv(4096)
    join = encode(PeerJoin(0, "slow"))
    slow.sendall(bytes((0x82, 0x80 | len(join), 0, 0, 0, 0)) + join)
    moves = 24
    with site.socket(ticket=ticket_of(site, link)) as mover:
        for number in range(1, moves + 1):
            mover.send(encode(pose_message(at(float(number)))))
            time.sleep(0.05)
        while encode(pose_message(at(float(moves))))[1:] not in received:
            received += slow.recv(65_536)
        time.sleep(0.3)
    slow.close()

    messages = _frames(received)
    seen = [pose.position[0] for m in messages if isinstance(m, Peers) for pose in poses_in(m).values()]
    kinds = [type(message) for message in messages]
    last_seen = len(kinds) - 1 - kinds[::-1].index(Peers)
    # Moments were skipped, order was kept, and the last place did not wait for all the chunks.
    assert seen == sorted(set(seen)) and seen[-1] == moves and len(seen) < moves / 2
    assert Chunk in kinds[:last_seen]
    assert sum(len(m.glb) for m in messages if isinstance(m, Chunk)) < 600_000


def test_the_link_without_sockets_takes_no_harm_from_poses(site: Site) -> None:
    async def scenario() -> None:
        async with connect(site.url, sockets=False) as connection:
            await connection.pose(at(1.0))
            assert (await connection.receive_all()).is_complete
            assert not connection.people

    asyncio.run(scenario())


def test_a_room_is_forgotten_with_its_last_visitor(site: Site) -> None:
    ticket = open_link(site.url).ticket
    with site.socket(ticket=ticket) as connection:
        connection.send(encode(pose_message(at(1.0))))
        drain(connection)

    # Whoever comes later is the first guest again.
    async def scenario() -> None:
        async with connect(site.url) as one, connect(site.url) as two:
            await one.pose(at(1.0))
            await two.join("Two")
            await until([two], lambda: bool(two.people))
            assert [person.name for person in two.people.values()] == ["Guest 1"]

    for _ in range(20):
        try:
            asyncio.run(scenario())
            return
        except AssertionError:  # leaving is noticed by the server in its own time
            time.sleep(0.1)
    pytest.fail("the room remembers its guests")
