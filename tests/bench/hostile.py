"""What clients that mean harm do to others: half-sent requests, viewers that never read, floods of frames.

Run from the repository root: python -m tests.bench hostile. Loopback; attackers are processes of their own
and share the cores with the server and with the visitors whose first pictures are timed. Limits per address,
which real attackers meet first, are lifted. Kernel memory is that of all TCP sockets of this machine.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from immersive.catalog import Catalog
from immersive.client import open_link
from immersive.share import Links
from streaming.messages import SUBPROTOCOL
from tests.bench.crowd import Server, served
from tests.bench.light_viewer import visit
from tests.bench.over_a_line import noise_asset
from tests.bench.rows import Row, at_most

_VISITS = 100
_HALF_REQUESTS = 1_000
_SILENT = 300
_FLOODERS = 8
_SETTLE_S = 7.0  # longer than a request may take
_EMPTY_FRAGMENTS = struct.pack("!BBI", 0x00, 0x80, 0) * 5_000


def rows() -> list[Row]:
    """Measure everything."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4_096)), hard))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        catalog = Catalog(home)
        path = Links(catalog).create(catalog.publish(noise_asset()).id).path
        catalog.close()
        with served(home) as server:
            url = server.url + path
            _first_pictures(url, 5)  # the scene is read once
            found = [Row("load average of this machine, two cores, before", os.getloadavg()[0], "")]
            for name, attack in (
                (f"{_HALF_REQUESTS} half-sent requests, sent again when cut off", _drip),
                (f"{_SILENT} viewers that never read", _never_read),
                (f"{_FLOODERS} floods of empty fragments, begun again when cut off", _flood),
            ):
                found += _under(name, attack, server, url)
            found.append(Row("load average, after", os.getloadavg()[0], ""))
    return found


def _under(name: str, attack: Callable[[str, Any], None], server: Server, url: str) -> list[Row]:
    before = _first_pictures(url, _VISITS)
    kernel, rss, cpu = _kernel_mb(), server.rss_mb, server.cpu_s
    with _attacking(attack, url) as figures:
        time.sleep(_SETTLE_S)
        during = _first_pictures(url, _VISITS)
        kernel, rss = _kernel_mb() - kernel, server.rss_mb - rss
        held, cut = figures[0], figures[1]
    attack_s = time.perf_counter() - figures[2]
    cores = (server.cpu_s - cpu) / attack_s
    time.sleep(1.0)
    after = _first_pictures(url, _VISITS)
    calm = np.percentile([*before, *after], 99)
    return [
        at_most(f"{name}: first picture of others, p99, beside {calm * 1000:.0f} ms without",
                float(np.percentile(during, 99) / calm), "x", 2),
        Row(f"{name}: first picture of others, median, beside the median without",
            float(np.median(during) / np.median([*before, *after])), "x"),
        at_most(f"{name}: kernel memory", kernel, "MB", 100),
        Row(f"{name}: server's memory, more by", rss, "MB"),
        Row(f"{name}: server's cores meanwhile, visits included", cores, ""),
        Row(f"{name}: held now", held, ""),
        Row(f"{name}: cut off so far", cut, ""),
    ]  # fmt: skip


def _first_pictures(url: str, count: int) -> list[float]:
    """Return seconds from opening the link to the first chunk, one visitor after another."""
    found = []
    for _ in range(count):
        seen = asyncio.run(visit(url, 0.0, window=128 * 1024, bytes_s=1e9))
        assert not seen.errors, seen.errors
        found.append(seen.first_s)
        time.sleep(0.02)
    return found


def _kernel_mb() -> float:
    words = next(
        line.split()
        for line in Path("/proc/net/sockstat").read_text().splitlines()
        if line.startswith("TCP:")
    )
    return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def _attacking(attack: Callable[[str, Any], None], url: str) -> Iterator[Any]:
    """Attack from another process; what comes is what it tells: connections held, cut off, its beginning."""
    shared = multiprocessing.Array("d", 3)
    shared[2] = time.perf_counter()
    process = multiprocessing.get_context("fork").Process(target=attack, args=(url, shared), daemon=True)
    process.start()
    try:
        yield shared
    finally:
        process.terminate()
        process.join()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


def _drip(url: str, figures: Any) -> None:
    """Keep a thousand requests open that grow by a byte a second."""
    half: list[socket.socket] = []
    while True:
        while len(half) < _HALF_REQUESTS:
            connection = socket.create_connection(_address(url))
            connection.setblocking(False)
            connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-a: ")
            half.append(connection)
        figures[0] = len(half)
        time.sleep(1.0)
        for connection in list(half):
            try:
                connection.send(b"a")
            except OSError:
                connection.close()
                half.remove(connection)
                figures[1] += 1


def _upgraded(url: str, ticket: str, credit: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(_address(url))
    connection.sendall(
        f"GET /ws?ticket={ticket}&credit={credit} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
    )
    connection.recv(1)
    return connection


def _never_read(url: str, figures: Any) -> None:
    """Give all the credit there is, and read nothing."""
    silent = []
    for _ in range(_SILENT):
        silent.append(_upgraded(url, open_link(url).ticket, 4_000_000))
        figures[0] = len(silent)
    time.sleep(3600)


def _flood(url: str, figures: Any) -> None:
    """Send messages of fragments that hold nothing and never end."""
    flooding: list[socket.socket] = []
    while True:
        while len(flooding) < _FLOODERS:
            connection = _upgraded(url, open_link(url).ticket, 1)
            connection.settimeout(0.05)
            with suppress(OSError):
                connection.sendall(struct.pack("!BBI", 0x02, 0x80, 0))
            flooding.append(connection)
        figures[0] = len(flooding)
        for connection in list(flooding):
            try:
                connection.sendall(_EMPTY_FRAGMENTS)
            except TimeoutError:
                continue
            except OSError:
                connection.close()
                flooding.remove(connection)
                figures[1] += 1
