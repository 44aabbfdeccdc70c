"""Two hundred people in one room who all walk: what the server needs to have them see each other.

Run from the repository root: python -m tests.bench presence. Real sockets over loopback, without TLS; the
walkers live in a process of their own that shares the two cores, so the server's share is of its own CPU
time. They have received their scene before the clock starts. Bytes are those of presence, as the walkers
receive them, WebSocket frames included.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np

from immersive.catalog import Catalog
from immersive.share import Links
from streaming.messages import BatchDone, encode
from streaming.peer_pose import PersonPose, pose_message
from tests.bench.crowd import served
from tests.bench.rows import Row, at_least, at_most
from tests.streaming.opaque_asset import opaque_asset

_PEOPLE = 200
_SECONDS = 10.0
_TICK_S = 0.05
_ROOM_M = 50.0


def rows() -> list[Row]:
    """Measure one room."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        catalog = Catalog(home)
        path = Links(catalog).create(catalog.publish(opaque_asset()).id).path
        catalog.close()
        with served(home) as server:
            walkers = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.presence", server.url + path],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert walkers.stdin is not None and walkers.stdout is not None
            with walkers.stdin, walkers.stdout:
                assert walkers.stdout.readline() == "walking\n"
                cpu, began = server.cpu_s, time.perf_counter()
                time.sleep(_SECONDS)
                share = (server.cpu_s - cpu) / (time.perf_counter() - began)
                walkers.stdin.write("stop\n")
                walkers.stdin.flush()
                seen = json.loads(walkers.stdout.readline())
            walkers.wait()
            memory_mb = server.most_rss_mb
    name = f"{_PEOPLE} in a room at 20 Hz"
    return [
        Row("load average of this machine, before", load, ""),
        at_most(f"{name}: server", share, "cores", 0.35),
        at_most(f"{name}: to each", seen["bytes_s"] / 1000, "kB/s", 12),
        at_least(f"{name}: messages to each", seen["messages_s"], "1/s", 19),
        at_least(f"{name}: poses from each", seen["poses_s"], "1/s", 19),
        Row(f"{name}: server's memory, most", memory_mb, "MB"),
    ]


class _Walker(asyncio.Protocol):
    """A socket that counts. Frames are written by hand: 8000 a second are a load for this side too."""

    def __init__(self, host: str, ticket: str) -> None:
        self._request = (
            f"GET /ws?ticket={ticket}&credit=4000000 HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self.has_scene: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last = b""
        self.bytes = 0
        self.reads = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.has_scene.done():
            self.bytes += len(data)
            self.reads += 1
            return
        self._last = (self._last + data)[-64:]
        if self._last.endswith(encode(BatchDone(0, 0))):
            self.has_scene.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.has_scene.done():
            self.has_scene.set_exception(error or ConnectionError("the server closed the socket"))


async def _walk(url: str) -> None:
    parts = urlsplit(url)
    site, loop = f"http://{parts.netloc}", asyncio.get_running_loop()
    walkers = []
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        for _ in range(_PEOPLE):
            opening = f"{site}/api/links/{parts.path.removeprefix('/v/')}/open"
            ticket = (await client.post(opening, json={"secret": parts.fragment})).json()["ticket"]
            _, walker = await loop.create_connection(
                lambda ticket=ticket: _Walker(parts.netloc, ticket), parts.hostname, parts.port
            )
            await walker.has_scene
            walkers.append(walker)
    stop = loop.create_task(asyncio.to_thread(sys.stdin.readline))
    frames = _frames(200)
    sent, due, is_counting, began = 0, time.perf_counter(), False, 0.0
    while not stop.done():
        for walker, frame in zip(walkers, frames[sent % len(frames)], strict=True):
            walker.transport.write(frame)
        sent += 1
        if sent == 40:  # two seconds after everybody's name went to everybody
            is_counting, began = True, time.perf_counter()
            sys.stdout.write("walking\n")
            sys.stdout.flush()
        if not is_counting:
            for walker in walkers:
                walker.bytes = walker.reads = 0
        due = max(due + _TICK_S, time.perf_counter())
        await asyncio.sleep(due - time.perf_counter())
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "bytes_s": sum(walker.bytes for walker in walkers) / seconds / _PEOPLE,
                "messages_s": sum(walker.reads for walker in walkers) / seconds / _PEOPLE,
                "poses_s": (sent - 40) / seconds,
            }
        )
    )
    for walker in walkers:
        walker.transport.abort()


def _frames(ticks: int) -> list[list[bytes]]:
    """Return the WebSocket frames of everybody's walk, tick by tick; there and back again."""
    rng = np.random.default_rng(5)
    places = rng.uniform(0, _ROOM_M, (_PEOPLE, 3)) * [1, 0, 1] + [0, 1.6, 0]
    headings = rng.uniform(0, 2 * np.pi, _PEOPLE)
    found = []
    for tick in range(ticks):
        headings += rng.normal(0, 0.05, _PEOPLE)
        way = 1 if tick < ticks // 2 else -1
        places += 0.07 * way * np.stack([-np.sin(headings), 0 * headings, -np.cos(headings)], axis=1)
        bodies = [
            encode(pose_message(PersonPose((x, y, z), (np.cos(yaw / 2), 0, np.sin(yaw / 2), 0))))
            for (x, y, z), yaw in zip(places.tolist(), headings.tolist(), strict=True)
        ]
        found.append([bytes((0x82, 0x80 | len(body), 0, 0, 0, 0)) + body for body in bodies])
    return found


if __name__ == "__main__":
    asyncio.run(_walk(sys.argv[1]))
