"""How soon a tree looks right: bytes to reach some decibels from afar and near, its overhead, its cost.

`python -m tests.bench asset_tree`. The robot of the shared data, 500 000 splats, degree 0, sent by the real
scheduler; every chunk counts with its message. A million splats are two robots side by side, built in a
process of their own.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.frames import Provenance
from reconstruction.rasterizers.draw import draw
from reconstruction.splats import SplatCloud
from streaming.assemble import build_asset, finest_cloud
from streaming.asset import SplatAsset
from streaming.chunk_bytes import decode_chunks
from streaming.messages import Chunk, Credit, Pose, decode_from_server, encode
from streaming.session import StreamedScene, ViewerSession
from streaming.transform import join_clouds
from streaming.validate import read_splats
from tests.bench.rows import Row, at_most
from tests.data import shared

_WIDTH_PX, _HEIGHT_PX, _FOV_DEG = 640, 480, 60.0
_GOALS_DB = (25, 28, 30)
_MOST_KB = {"far": {25: 120.0, 30: 550.0}}


@dataclass(frozen=True, slots=True)
class View:
    """Somebody who looks at the robot."""

    name: str
    eye: tuple[float, float, float]
    target: tuple[float, float, float]

    @property
    def camera(self) -> Cameras:
        """One picture of it."""
        focal_px = 0.5 * _WIDTH_PX / np.tan(np.radians(_FOV_DEG) / 2)
        K = intrinsics(focal_px, _WIDTH_PX, _HEIGHT_PX)[None]
        viewmat = look_at_viewmat(np.array(self.eye), np.array(self.target))[None]
        return Cameras(viewmat.astype(np.float32), K.astype(np.float32), _WIDTH_PX, _HEIGHT_PX)

    @property
    def pose(self) -> Pose:
        """What its viewer tells the server."""
        ahead = np.subtract(self.target, self.eye)
        ahead /= np.linalg.norm(ahead)
        half = np.tan(np.radians(_FOV_DEG) / 2)
        cone = 2 * np.degrees(np.arctan(half * np.hypot(1, _HEIGHT_PX / _WIDTH_PX)))
        return Pose(1, self.eye, tuple(ahead.tolist()), float(cone))


VIEWS = (
    View("far", (1.25, 0.75, -1.35), (0.0, 0.4, 0.0)),
    View("near", (-0.55, 0.75, 0.65), (-0.1, 0.6, 0.0)),
)


def rows() -> list[Row]:
    """Measure the robot, then twice the robot."""
    cloud = robot()
    started = time.process_time()
    asset = build_asset(cloud, title="robot", provenance=Provenance("bench", is_generated=False))
    found = [Row("robot 500k: building it", time.process_time() - started, "CPU-s")]
    splats = [chunk for chunk in asset.chunks if chunk.kind == "splats"]
    last = asset.manifest.level_count - 1
    leaves = sum(chunk.byte_length for chunk in splats if chunk.level == last)
    whole = sum(chunk.byte_length for chunk in splats)
    found.append(Row("robot 500k: finest level", leaves / len(cloud), "B/splat"))
    found.append(at_most("robot 500k: the tree over its leaves", 100 * (whole / leaves - 1), "%", 22))
    truth = finest_cloud(asset)
    for view in VIEWS:
        for goal_db, kilobytes in kilobytes_to(asset, view, truth).items():
            figure = f"robot 500k, {view.name} view: to {goal_db} dB"
            most = _MOST_KB.get(view.name, {}).get(goal_db)
            found.append(
                Row(figure, kilobytes, "KB") if most is None else at_most(figure, kilobytes, "KB", most)
            )
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, gigabytes = pool.apply(million)
    found.append(at_most("a million splats: building them", seconds, "CPU-s", 120))
    found.append(at_most("a million splats: memory", gigabytes, "GB", 4))
    return found


def robot() -> SplatCloud:
    """Return the robot without view-dependent colour."""
    whole = read_splats(shared("splats/playbot_lod_sog/0_0/meta.json"))
    return SplatCloud(whole.means, whole.quats, whole.scales, whole.opacities, whole.sh[:, :1].copy())


def million() -> tuple[float, float]:
    """Build two robots; CPU-seconds, and gigabytes at the most."""
    one = robot()
    other = SplatCloud(one.means + np.float32([1.5, 0, 0]), one.quats, one.scales, one.opacities, one.sh)
    both = join_clouds([one, other])
    started = time.process_time()
    build_asset(both, title="robots", provenance=Provenance("bench", is_generated=False))
    return time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def kilobytes_to(asset: SplatAsset, view: View, truth: SplatCloud) -> dict[int, float]:
    """Return for each goal the kilobytes of chunks after which the picture is that good."""
    wanted = _picture(truth, view)
    scene = StreamedScene.prepare(asset, "bench", "bench")
    session = ViewerSession(scene, pose=view.pose, credit=16_000_000, max_splats=10_000_000)
    held: dict[int, SplatCloud] = {}
    shown: dict[int, NDArray[np.bool_]] = {}
    reached: dict[int, float] = {}
    sent = 0
    while (message := session.next_to_send()) is not None and len(reached) < len(_GOALS_DB):
        chunk = decode_from_server(message)
        if not isinstance(chunk, Chunk):
            continue
        session.receive(encode(Credit(len(message))))
        info = asset.chunks[chunk.chunk]
        if info.kind != "splats":
            continue
        sent += len(message)
        (held[info.index],) = decode_chunks([bytes(chunk.glb)])
        shown[info.index] = np.ones(info.splat_count, bool)
        if info.parent >= 0:
            shown[info.parent][info.range_start : info.range_stop] = False
        alive = join_clouds([held[i].subset(np.flatnonzero(mask)) for i, mask in shown.items() if mask.any()])
        quality_db = -10 * np.log10(((_picture(alive, view) - wanted) ** 2).mean())
        reached |= {goal: sent / 1000 for goal in _GOALS_DB if goal <= quality_db and goal not in reached}
    return reached


def _picture(cloud: SplatCloud, view: View) -> NDArray[np.float32]:
    return draw(cloud, view.camera).images[0].clip(0, 1)
