"""Two hundred viewers of one server: all at once, and steadily at 5 Mbit/s each. Loopback, without TLS.

Run from the repository root: python -m tests.bench crowd. The viewers live in this process and share the two
cores with the server, so times are the worse for it; the server's CPU time and memory are its own. Limits per
address are lifted: two hundred people have as many.
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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from immersive.catalog import Catalog
from immersive.share import Links
from tests.bench.light_viewer import Seen, visit
from tests.bench.over_a_line import noise_asset, playbot
from tests.bench.rows import Row, at_least, at_most

_ROOT = Path(__file__).resolve().parents[2]
_VIEWERS = 200
_BYTES_S = 5e6 / 8
_STEADY_S = 10.0
_ROUNDS = 4
_PAUSE_S = 0.5  # between rounds, for the server to let go of the last one
_WINDOW = 128 * 1024

_SERVE = """
import sys
from pathlib import Path
from immersive.server import http_protocol, run, services, viewers
viewers.MAX_SOCKETS_PER_ADDRESS = services.OPENS_PER_MINUTE = 10_000
http_protocol.MAX_CONNECTIONS_PER_ADDRESS = 10_000
run.serve(Path(sys.argv[1]), port=0, on_ready=lambda info: print(info.url, flush=True))
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server process."""

    url: str
    pid: int

    @property
    def cpu_s(self) -> float:
        """What it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mb(self) -> float:
        """The memory that it holds."""
        return self._kilobytes("VmRSS") / 1000

    @property
    def most_rss_mb(self) -> float:
        """The most memory it has held."""
        return self._kilobytes("VmHWM") / 1000

    def _kilobytes(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))


def rows() -> list[Row]:
    """Measure both."""
    _, robot = playbot()
    found = [Row("load average of this machine, two cores, before", os.getloadavg()[0], "")]
    for asset, seconds in ((robot, 0.0), (noise_asset(), _STEADY_S)):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            catalog = Catalog(home)
            path = Links(catalog).create(catalog.publish(asset).id).path
            catalog.close()
            with served(home) as server:
                asyncio.run(_together(server.url + path, 1, 0.0))  # the scene is read once
                found += _steady_rows(server, path, seconds) if seconds else _opening_rows(server, path)
    found.append(Row("load average, after", os.getloadavg()[0], ""))
    return found


def _opening_rows(server: Server, path: str) -> list[Row]:
    """Several rounds: on a machine that others use too, the best is the figure least of them."""
    best: tuple[float, float] | None = None
    errors, cpu, own = 0, server.cpu_s, time.process_time()
    for _ in range(_ROUNDS):
        seen = asyncio.run(_together(server.url + path, _VIEWERS, 0.0))
        first = np.array([one.first_s for one in seen])
        errors += sum(len(one.errors) for one in seen)
        found = float(np.nanpercentile(first, 99)), float(np.nanmedian(first))
        best = found if best is None else min(best, found)
        time.sleep(_PAUSE_S)
    assert best is not None
    per_open_ms = (server.cpu_s - cpu) * 1000 / _VIEWERS / _ROUNDS
    own_ms = (time.process_time() - own) * 1000 / _VIEWERS / _ROUNDS
    name = f"{_VIEWERS} open at once"
    return [
        Row(f"{name}: first picture, median, best of {_ROUNDS} rounds", best[1], "s"),
        at_most(f"{name}: first picture, p99, best of {_ROUNDS} rounds", best[0], "s", 1.5),
        at_most(f"{name}: errors, all rounds", errors, "", 0),
        at_most(f"{name}: server per opening", per_open_ms, "CPU-ms", 7),
        Row(f"{name}: viewers' process per opening", own_ms, "CPU-ms"),
    ]


def _steady_rows(server: Server, path: str, seconds: float) -> list[Row]:
    cpu = server.cpu_s
    for _ in range(_ROUNDS):
        asyncio.run(_together(server.url + path, _VIEWERS, 0.0))
    opening_cpu_s = (server.cpu_s - cpu) / _ROUNDS
    cpu, own = server.cpu_s, time.process_time()
    seen = asyncio.run(_together(server.url + path, _VIEWERS, seconds))
    cpu_s = server.cpu_s - cpu - opening_cpu_s
    own_s = time.process_time() - own
    megabytes = sum(one.chunk_bytes for one in seen) / 1e6
    share = megabytes * 1e6 / seconds / _VIEWERS / _BYTES_S
    name = f"{_VIEWERS} viewers at 5 Mbit/s"
    return [
        at_least(f"{name}: of that rate, over {seconds:g} s", share, "", 0.95),
        at_most(f"{name}: errors", sum(len(one.errors) for one in seen), "", 0),
        at_most(f"{name}: server's memory, most", server.most_rss_mb, "MB", 400),
        at_most(f"{name}: server per MB, openings apart", cpu_s * 1000 / megabytes, "CPU-ms", 2),
        Row(f"{name}: viewers' process per MB", own_s * 1000 / megabytes, "CPU-ms"),
    ]


async def _together(url: str, count: int, seconds: float) -> list[Seen]:
    visits = (visit(url, seconds, window=_WINDOW, bytes_s=_BYTES_S) for _ in range(count))
    return await asyncio.gather(*visits)


@contextmanager
def served(home: Path) -> Iterator[Server]:
    """Run the server with no limits per address."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(home)], stdout=subprocess.PIPE, text=True, cwd=_ROOT
    )
    assert process.stdout is not None
    try:
        yield Server(process.stdout.readline().strip(), process.pid)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
