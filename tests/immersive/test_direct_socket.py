"""The way around ASGI: frames that others read, messages in order, deadlines that are moved and met."""

from __future__ import annotations

import asyncio

import pytest
from websockets.sync.client import connect as open_socket

from immersive.server import http_protocol
from immersive.server.deadline import Deadline
from streaming.messages import SUBPROTOCOL, Chunk, Ping, Pong, decode_from_server, encode
from tests.immersive.served_site import Site, ticket_of


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_001])
def test_aframe_head_is_what_a_reader_of_websockets_expects(length: int) -> None:
    from websockets.frames import Frame
    from websockets.streams import StreamReader

    body = bytes(i % 251 for i in range(length))
    reader = StreamReader()
    reader.feed_data(http_protocol.frame_head(length) + body)
    parsing = Frame.parse(reader.read_exact, mask=False, max_size=None)

    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame = done.value.value
    assert (frame.fin, frame.opcode.name, bytes(frame.data)) == (True, "BINARY", body)
    assert not reader.buffer


def test_messages_sent_with_the_upgrade_are_heard_in_their_order(site: Site) -> None:
    with open_socket(
        f"ws://127.0.0.1:{site.info.port}/ws?ticket={ticket_of(site, site.link)}",
        subprotocols=[SUBPROTOCOL], compression=None, max_size=None, proxy=None,
    ) as connection:  # fmt: skip
        for number in range(40):
            connection.send(encode(Ping(float(number))))
        answers = [decode_from_server(connection.recv(timeout=10)) for _ in range(40)]

    assert answers == [Pong(float(number)) for number in range(40)]


def test_a_message_in_many_fragments_is_one_message(site: Site) -> None:
    with site.socket("&credit=1") as connection:
        assert isinstance(decode_from_server(connection.recv(timeout=10)), Chunk)
        ping = encode(Ping(7.0))
        connection.send([ping[:1], ping[1:4], b"", ping[4:]])
        while (answer := decode_from_server(connection.recv(timeout=10))) != Pong(7.0):
            assert not isinstance(answer, Chunk)


def test_a_deadline_that_is_moved_is_met_once_at_its_last_place() -> None:
    async def story() -> list[tuple[str, float]]:
        clock = asyncio.get_running_loop().time
        began = clock()
        late: list[tuple[str, float]] = []
        deadline = Deadline(lambda reason: late.append((reason, clock() - began)))
        deadline.set(began + 0.05, "first")
        deadline.set(began + 0.15, "later")
        await asyncio.sleep(0.08)
        assert late == []
        await asyncio.sleep(0.12)
        deadline.set(began + 9.0, "far")
        deadline.set(clock() + 0.02, "near")
        await asyncio.sleep(0.06)
        deadline.set(clock() + 0.02, "cleared")
        deadline.clear()
        await asyncio.sleep(0.06)
        deadline.set(clock() + 0.02, "closed")
        deadline.close()
        await asyncio.sleep(0.06)
        return late

    late = asyncio.run(story())

    assert [reason for reason, _ in late] == ["later", "near"]
    assert late[0][1] >= 0.149
