"""Pictures for devices that cannot draw: how many a CPU-second, and how long after a pose. Loopback, no TLS.

Run from the repository root: python -m tests.bench thin. The server is a process of its own, and its CPU time
is of everything it does: walking, drawing, encoding, sending. One device walks and turns through the sample
scene, as fast as pictures come; and around splats that all are in view, which is the most that there can be.
"""

from __future__ import annotations

import asyncio
import io
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from immersive.catalog import Catalog
from immersive.client import open_link
from immersive.serve_command import sample_folder
from immersive.share import Links
from immersive.thin.asked import Asked
from immersive.thin.drawing import Drawing
from immersive.thin.scene import DrawnScene
from reconstruction.frames import Provenance
from streaming.assemble import build_asset
from streaming.asset import SplatAsset
from streaming.messages import SUBPROTOCOL, Credit, Picture, Pose, decode_from_server, encode
from streaming.pack import read_asset
from streaming.session import StreamedScene
from tests.bench.crowd import Server, served
from tests.bench.raster import room
from tests.bench.rows import Row, at_least, at_most, cpu_seconds

_POSES = 120
_FOV_DEG = 70.0
_ALL_IN_VIEW = 100_000
_LEAST_PER_CPU_S = 8.0
_MOST_LATENCY_MS = 150.0


def rows() -> list[Row]:
    """Measure both scenes, and what pictures cost as files."""
    sample = read_asset(sample_folder())
    cloud, _ = room(_ALL_IN_VIEW)
    # From outside, where the whole room is in the picture.
    outside = build_asset(cloud, title="room", provenance=Provenance("bench", is_generated=False))
    found = _visit("sample", sample, _walk) + _visit("all in view", outside, _turn_a_little)
    return found + _file_rows(sample)


def _visit(name: str, asset: SplatAsset, way: Callable[[int, Pose], Pose]) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        catalog = Catalog(home)
        path = Links(catalog).create(catalog.publish(asset).id).path
        catalog.close()
        with served(home) as server:
            first_ms, latencies, cpu_s = asyncio.run(_pictures(server, path, way))
            memory_mb = server.most_rss_mb
    count = f"{asset.manifest.splat_count:,} splats"
    return [
        at_least(f"{name}, {count}: pictures", len(latencies) / cpu_s, "/CPU-s", _LEAST_PER_CPU_S),
        at_most(f"{name}: pose to picture, median", float(np.median(latencies)), "ms", _MOST_LATENCY_MS),
        at_most(f"{name}: pose to picture, p95", float(np.percentile(latencies, 95)), "ms", _MOST_LATENCY_MS),
        Row(f"{name}: first picture after the link", first_ms, "ms"),
        Row(f"{name}: server's memory, most", memory_mb, "MB"),
    ]


async def _pictures(
    server: Server, path: str, way: Callable[[int, Pose], Pose]
) -> tuple[float, list[float], float]:
    opened = await asyncio.to_thread(open_link, server.url + path)
    began, latencies = time.perf_counter(), []
    address = f"ws{server.url.removeprefix('http')}/ws/pictures?ticket={opened.ticket}&fov={_FOV_DEG}"
    async with connect(
        address, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, max_size=None, proxy=None
    ) as socket:
        first = decode_from_server(await socket.recv())
        assert isinstance(first, Picture)
        await socket.send(encode(Credit(len(first.picture))))
        first_ms = (time.perf_counter() - began) * 1000
        yaw = math.radians(opened.scene["spawn"]["yaw_deg"])
        pose = Pose(0, first.position, (-math.sin(yaw), 0.0, -math.cos(yaw)), _FOV_DEG)
        cpu_s = server.cpu_s
        for epoch in range(1, _POSES + 1):
            pose = way(epoch, pose)
            sent = time.perf_counter()
            await socket.send(encode(pose))
            picture = decode_from_server(await socket.recv())
            latencies.append((time.perf_counter() - sent) * 1000)
            assert isinstance(picture, Picture) and picture.epoch == epoch
            pose = Pose(epoch, picture.position, pose.forward, _FOV_DEG)
            await socket.send(encode(Credit(len(picture.picture))))
        return first_ms, latencies, server.cpu_s - cpu_s


def _walk(epoch: int, pose: Pose) -> Pose:
    """Once around in 3-degree turns, 7 cm a step."""
    x, y, z = pose.position
    fx, fy, fz = _turned(pose.forward, 3.0)
    return Pose(epoch, (x + 0.07 * fx, y, z + 0.07 * fz), (fx, fy, fz), _FOV_DEG)


def _turn_a_little(epoch: int, pose: Pose) -> Pose:
    """To and fro by 2 degrees, 12 m from the middle of the room, from where all of it is in view."""
    return Pose(epoch, (0.0, 0.0, 12.0), _turned(pose.forward, 2.0 if epoch // 2 % 2 else -2.0), _FOV_DEG)


def _turned(forward: tuple[float, float, float], yaw_deg: float) -> tuple[float, float, float]:
    c, s = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    return c * forward[0] + s * forward[2], forward[1], c * forward[2] - s * forward[0]


def _file_rows(asset: SplatAsset) -> list[Row]:
    """Return bytes and CPU of the kinds of files, over one turn at the start."""
    scene = DrawnScene(StreamedScene.prepare(asset, "bench", "v1"))
    start = scene.scene.start_pose
    poses = [Pose(0, start.position, _turned(start.forward, 30.0 * turn), _FOV_DEG) for turn in range(12)]
    found = []
    for kind in ("jpeg", "webp"):
        drawing = Drawing(scene, Asked(kind=kind))  # type: ignore[arg-type]
        drawing.picture(poses[0])
        cpu_s, files = cpu_seconds(lambda drawing=drawing: [drawing.picture(pose) for pose in poses])
        size_kb = sum(len(data) for data in files) / len(poses) / 1000
        found.append(Row(f"{kind}: drawing and encoding", cpu_s / len(poses) * 1000, "CPU-ms"))
        found.append(Row(f"{kind}: size", size_kb, "KB"))
        assert Image.open(io.BytesIO(files[0])).size == (600, 600)
    return found
