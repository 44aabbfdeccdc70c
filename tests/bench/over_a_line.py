"""What a visitor waits for over a slow line: first picture, decibels, turns, goodput, coming back.

Run as root from the repository root: python -m tests.bench over_a_line. The server is in another network
namespace behind `tests.bench.line`; times are wall-clock, from before the first SYN. Pictures are judged
afterwards, from what had arrived when. The same bytes go by HTTP for comparison, in the same run.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import math
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import numpy as np

from immersive.catalog import Catalog
from immersive.client import open_link, stream
from immersive.lan_tls import ensure_certificate
from immersive.share import Links
from reconstruction.cameras import Cameras
from reconstruction.frames import Provenance
from reconstruction.rasterizers.draw import draw
from reconstruction.splats import SplatCloud
from streaming.assemble import build_asset
from streaming.asset import ChunkInfo, SplatAsset
from streaming.chunk_bytes import decode_chunks
from streaming.messages import CHUNK_HEADER_BYTES, BatchDone, Chunk, Pose
from streaming.pack import read_asset, write_pack
from streaming.refine import viewpoints
from streaming.transform import join_clouds
from streaming.validate import read_splats
from tests.bench.line import Far, Line, emulated, why_not
from tests.bench.rows import FOLDER, Row, at_least, at_most
from tests.data import shared

_ROOT = Path(__file__).resolve().parents[2]
_VISITS = 50  # an address may open 60 links a minute
_TURNS = 10
_VIEWS = 5
_PAGE_SPLATS = 65_536
_PAGES_AT_ONCE = 3  # as Spark fetches
_FIRST_READ_BYTES = 65_536  # what such a page reads to learn where its pages are
_GOODPUT_FROM_S, _GOODPUT_TO_S = 1.0, 6.0
_GOODPUT_ROUNDS = 3
_GOALS_DB = (25.0, 30.0)

_SERVE = """
import sys
from pathlib import Path
from immersive.server import run
home, host, congestion, cert, key = sys.argv[1:]
run.CONGESTION = congestion.encode()
run.serve(Path(home), host=host, port=8765, insecure=not cert, cert=Path(cert) if cert else None,
          key=Path(key) if key else None, on_ready=lambda info: print(info.url, flush=True))
"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One chunk, and when it was there, in seconds from the connect."""

    at_s: float
    chunk: int
    epoch: int = 0


def rows() -> list[Row]:
    """Measure everything; one row of words where there can be no line."""
    if reason := why_not():
        return [Row(f"skipped: {reason}", math.nan, "")]
    cloud, asset = playbot()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        catalog = Catalog(home)
        robot, noise = catalog.publish(asset), catalog.publish(noise_asset())
        link, noise_link = (Links(catalog).create(record.id).path for record in (robot, noise))
        catalog.close()
        found = [Row("load average of this machine, two cores, before", os.getloadavg()[0], "")]
        with emulated(Line()) as far:
            found += _first_pictures(home, far, link)
            found += _pictures(home, far, link, robot.id, cloud, asset)
            found += _turns(home, far, link)
            found += _returns(home, far, link, asset)
            found += _by_requests(home, far, link)
            found += _cold(home, far, link)
        found += _goodput(home, noise_link)
        found.append(Row("load average, after", os.getloadavg()[0], ""))
    return found


def playbot() -> tuple[SplatCloud, SplatAsset]:
    """Return the robot scene, 500 000 splats of degree 0, and its asset, which is built once."""
    cloud = read_splats(shared("splats/playbot_lod_sog/lod-meta.json"))
    cloud = replace(cloud, sh=np.ascontiguousarray(cloud.sh[:, :1]))
    kept = FOLDER / "playbot"
    if not kept.exists():
        provenance = Provenance("bench", is_generated=False)
        write_pack(build_asset(cloud, title="Playbot", provenance=provenance), kept)
    return cloud, read_asset(kept)


