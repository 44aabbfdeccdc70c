"""The wire format, checked against bytes written by hand, and against what anyone may send."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.errors import ProtocolError
from streaming.limits import MAX_CREDIT_BYTES
from streaming.messages import (
    CLIENT_MESSAGES,
    NACK_DECODE,
    SERVER_MESSAGES,
    BatchDone,
    Budget,
    Chunk,
    Credit,
    Error,
    Evicted,
    Hello,
    Nack,
    Picture,
    Ping,
    Pong,
    Pose,
    Redirect,
    Scene,
    Tree,
    decode_from_client,
    decode_from_server,
    encode,
    tree_of,
)
from streaming.people_messages import PeerJoin, PeerLeave, PeerNames, PeerPose, Peers, PeerSay, Say
from tests.streaming.opaque_asset import opaque_asset

# Each message beside the bytes that another program would write from the table in the server's README.
CLIENT_BYTES = [
    (
        Hello(1, 500_000, 262_144, (b"abcdefgh", b"12345678")),
        b"\x01" + struct.pack("<BII", 1, 500_000, 262_144) + b"abcdefgh12345678",
    ),
    (
        Pose(7, (1.5, -2.25, 3.0), (0.0, 0.5, -1.0), 72.5),
        b"\x02" + struct.pack("<I7f", 7, 1.5, -2.25, 3.0, 0.0, 0.5, -1.0, 72.5),
    ),
    (Credit(70_001), b"\x03" + struct.pack("<I", 70_001)),
    (Budget(123_456), b"\x04" + struct.pack("<I", 123_456)),
    (Evicted((3, 70_000)), b"\x05" + struct.pack("<II", 3, 70_000)),
    (Nack(9, NACK_DECODE), b"\x06" + struct.pack("<IB", 9, 2)),
    (Ping(1234.5), b"\x30" + struct.pack("<d", 1234.5)),
    (Pong(-0.25), b"\x31" + struct.pack("<d", -0.25)),
    (
        PeerPose(0x31, (-700, 1638, 32_767), 0x9ABCDEF0, b"0123456789"),
        b"\x20\x31" + struct.pack("<3hI", -700, 1638, 32_767, 0x9ABCDEF0) + b"0123456789",
    ),
    (PeerJoin(0x3366FF, "Zoë"), b"\x24" + struct.pack("<I", 0x3366FF) + "Zoë".encode()),
    (Say("Schön hier"), b"\x23" + "Schön hier".encode()),
]
SERVER_BYTES = [
    (Scene('{"title":"Wald – früh"}'), b"\x11" + '{"title":"Wald – früh"}'.encode()),
    (
        Chunk(2, 3, 17, 4, 5, b"glTF..."),
        b"\x13" + struct.pack("<BBIIIx", 2, 3, 17, 4, 5) + b"glTF...",
    ),
    (BatchDone(6, 11), b"\x14" + struct.pack("<II", 6, 11)),
    (Redirect(1500), b"\x15" + struct.pack("<I", 1500)),
    (
        Picture(9, (1.5, -2.0, 0.25), 40.0, 1, b"RIFF"),
        b"\x17" + struct.pack("<I3ffB2x", 9, 1.5, -2.0, 0.25, 40.0, 1) + b"RIFF",
    ),
    (Peers(65_535, b"\x07\x00record"), b"\x21\xff\xff\x00\x07\x00record"),
    (PeerSay(513, "Schön hier"), b"\x26\x01\x02" + "Schön hier".encode()),
    (PeerNames('[[7,255,"Zoë"]]'), b"\x25" + '[[7,255,"Zoë"]]'.encode()),
    (Error(4403, "the link was revoked"), b"\x16" + struct.pack("<H", 4403) + b"the link was revoked"),
]


@pytest.mark.parametrize(("message", "data"), CLIENT_BYTES)
def test_client_messages_have_their_bytes(message: object, data: bytes) -> None:
    assert encode(message) == data
    assert decode_from_client(data) == message


@pytest.mark.parametrize(("message", "data"), SERVER_BYTES)
def test_server_messages_have_their_bytes(message: object, data: bytes) -> None:
    assert encode(message) == data
    assert decode_from_server(data) == message


def test_a_glb_starts_where_a_browser_can_look_at_it_in_place() -> None:
    assert encode(Chunk(0, 0, 0, 0, 0, b"glTF")).index(b"glTF") % 4 == 0


def test_the_tree_is_one_column_after_another() -> None:
    asset = opaque_asset()
    data = encode(tree_of(asset))

    count = len(asset.chunks)
    assert len(data) == 4 + 58 * count
    assert data[:4] == b"\x12\0\0\0"
    parents = struct.unpack_from(f"<{count}i", data, 4)
    assert parents == tuple(chunk.parent for chunk in asset.chunks)
    stops = struct.unpack_from(f"<{count}I", data, 4 + 8 * count)
    assert stops == tuple(chunk.range_stop for chunk in asset.chunks)
    centres = struct.unpack_from(f"<{3 * count}f", data, 4 + 20 * count)
    assert centres[9:12] == pytest.approx(asset.chunks[3].center)
    assert data[4 + 40 * count + 8] == 2  # the ninth chunk is the collider
    assert data[-16:] == bytes.fromhex(asset.chunks[-1].sha256)[:16]


def test_the_tree_comes_back_as_it_was() -> None:
    tree = tree_of(opaque_asset())
    again = decode_from_server(encode(tree))
    assert isinstance(again, Tree)
    for name in (
        "parent",
        "range_start",
        "range_stop",
        "splat_count",
        "byte_length",
        "kind",
        "level",
        "hash",
    ):
        np.testing.assert_array_equal(getattr(again, name), getattr(tree, name))
    for name in ("center", "radius", "error"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tree, name))


def test_type_bytes_are_distinct() -> None:
    kinds = {*CLIENT_MESSAGES, *SERVER_MESSAGES}
    assert len({kind.TYPE for kind in kinds}) == len(kinds)


def test_a_message_of_unknown_type_is_not_an_error() -> None:
    assert decode_from_client(b"\x7fsomething new") is None
    assert decode_from_server(b"\x01") is None  # HELLO is not for viewers


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02",
        encode(Credit(1))[:-1],
        encode(Credit(1)) + b"\0",
        encode(Evicted((1,))) + b"\0",
        b"\x01" + struct.pack("<BII", 1, 0, 0) + b"1234567",
        b"\x02" + struct.pack("<I7f", 1, math.nan, 0, 0, 0, 0, 1, 70),
        b"\x02" + struct.pack("<I7f", 1, 0, math.inf, 0, 0, 0, 1, 70),
        b"\x02" + struct.pack("<I7f", 1, 3e8, 0, 0, 0, 0, 1, 70),
        b"\x02" + struct.pack("<I7f", 1, 0, 0, 0, 0, 0, 0, 70),
        b"\x02" + struct.pack("<I7f", 1, 0, 0, 0, 0, 0, 1, 0),
        b"\x02" + struct.pack("<I7f", 1, 0, 0, 0, 0, 0, 1, math.nan),
        b"\x03" + struct.pack("<I", MAX_CREDIT_BYTES + 1),
        b"\x04" + struct.pack("<I", 2**32 - 1),
        b"\x06" + struct.pack("<IB", 1, 3),
        b"\x24" + struct.pack("<I", 2**24) + b"too colourful",
        b"\x24" + struct.pack("<I", 0) + bytes(257),
        b"\x24" + struct.pack("<I", 0) + b"\xff",
        b"\x23",
        b"\x23" + bytes(1601),
    ],
)
def test_broken_client_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_from_client(data)


@pytest.mark.parametrize(
    "data", [b"\x12\0\0", b"\x12\0\0\0" + bytes(57), b"\x13" + bytes(14), b"\x11\xff\xfe"]
)
def test_broken_server_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_from_server(data)


def test_numbers_that_do_not_fit_are_refused_when_written() -> None:
    with pytest.raises(ProtocolError, match="Chunk"):
        encode(Chunk(0, 0, 2**32, 0, 0, b""))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_decode_to_a_message_nothing_or_a_protocol_error(data: bytes) -> None:
    for decode in (decode_from_client, decode_from_server):
        try:
            message = decode(data)
        except ProtocolError:
            continue
        if message is not None and not isinstance(message, Tree | PeerLeave):
            again = decode(encode(message))
            # A NaN clock in a ping is the sender's own business, and equals nothing.
            assert again == message or "nan" in repr(message)
