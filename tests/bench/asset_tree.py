"""How soon a tree looks right: bytes to reach some decibels from afar and near, its overhead, its cost.

`python -m tests.bench asset_tree`. The robot of the shared data, 500 000 splats, degree 0, sent by the real
scheduler; every chunk counts with its message. So do a forest and a room made here, and a photographed door,
from eight places about their paths. A million splats are two robots side by side, built in a process of their
own. Chunks are read by the page's own worker code.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from immersive.request import CreateRequest
from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.frames import Provenance
from reconstruction.rasterizers.draw import draw
from reconstruction.splats import SplatCloud
from streaming.assemble import build_asset, finest_cloud
from streaming.asset import SplatAsset
from streaming.chunk_bytes import decode_chunks, encode_chunks
from streaming.chunks import cut
from streaming.lod import build_tree
from streaming.messages import Chunk, Credit, Pose, decode_from_server, encode
from streaming.session import StreamedScene, ViewerSession
from streaming.transform import join_clouds
from streaming.validate import read_splats
from tests.bench.asset_bytes import lift, requests
from tests.bench.rows import Row, at_least, at_most, cpu_seconds
from tests.data import shared

_WIDTH_PX, _HEIGHT_PX, _FOV_DEG = 640, 480, 60.0
_GOALS_DB = (25, 28, 30)
_VIEWER = Path(__file__).resolve().parents[2] / "viewer"
_PLACES = 8
_BESIDE_M = 0.25
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
    found += _encoding(cloud) + _colour() + _page(asset)
    for name, request in requests().items():
        found += _along_a_path(name, request)
    return found


def _encoding(cloud: SplatCloud) -> list[Row]:
    tree_s, pieces = cpu_seconds(lambda: cut(build_tree(cloud)))
    clouds, runs = [piece.cloud for piece in pieces], [piece.runs for piece in pieces]
    chunks_s, _ = cpu_seconds(lambda: encode_chunks(clouds, runs))
    rates = {"tree and cut": tree_s, "chunks": chunks_s, "both, without refit": tree_s + chunks_s}
    return [
        at_least(f"robot 500k: encoding, {name}", len(cloud) / seconds / 1000, "k splats/CPU-s", 300)
        for name, seconds in rates.items()
    ]


def _colour() -> list[Row]:
    """Return what view-dependent colour adds, and whether all shapes in view come before it."""
    whole = read_splats(shared("splats/converted_playbot_lod3/playbot_lod3.ply"))
    asset = build_asset(whole, title="robot", provenance=Provenance("bench", is_generated=False))
    scene = StreamedScene.prepare(asset, "bench", "bench")
    session = ViewerSession(
        scene, pose=VIEWS[0].pose, credit=4_000_000, max_splats=10**7, wants_harmonics=True
    )
    messages = (decode_from_server(message) for message in iter(session.next_to_send, None))
    sent = [message.chunk for message in messages if isinstance(message, Chunk)]
    _, in_view = scene.scores(VIEWS[0].pose)
    first = next(at for at, index in enumerate(sent) if asset.chunks[index].kind == "sh")
    late = sum(bool(in_view[i]) and asset.chunks[i].kind == "splats" for i in sent[first:])
    found = [
        Row(
            f"robot 31k, degree 2: {name}",
            sum(c.byte_length for c in asset.chunks if c.kind == kind) / len(whole),
            "B/splat",
        )
        for name, kind in (("shapes, all levels", "splats"), ("layers of colour", "sh"))
    ]
    return [*found, at_most("robot 31k, far view: shapes in view after the first layer", late, "", 0)]


def _page(asset: SplatAsset) -> list[Row]:
    node = shutil.which("node")
    if node is None:
        return []
    last = asset.manifest.level_count - 1
    with TemporaryDirectory() as folder:
        for chunk in asset.chunks:
            if chunk.kind == "splats" and chunk.level == last:
                (Path(folder) / f"{chunk.index}.chunk").write_bytes(asset.chunk_bytes(chunk.index))
        command = [node, "scripts/decode-chunks.mjs", folder, "3"]
        done = subprocess.run(command, cwd=_VIEWER, capture_output=True, text=True, check=True)
    rate = json.loads(done.stdout.splitlines()[-1])["splats_per_cpu_s"]
    return [at_least("robot 500k: decoding in the page's worker", rate / 1e6, "M splats/CPU-s", 1)]


def _along_a_path(name: str, request: CreateRequest) -> list[Row]:
    _, fitted, stops = lift(request)
    asset = build_asset(
        fitted.cloud, title=name, provenance=Provenance("bench", is_generated=False), camera_path=stops
    )
    truth = finest_cloud(asset)
    rng = np.random.default_rng(5)
    reached: dict[int, list[float]] = {goal: [] for goal in _GOALS_DB}
    for stop in rng.choice(len(stops), _PLACES, replace=len(stops) < _PLACES):
        x, y, z, yaw_deg = stops[stop]
        eye = np.array([x, y, z]) + rng.normal(0, _BESIDE_M, 3) * [1, 0.2, 1]
        yaw = np.radians(yaw_deg + rng.uniform(-60, 60))
        target = eye + [-np.sin(yaw), -0.1, -np.cos(yaw)]
        view = View(name, tuple(eye.tolist()), tuple(target.tolist()))
        found = kilobytes_to(asset, view, truth)
        for goal_db, values in reached.items():
            values.append(found.get(goal_db, asset.byte_length / 1000))
    return [
        Row(f"{name}, median of {_PLACES} views: to {goal} dB", float(np.median(values)), "KB")
        for goal, values in reached.items()
    ]


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