def noise_asset(chunks: int = 1500, chunk_bytes: int = 32_768) -> SplatAsset:
    """Return a scene of 49 MB whose chunks are noise: for how fast bytes go, not what they show."""
    rng = np.random.default_rng(1)
    parts = [rng.bytes(chunk_bytes) for _ in range(chunks)]
    table = tuple(
        ChunkInfo(
            index=i, kind="splats", level=min(i, 1), parent=0 if i else -1,
            range_start=max(i - 1, 0), range_stop=i,
            splat_count=1 if i else chunks, byte_offset=i * chunk_bytes, byte_length=chunk_bytes,
            sha256=hashlib.sha256(part).hexdigest(), center=(0.0, 1.0, -5.0), radius=1.0, error=1.0,
        )
        for i, part in enumerate(parts)
    )  # fmt: skip
    return SplatAsset(read_asset(FOLDER / "playbot").manifest, table, b"".join(parts))


@contextmanager
def served(home: Path, far: Far, *, tls: bool = False, congestion: str = "bbr") -> Iterator[str]:
    """Run the server at the far end; what comes is its address."""
    pair = ("", "")
    if tls:
        made = ensure_certificate(home, [far.address])
        pair = (str(made.certificate_path), str(made.key_path))
    process = subprocess.Popen(
        [*far.prefix, sys.executable, "-c", _SERVE, str(home), far.address, congestion, *pair],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _first_pictures(home: Path, far: Far, link: str) -> list[Row]:
    found = []
    for scheme in ("wss", "ws"):
        with served(home, far, tls=scheme == "wss") as url:
            tls = None
            if scheme == "wss":
                tls = ssl.create_default_context(cafile=str(ensure_certificate(home, [far.address]).ca_path))
            asyncio.run(_first_picture(url + link, tls))  # the server reads the scene once
            visits = [asyncio.run(_first_picture(url + link, tls)) for _ in range(_VISITS)]
        after, whole = np.array(visits).T * 1000
        goal = f"first picture, {scheme}, from connect, p95 of {_VISITS}"
        found += [
            Row(f"first picture, {scheme}, from connect, median", float(np.median(after)), "ms"),
            at_most(goal, float(np.percentile(after, 95)), "ms", 250),
            Row(f"first picture, {scheme}, link opened too, p95", float(np.percentile(whole, 95)), "ms"),
        ]
    return found


async def _first_picture(
    url: str, tls: ssl.SSLContext | None, *, sockets: bool = True
) -> tuple[float, float]:
    began = time.perf_counter()
    opened = await asyncio.to_thread(open_link, url, tls=tls)
    connecting = time.perf_counter()
    async with stream(opened, tls=tls, sockets=sockets) as connection:
        message = await connection.receive()
        assert isinstance(message, Chunk), "the first picture comes before anything else"
        now = time.perf_counter()
    return now - connecting, now - began


def _by_requests(home: Path, far: Far, link: str) -> list[Row]:
    """The same without WebSockets."""
    with served(home, far) as url:
        visits = [asyncio.run(_first_picture(url + link, None, sockets=False)) for _ in range(_TURNS)]
    first = np.array(visits)[:, 0] * 1000
    return [Row("first picture, by requests (sockets blocked), median", float(np.median(first)), "ms")]


def _cold(home: Path, far: Far, link: str) -> list[Row]:
    """Page, code and first picture in the order in which a browser asks, without its thinking."""
    with served(home, far) as url:
        seconds = [_click(url, link) for _ in range(5)]
    return [
        at_most("from the click, cold: page, code, first picture, bytes only, median",
                float(np.median(seconds)), "s", 1.5)
    ]  # fmt: skip


def _click(url: str, link: str) -> float:
    began = time.perf_counter()
    with httpx.Client(base_url=url, trust_env=False) as page, ThreadPoolExecutor(3) as pool:
        html = page.get(link.partition("#")[0]).text
        named = re.findall(r"/assets/[\w.-]+", html)
        scripts = [text.text for text in pool.map(page.get, named)]
        later = {name for text in scripts for name in re.findall(r"\./((?:visit|worker)-[\w-]+\.js)", text)}
        code = pool.map(lambda name: page.get(f"/assets/{name}"), later)
        asyncio.run(_first_picture(url + link, None))
        assert later and all(script.status_code == 200 for script in code), (
            "the renderer has a file of its own"
        )
    return time.perf_counter() - began


def _pictures(
    home: Path, far: Far, link: str, scene_id: str, cloud: SplatCloud, asset: SplatAsset
) -> list[Row]:
    cameras = outside_views(cloud)
    truth = draw(cloud, cameras).images.clip(0, 1)
    clouds = _decoded(asset)
    ways: dict[str, list[list[Arrival]]] = {}
    with served(home, far) as url:
        opened = open_link(url + link)
        ways["ws"] = [asyncio.run(_watch(url + link, pose_of(cameras, i))) for i in range(_VIEWS)]
        plain = (far.address, f"/api/scenes/{scene_id}/pack", opened.bearer)
        ways["64Ki pages, HTTP Range"] = [_by_pages(plain, asset) for _ in range(2)]
        ways["whole file, HTTP"] = [_by_file(plain, asset) for _ in range(2)]
    found = []
    for way, visits in ways.items():
        first = float(np.median([visit[0].at_s for visit in visits]))
        found.append(Row(f"{way}: first picture", first * 1000, "ms"))
        for goal_db in _GOALS_DB:
            times = []
            for view in range(_VIEWS):
                visit = visits[view % len(visits)]
                times.append(reaches(visit, goal_db, clouds, asset, cameras.subset([view]), truth[view]))
            figure, middle = f"{way}: {goal_db:g} dB, median of {_VIEWS} views", float(np.median(times))
            goal_s = {25.0: 0.3, 30.0: 0.6}[goal_db]
            found.append(at_most(figure, middle, "s", goal_s) if way == "ws" else Row(figure, middle, "s"))
    return found


def outside_views(cloud: SplatCloud) -> Cameras:
    """Return views of the robot that it fills: black around it would flatter every decibel."""
    cameras = viewpoints(cloud.means, [], seed=99).resized(480, 360)
    pictures = draw(cloud.subset(np.arange(0, len(cloud), 10)), cameras.resized(60, 45)).images
    filled = (pictures.max(axis=3) > 0.05).mean(axis=(1, 2))
    middle = np.median(cloud.means, axis=0)
    eyes = np.stack([-viewmat[:3, :3].T @ viewmat[:3, 3] for viewmat in cameras.viewmats])
    is_outside = np.linalg.norm(eyes - middle, axis=1) > 1.2  # metres; the robot is 1 m about it
    order = np.argsort(-np.where(is_outside, filled, 0.0))[:_VIEWS]
    return cameras.subset(sorted(order.tolist()))


def pose_of(cameras: Cameras, index: int) -> tuple[float, ...]:
    """Return eye and direction of one camera, as `connect` takes them."""
    viewmat = cameras.viewmats[index]
    return (*(-viewmat[:3, :3].T @ viewmat[:3, 3]).tolist(), *viewmat[2, :3].tolist())


async def _watch(url: str, pose: Sequence[float]) -> list[Arrival]:
    opened = await asyncio.to_thread(open_link, url)
    began = time.perf_counter()
    found = []
    async with stream(opened, pose=pose) as connection:
        while not isinstance(message := await connection.receive(), BatchDone):
            if isinstance(message, Chunk):
                found.append(Arrival(time.perf_counter() - began, message.chunk, message.epoch))
    return found


def _by_pages(where: tuple[str, str, str], asset: SplatAsset) -> list[Arrival]:
    pages: list[list[ChunkInfo]] = [[]]
    for chunk in asset.chunks:
        if sum(one.splat_count for one in pages[-1]) + chunk.splat_count > _PAGE_SPLATS and pages[-1]:
            pages.append([])
        pages[-1].append(chunk)
    began = time.perf_counter()
    lines = [http.client.HTTPConnection(where[0], 8765) for _ in range(_PAGES_AT_ONCE)]
    _range(lines[0], where, 0, _FIRST_READ_BYTES)
    found: list[Arrival] = []

    def fetch(worker: int) -> None:
        for page in pages[worker::_PAGES_AT_ONCE]:
            start, last = page[0].byte_offset, page[-1]
            _range(lines[worker], where, start, last.byte_offset + last.byte_length - start)
            now = time.perf_counter() - began
            found.extend(Arrival(now, chunk.index) for chunk in page)

    with ThreadPoolExecutor(_PAGES_AT_ONCE) as pool:
        list(pool.map(fetch, range(_PAGES_AT_ONCE)))
    for line in lines:
        line.close()
    return sorted(found, key=lambda arrival: arrival.at_s)


def _by_file(where: tuple[str, str, str], asset: SplatAsset) -> list[Arrival]:
    """Only the finest level: a file for download holds no others."""
    finest = [chunk for chunk in asset.chunks if chunk.level == asset.manifest.level_count - 1]
    began = time.perf_counter()
    line = http.client.HTTPConnection(where[0], 8765)
    _range(line, where, finest[0].byte_offset, sum(chunk.byte_length for chunk in finest))
    now = time.perf_counter() - began
    line.close()
    return [Arrival(now, chunk.index) for chunk in finest]


def _range(line: http.client.HTTPConnection, where: tuple[str, str, str], start: int, count: int) -> None:
    bearer = {"Authorization": f"Bearer {where[2]}", "Range": f"bytes={start}-{start + count - 1}"}
    line.request("GET", where[1], headers=bearer)
    assert len(line.getresponse().read()) == count


def _decoded(asset: SplatAsset) -> dict[int, SplatCloud]:
    found = [chunk.index for chunk in asset.chunks if chunk.kind == "splats"]
    return dict(zip(found, decode_chunks([asset.chunk_bytes(index) for index in found]), strict=True))


def shown_of(held: set[int], clouds: dict[int, SplatCloud], asset: SplatAsset) -> SplatCloud:
    """Return what is shown of chunks held: each without the ranges that its children replace."""
    parts = []
    for index in held & set(clouds):
        alive = np.ones(len(clouds[index]), bool)
        for child in asset.chunks:
            if child.parent == index and child.index in held:
                alive[child.range_start : child.range_stop] = False
        if alive.any():
            parts.append(clouds[index].subset(np.flatnonzero(alive)))
    return join_clouds(parts)


def reaches(
    visit: list[Arrival],
    goal_db: float,
    clouds: dict[int, SplatCloud],
    asset: SplatAsset,
    camera: Cameras,
    truth: np.ndarray,
) -> float:
    """Return when what had arrived was `goal_db` good, found by halving: more is hardly ever worse."""

    def is_good(count: int) -> bool:
        held = {arrival.chunk for arrival in visit[:count]}
        picture = draw(shown_of(held, clouds, asset), camera).images[0].clip(0, 1)
        return -10 * math.log10(max(float(((picture - truth) ** 2).mean()), 1e-12)) >= goal_db

    low, high = 0, len(visit)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_good(middle) else (middle, high)
    return visit[high - 1].at_s


def _turns(home: Path, far: Far, link: str) -> list[Row]:
    with served(home, far) as url:
        found = [asyncio.run(_turn(url + link)) for _ in range(_TURNS)]
    waits, stale = np.array(found).T
    return [
        at_most(f"turn by 120 degrees: first chunk of the new view, p95 of {_TURNS}",
                float(np.percentile(waits, 95)) * 1000, "ms", 130),
        Row("turn by 120 degrees: first chunk of the new view, median", float(np.median(waits)) * 1000, "ms"),
        at_most(f"turn by 120 degrees: stale bytes, most of {_TURNS}", float(stale.max()) / 1024, "KiB", 256),
    ]  # fmt: skip


async def _turn(url: str) -> tuple[float, float]:
    """From the middle of the robot, where there is something on every side."""
    opened = await asyncio.to_thread(open_link, url)
    eye, angle = (0.0, 0.4, 0.0), math.radians(120)
    stale, turned_at = 0, 0.0
    async with stream(opened, pose=(*eye, 0.0, 0.0, -1.0)) as connection:
        began = time.perf_counter()
        while True:
            message = await connection.receive()
            now = time.perf_counter()
            if not isinstance(message, Chunk):
                assert not isinstance(message, BatchDone), "the turn must come before everything is there"
                continue
            if turned_at and message.epoch == 1:
                return now - turned_at, stale
            if turned_at:
                stale += CHUNK_HEADER_BYTES + len(message.glb)
            elif now - began > 0.8:
                turned_at = now
                await connection.send(Pose(1, eye, (math.sin(angle), 0.0, -math.cos(angle)), 90.0))


def _returns(home: Path, far: Far, link: str, asset: SplatAsset) -> list[Row]:
    """Cut the line after half the scene, and end the server after another part."""
    held: list[int] = []
    again = 0
    first_new: list[float] = []
    for part in range(3):
        with served(home, far) as url:
            order, first_s = asyncio.run(_part(url + link, held, asset))
            again += sum(asset.chunks[index].byte_length for index in order if index in held)
            held += [index for index in order if index not in held]
            if part:
                first_new.append(first_s)
    return [
        at_most("after two cuts and new servers: bytes sent again", again, "B", 0),
        at_least("after two cuts and new servers: chunks held, of all", len(held) / len(asset.chunks), "", 1),
        Row("coming back: first new chunk", max(first_new) * 1000, "ms"),
    ]


async def _part(url: str, held: list[int], asset: SplatAsset) -> tuple[list[int], float]:
    opened = await asyncio.to_thread(open_link, url)
    have = [bytes.fromhex(asset.chunks[index].sha256) for index in held]
    began, first_s = time.perf_counter(), 0.0
    async with stream(opened, have=have) as connection:
        while not isinstance(message := await connection.receive(), BatchDone):
            first_s = first_s or time.perf_counter() - began
            if isinstance(message, Chunk) and len(connection.received.order) >= 60 and len(held) < 120:
                connection.cut()
                break
    return connection.received.order, first_s


def _goodput(home: Path, link: str) -> list[Row]:
    """The best of some rounds: a machine that others use too carries less than the line in the others."""
    found = []
    lossy = Line(loss=0.01)
    for line, congestion, goal in (
        (Line(), "bbr", 0.92), (Line(), "cubic", 0.92), (Line(5, 100), "bbr", 0.92),
        (Line(100, 20), "bbr", 0.92),
        (lossy, "bbr", 0.8), (lossy, "cubic", 0.5),
    ):  # fmt: skip
        shares = []
        with emulated(line) as far:
            own, wall = time.process_time(), time.perf_counter()
            with served(home, far, congestion=congestion) as url:
                for _ in range(_GOODPUT_ROUNDS):
                    shares.append(asyncio.run(_share_used(url + link, line)))
                used = [time.process_time() - own, *_cpu_of_children()]
            wall = time.perf_counter() - wall
            plain = _plain_share(far, line, congestion)
        name = f"goodput, {line.name}, {congestion}"
        spread = f"worst {min(shares):.2f}, a plain socket {plain:.2f}"
        figure = f"{name}, of the line, best of {_GOODPUT_ROUNDS} ({spread})"
        found.append(at_least(figure, max(shares), "", goal))
        cores = " + ".join(f"{seconds / wall:.2f}" for seconds in used)
        found.append(Row(f"{name}: cores of viewer and of line and server, {cores}", sum(used) / wall, ""))
    return found


def _cpu_of_children() -> list[float]:
    """Return CPU-seconds of each process that this one started and that still runs, oldest first."""
    stats = (path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat"))
    own = [stat for stat in stats if int(stat[1]) == os.getpid()]
    ticks = os.sysconf("SC_CLK_TCK")
    return [(int(s[11]) + int(s[12])) / ticks for s in sorted(own, key=lambda s: int(s[19]))]


async def _share_used(url: str, line: Line) -> float:
    opened = await asyncio.to_thread(open_link, url)
    began, counted = time.perf_counter(), 0
    async with stream(opened) as connection:
        while (elapsed := time.perf_counter() - began) < _GOODPUT_TO_S:
            message = await connection.receive()
            if isinstance(message, Chunk) and elapsed >= _GOODPUT_FROM_S:
                counted += CHUNK_HEADER_BYTES + len(message.glb)
            if isinstance(message, BatchDone):
                break
        connection.cut()
    return counted / (min(elapsed, _GOODPUT_TO_S) - _GOODPUT_FROM_S) / line.bytes_s


_SEND = """
import socket, sys
listener = socket.create_server((sys.argv[1], 9000))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, sys.argv[2].encode())
print("up", flush=True)
with listener.accept()[0] as connection:
    try:
        while True:
            connection.sendall(bytes(65536))
    except OSError:
        pass
"""


def _plain_share(far: Far, line: Line, congestion: str) -> float:
    """What a socket without any protocol reaches, over the same seconds: the most there is to reach."""
    import socket

    command = [*far.prefix, sys.executable, "-c", _SEND, far.address, congestion]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        counted, began = 0, time.perf_counter()
        with socket.create_connection((far.address, 9000)) as near:
            while (elapsed := time.perf_counter() - began) < _GOODPUT_TO_S:
                count = len(near.recv(1 << 20))
                counted += count if elapsed >= _GOODPUT_FROM_S else 0
    return counted / (_GOODPUT_TO_S - _GOODPUT_FROM_S) / line.bytes_s
