"""A viewer that turns its head sixty times a second costs no more than one that does it twenty times."""

from __future__ import annotations

import asyncio
import time

from immersive.server.pose_pace import PosePace
from streaming.errors import ProtocolError
from streaming.messages import BAD_MESSAGE, Chunk, Credit, Ping, Pong, Pose, decode_from_server, encode
from tests.immersive.served_site import Site, ending


def pose(epoch: int, x: float = 0.0) -> bytes:
    return encode(Pose(epoch, (x, 1.6, 0.0), (0.0, 0.0, -1.0), 90.0))


def test_the_first_pose_is_taken_at_once_and_of_the_next_the_latest() -> None:
    async def story() -> tuple[list[bytes], list[float]]:
        taken: list[bytes] = []
        times: list[float] = []
        clock = asyncio.get_running_loop().time

        def receive(data: bytes) -> None:
            taken.append(data)
            times.append(clock())

        pace = PosePace(receive, lambda error: None)
        for epoch in range(1, 6):
            pace.take(pose(epoch))
            pace.take(encode(Credit(epoch)))
        await asyncio.sleep(0.3)
        pace.take(pose(9))
        pace.close()
        return taken, times

    taken, times = asyncio.run(story())

    assert taken == [pose(1), *(encode(Credit(epoch)) for epoch in range(1, 6)), pose(5), pose(9)]
    assert times[6] - times[0] >= 0.049


def test_poses_that_take_long_are_taken_the_less_often() -> None:
    async def story() -> int:
        taken = 0

        def receive(_data: bytes) -> None:
            nonlocal taken
            taken += 1
            time.sleep(0.01)

        pace = PosePace(receive, lambda error: None)
        until = asyncio.get_running_loop().time() + 0.9
        epoch = 0
        while asyncio.get_running_loop().time() < until:
            pace.take(pose(epoch := epoch + 1))
            await asyncio.sleep(0.005)
        pace.close()
        return taken

    assert asyncio.run(story()) <= 5  # of 10 ms each: a twentieth of the time


def test_what_is_wrong_with_a_pose_that_waited_is_told() -> None:
    async def story() -> list[ProtocolError | None]:
        told: list[ProtocolError | None] = []

        def receive(data: bytes) -> None:
            if data == pose(2):
                raise ProtocolError("no")

        pace = PosePace(receive, told.append)
        pace.take(pose(1))
        pace.take(pose(2))
        await asyncio.sleep(0.15)
        return told

    assert [str(error) for error in asyncio.run(story())] == ["no"]


def test_a_pose_that_waited_still_chooses_the_chunks(site: Site) -> None:
    with site.socket("&credit=1&pose=0,1.6,2,0,0,-1") as connection:
        assert isinstance(decode_from_server(connection.recv(timeout=10)), Chunk)
        for epoch in range(1, 9):
            connection.send(pose(epoch, x=float(epoch)))
        connection.send(encode(Ping(1.0)))
        while decode_from_server(connection.recv(timeout=10)) != Pong(1.0):
            pass
        time.sleep(0.2)
        connection.send(encode(Credit(50_000)))
        while not isinstance(message := decode_from_server(connection.recv(timeout=10)), Chunk):
            pass

    assert message.epoch == 8


def test_a_broken_pose_that_waited_ends_the_stream(site: Site) -> None:
    with site.socket("&credit=1") as connection:
        connection.send(pose(1))
        connection.send(pose(2)[:-1])
        _, code = ending(connection)

    assert code == BAD_MESSAGE
