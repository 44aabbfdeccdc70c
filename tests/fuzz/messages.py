"""Messages made up by the grammar of the protocol, then damaged: decoders, sessions, the stream by requests.

Run from the repository root: python -m tests.fuzz.messages [--cases N] [--seed S], or --seed S --visit V
for one visit again. What a viewer says is refused in one sentence, and then changes nothing, or obeyed,
within its credit, parents first, in little time and memory. What a server says is understood or refused.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import resource
import struct
import sys
import time
from random import Random
from typing import Any

import numpy as np

from immersive.server.access import Pass
from immersive.server.fallback import FRAME_LENGTH, RequestStream
from immersive.server.viewers import Viewer
from streaming.errors import ProtocolError
from streaming.limits import MAX_CLIENT_MESSAGE_BYTES, MAX_CREDIT_BYTES
from streaming.messages import (
    CHUNK_HEADER_BYTES,
    CLIENT_MESSAGES,
    CLOSE_CODES,
    SERVER_MESSAGES,
    Chunk,
    Credit,
    Hello,
    decode_from_client,
    decode_from_server,
    encode,
)
from streaming.session import StreamedScene, ViewerSession
from streaming.wire import Layout, layout_of
from tests.streaming.opaque_asset import opaque_asset

_VISIT_MESSAGES = 40
_MOST_SECONDS = 1.0  # of processor time for one message and all that answers it
_MOST_RSS_KB = 128 * 1024  # more than at the start; 512 MB in all are allowed
_NUMBERS = (0, 1, 2, 3, 5, 7, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.3, 90.0, 179.9, 1e-38, 1e5, -1e5, 3e38, math.inf, -math.inf, math.nan)
_SIZES = {"B": 8, "H": 16, "I": 32, "b": 8, "h": 16, "i": 32, "Q": 64, "q": 64}


def message(rng: Random, kinds: tuple[Any, ...], count: int) -> bytes:
    """Return a message of one of `kinds` about a scene of `count` chunks; three of ten are damaged after."""
    kind = rng.choice(kinds)
    layout = layout_of(kind)
    data = _head(rng, kind, layout, count) + _tail(rng, layout, count)
    if kind is Hello and rng.random() < 0.7:  # a wrong version is the end of nearly every visit
        data = data[:1] + b"\x01" + data[2:]
    for _ in range(rng.choice((0, 0, 0, 0, 0, 0, 0, 1, 2, 5))):
        data = _damaged(rng, data)
    return data[:MAX_CLIENT_MESSAGE_BYTES]


def _head(rng: Random, kind: Any, layout: Layout, count: int) -> bytes:
    letters = layout.head.format.lstrip("<")
    values: list[float] = [kind.TYPE]
    number = ""
    for letter in letters[1:]:
        if letter.isdigit():
            number += letter
            continue
        times, number = int(number or 1), ""
        for _ in range(times if letter != "x" else 0):
            values.append(_value(rng, letter, count))
    return layout.head.pack(*values)


def _value(rng: Random, letter: str, count: int) -> float:
    if letter in "fde":
        return rng.choice(_FLOATS) if rng.random() < 0.05 else rng.uniform(-20, 20)
    bits = _SIZES[letter]
    # Mostly what may be a chunk or a reason, sometimes a count of bytes, and the edges of every field.
    value = rng.randrange(count + 1)
    if rng.random() < 0.4:
        value = rng.choice((rng.randrange(100_000), rng.choice(_NUMBERS)))
    value %= 2**bits
    return value - 2**bits if letter.islower() and value >= 2 ** (bits - 1) else value


def _tail(rng: Random, layout: Layout, count: int) -> bytes:
    rows = rng.choice((0, 1, 1, 2, 7, 300))
    if layout.columns:
        return rng.randbytes(rows * layout.row_bytes)
    if layout.tail is None:
        return b""
    match layout.tail[1]:
        case "u32s":
            return struct.pack(f"<{rows}I", *(int(_value(rng, "I", count)) for _ in range(rows)))
        case "utf8":
            return rng.choice(("", "{}", '{"a":[1,2]}', "\0é\U0001f600" * rows)).encode()
        case _:
            return rng.randbytes(8 * rows)


def _damaged(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    match rng.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data + rng.randbytes(rng.choice((1, 3, 8, 700)))
        case 2:
            return data[:at] + rng.randbytes(1) + data[at + 1 :]
        case 3:
            return rng.randbytes(1) + data[1:]
        case 4:
            return data[:at] + data[at // 2 :]
        case _:
            return rng.randbytes(rng.randrange(40))


def visit(scene: StreamedScene, seed: int, index: int) -> int:
    """Play one visit on a session; return how many messages it obeyed."""
    rng = Random(f"{seed} {index}")
    session = ViewerSession(
        scene, credit=rng.choice((0, 1, 5_000, 10**6)), max_splats=rng.choice((0, 900, 10**6))
    )
    granted, sent, held, seqs, obeyed = session.credit, 0, set[int](), 0, 0
    for _ in range(_VISIT_MESSAGES):
        data = message(rng, CLIENT_MESSAGES, len(scene.parent))
        before = session.credit, session.epoch, session.max_splats
        try:
            session.receive(data)
        except ProtocolError as error:
            # A server closes the socket here; going on finds more.
            _check_words(error)
            assert before == (session.credit, session.epoch, session.max_splats)
            continue
        obeyed += 1
        said = decode_from_client(data)
        if said is not None:
            _check_again(said)
        if isinstance(said, Credit | Hello):
            granted += said.bytes if isinstance(said, Credit) else said.credit
        if isinstance(said, Hello):
            held |= {i for prefix in said.have for i in scene.by_hash_prefix.get(prefix, ())}
        assert session.credit <= MAX_CREDIT_BYTES
        while rng.random() < 0.95 and (answer := session.next_to_send()) is not None:
            told = decode_from_server(answer)
            assert told is not None
            if isinstance(told, Chunk):
                assert told.seq == seqs
                assert sent < granted, "a chunk begins only while there is credit"
                parent = int(scene.parent[told.chunk])
                assert parent < 0 or parent in held, "a parent comes before its children"
                sent, seqs = sent + CHUNK_HEADER_BYTES + len(told.glb), seqs + 1
                held.add(told.chunk)
    return obeyed


def _check_words(error: ProtocolError) -> None:
    assert "\n" not in str(error) and 10 < len(str(error)) < 400, error


def _check_again(said: Any) -> None:
    """What was understood means the same when it is said again."""
    again = encode(said)
    assert encode(decode_from_client(again)) == again


def server_messages(seed: int, index: int) -> None:
    """What a server says is understood or refused, by the same grammar."""
    rng = Random(f"{seed} server {index}")
    for _ in range(_VISIT_MESSAGES):
        data = message(rng, SERVER_MESSAGES, 50)
        try:
            told = decode_from_server(data)
        except ProtocolError as error:
            _check_words(error)
            continue
        if told is not None and not any(isinstance(getattr(told, n), np.ndarray) for n in told.__slots__):
            again = encode(told)
            assert encode(decode_from_server(again)) == again


async def bodies(scene: StreamedScene, seed: int, index: int) -> None:
    """The same in bodies of requests, whose frames are damaged as well."""
    rng = Random(f"{seed} fallback {index}")
    viewer = Viewer(Pass("", ""), address="fuzz")
    stream = RequestStream(ViewerSession(scene, credit=10_000), viewer, on_end=lambda: None)
    for _ in range(6):
        said = [message(rng, CLIENT_MESSAGES, len(scene.parent)) for _ in range(rng.randrange(8))]
        body = b"".join(FRAME_LENGTH.pack(len(data)) + data for data in said)
        if rng.random() < 0.4:
            body = _damaged(rng, body)
        stream.take(body)
        if viewer.goodbye.done():
            assert viewer.goodbye.result().code in CLOSE_CODES.values()
            _check_words(ProtocolError(viewer.goodbye.result().text))
        said_back = stream.answer(wait_s=0.0)
        async for frame in said_back:
            (length,) = FRAME_LENGTH.unpack_from(frame)
            assert length == len(frame) - FRAME_LENGTH.size
        if stream.has_ended:
            break
    stream.end()


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(arguments: list[str]) -> int:
    """Run the visits; exit status 1 and the command for one again where one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--visit", type=int)
    options = parser.parse_args(arguments)
    scene = StreamedScene.prepare(opaque_asset(), "fuzz", "fuzz")
    visits = range(options.cases // _VISIT_MESSAGES) if options.visit is None else [options.visit]
    before_kb = _peak_kb()  # of what else this process did, in a run of all tests
    obeyed, slowest, began = 0, 0.0, time.process_time()
    for index in visits:
        cpu = time.process_time()
        try:
            # Of four visits two are a viewer's on a socket, one is a server's, one a viewer's by requests.
            if index % 4 < 2:
                obeyed += visit(scene, options.seed, index)
            elif index % 4 == 2:
                server_messages(options.seed, index)
            else:
                asyncio.run(bodies(scene, options.seed, index))
        except Exception:
            print(f"again: python -m tests.fuzz.messages --seed {options.seed} --visit {index}")
            raise
        slowest = max(slowest, time.process_time() - cpu)
    used = time.process_time() - began
    rss_kb = _peak_kb() - before_kb
    print(
        f"{len(visits) * _VISIT_MESSAGES} messages in {len(visits)} visits, {obeyed} obeyed in sessions,"
        f" {used:.0f} CPU-s, slowest visit {slowest * 1000:.0f} ms, {rss_kb / 1024:.0f} MB more memory"
    )
    return 1 if slowest > _MOST_SECONDS or rss_kb > _MOST_RSS_KB else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
