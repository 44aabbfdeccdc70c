"""Two hundred viewers of one server: all at once, and steadily at 5 Mbit/s each. Loopback, without TLS.

Run from the repository root: python -m tests.bench crowd. The viewers live in this process and share the two
cores with the server, so times are the worse for it; the server's CPU time and memory are its own. They count
bytes and give credit, and keep nothing. Limits per address are lifted: two hundred people have as many.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from immersive.catalog import Catalog
from immersive.share import Links
from streaming.messages import SUBPROTOCOL, Chunk, Credit, encode
from tests.bench.over_a_line import noise_asset, playbot
from tests.bench.rows import Row, at_least, at_most

_ROOT = Path(__file__).resolve().parents[2]
_VIEWERS = 200
_BYTES_S = 5e6 / 8
_STEADY_S = 10.0
_WINDOW = 128 * 1024

_SERVE = """
import sys
from pathlib import Path
from immersive.server import run, services, viewers
viewers.MAX_SOCKETS_PER_ADDRESS = services.OPENS_PER_MINUTE = 10_000
run.serve(Path(sys.argv[1]), port=0, on_ready=lambda info: print(info.url, flush=True))
"""


@dataclass(slots=True)
class _Seen:
    """What one viewer met."""

    first_s: float = float("nan")
    chunk_bytes: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Server:
    url: str
    pid: int

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def most_rss_mb(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def rows() -> list[Row]:
    """Measure both."""
    _, robot = playbot()
    found = [Row("load average of this machine, before", os.getloadavg()[0], "")]
    for asset, seconds in ((robot, 0.0), (noise_asset(), _STEADY_S)):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            catalog = Catalog(home)
            path = Links(catalog).create(catalog.publish(asset).id).path
            catalog.close()
            with served(home) as server:
                asyncio.run(_together(server.url + path, 1, 0.0))  # the scene is read once
                found += _steady_rows(server, path, seconds) if seconds else _opening_rows(server, path)
    return found


def _opening_rows(server: _Server, path: str) -> list[Row]:
    seen = asyncio.run(_together(server.url + path, _VIEWERS, 0.0))
    first = np.array([one.first_s for one in seen])
    return [
        Row(f"{_VIEWERS} open at once: first picture, median", float(np.nanmedian(first)), "s"),
        at_most(f"{_VIEWERS} open at once: first picture, p99", float(np.nanpercentile(first, 99)), "s", 1.5),
        at_most(f"{_VIEWERS} open at once: errors", sum(len(one.errors) for one in seen), "", 0),
    ]


def _steady_rows(server: _Server, path: str, seconds: float) -> list[Row]:
    cpu = server.cpu_s
    asyncio.run(_together(server.url + path, _VIEWERS, 0.0))
    opening_cpu_s = server.cpu_s - cpu
    seen = asyncio.run(_together(server.url + path, _VIEWERS, seconds))
    cpu_s = server.cpu_s - cpu - 2 * opening_cpu_s
    megabytes = sum(one.chunk_bytes for one in seen) / 1e6
    share = megabytes * 1e6 / seconds / _VIEWERS / _BYTES_S
    name = f"{_VIEWERS} viewers at 5 Mbit/s"
    return [
        at_least(f"{name}: of that rate, over {seconds:g} s", share, "", 0.95),
        at_most(f"{name}: errors", sum(len(one.errors) for one in seen), "", 0),
        at_most(f"{name}: server's memory, most", server.most_rss_mb, "MB", 400),
        Row(f"{name}: server per opening", opening_cpu_s * 1000 / _VIEWERS, "CPU-ms"),
        at_most(f"{name}: server per MB, openings apart", cpu_s * 1000 / megabytes, "CPU-ms", 2),
    ]


async def _together(url: str, count: int, seconds: float) -> list[_Seen]:
    site, _, rest = url.partition("/v/")
    link_id, _, secret = rest.partition("#")
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=30, trust_env=False, limits=limits) as client:
        openings = (f"{site}/api/links/{link_id}/open", secret)
        return await asyncio.gather(*(_visit(client, site, openings, seconds) for _ in range(count)))


async def _visit(client: httpx.AsyncClient, site: str, opening: tuple[str, str], seconds: float) -> _Seen:
    seen, began = _Seen(), time.perf_counter()
    try:
        ticket = (await client.post(opening[0], json={"secret": opening[1]})).json()["ticket"]
        address = f"ws{site.removeprefix('http')}/ws?ticket={ticket}&credit={_WINDOW}&budget=5000000"
        async with connect(
            address, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, max_size=None, proxy=None,
            open_timeout=30, close_timeout=5, ping_interval=None,
        ) as socket:  # fmt: skip
            await socket.recv()
            seen.first_s = time.perf_counter() - began
            steady = time.perf_counter()
            while (elapsed := time.perf_counter() - steady) < seconds:
                ahead_s = seen.chunk_bytes / _BYTES_S - elapsed
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
                data = await socket.recv()
                if data[0] == Chunk.TYPE:
                    seen.chunk_bytes += len(data)
                    await socket.send(encode(Credit(len(data))))
    except (OSError, KeyError, httpx.HTTPError, WebSocketException) as error:
        seen.errors.append(repr(error))
    return seen


@contextmanager
def served(home: Path) -> Iterator[_Server]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(home)], stdout=subprocess.PIPE, text=True, cwd=_ROOT
    )
    assert process.stdout is not None
    try:
        yield _Server(process.stdout.readline().strip(), process.pid)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
