"""Bytes of whole scenes, ours beside SPZ 4 and SOG 2 that another program wrote, and what each loses.

`python -m tests.bench asset_bytes`. Scenes: the robot (500 000 splats and two of its levels) and the statue
of the shared data; a forest, a room and photos of a door lifted here, once, and kept under `build/`. Ours are
the chunks of the finest level as they travel, JSON and gzip included. Losses are of pictures against those of
the unpacked splats; where there is truth, also of held-out frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from immersive import pipeline
from immersive.camera_path import camera_path
from immersive.progress import Silent
from immersive.request import CreateRequest
from immersive.stage_runner import StageRunner
from immersive.stages import StageStore
from reconstruction.cameras import Cameras
from reconstruction.quality import assess
from reconstruction.rasterizers.draw import draw
from reconstruction.splats import SplatCloud
from streaming import ply
from streaming.chunk_bytes import decode_chunks, encode_chunks
from streaming.chunks import leaf_parts
from streaming.refine import viewpoints
from streaming.transform import join_clouds
from streaming.validate import read_splats
from tests.bench.rows import FOLDER, Row, at_least, at_most
from tests.data import shared

_VIEWS = 16
_WIDTH_PX, _HEIGHT_PX = 640, 480


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A cloud, where it is looked at from, and how good it is against truth."""

    name: str
    cloud: SplatCloud
    cameras: Cameras
    sog_bytes: int | None = None  # of the SOG that it came as
    truth_psnr_db: Callable[[SplatCloud], float] | None = None


def rows() -> list[Row]:
    """Measure every scene and their sums."""
    found: list[Row] = []
    total = {"ours": 0, "SPZ 4": 0, "SOG 2": 0}
    for scene in scenes():
        truth = draw(scene.cloud, scene.cameras).images.clip(0, 1)
        parts = [scene.cloud.subset(part) for part in leaf_parts(scene.cloud.means)]
        started = time.process_time()
        chunks = [data for data, _ in encode_chunks(parts)]
        seconds = time.process_time() - started
        packed = join_clouds(decode_chunks(chunks))
        candidates = {"ours": (sum(map(len, chunks)), packed), **_of_others(scene)}
        for name, (count, cloud) in candidates.items():
            print(f"{scene.name}: {name}, {count / len(scene.cloud):.2f} bytes per splat", flush=True)
            total[name] += count
            found.append(Row(f"{scene.name}: {name}", count / len(scene.cloud), "B/splat"))
            loss = _psnr_db(draw(cloud, scene.cameras).images.clip(0, 1), truth)
            figure = f"{scene.name}: {name}, pictures"
            found.append(at_least(figure, loss, "dB", 40) if name == "ours" else Row(figure, loss, "dB"))
        found.append(Row(f"{scene.name}: encoding ours", len(scene.cloud) / seconds / 1000, "k splats/CPU-s"))
        if scene.truth_psnr_db is not None:
            before, after = scene.truth_psnr_db(scene.cloud), scene.truth_psnr_db(packed)
            found.append(
                at_most(
                    f"{scene.name}: lost of {before:.2f} dB on held-out frames", before - after, "dB", 0.1
                )
            )
    found.append(at_most("all scenes: ours to SPZ 4", total["ours"] / total["SPZ 4"], "x", 0.75))
    found.append(at_most("all scenes: ours to SOG 2", total["ours"] / total["SOG 2"], "x", 0.95))
    return found


def scenes() -> list[Scene]:
    """Return all scenes; lifting the three that are not files takes some 300 CPU-seconds, once."""
    files = {
        "robot 500k, degree 2": "splats/playbot_lod_sog/0_0/meta.json",
        "robot 250k, degree 2": "splats/playbot_lod_sog/1_0/meta.json",
        "robot 31k, degree 2": "splats/converted_playbot_lod3/playbot_lod3.ply",
        "statue 71k": "splats/angel.compressed.ply",
    }
    found = []
    for name, path in files.items():
        file = shared(path)
        cloud = read_splats(file)
        # Its makers' own files: a palette of 500 000 splats takes GaussForge a quarter of an hour.
        original = [*file.parent.iterdir()] if file.name == "meta.json" else []
        sog_bytes = sum(part.stat().st_size for part in original) or None
        found.append(Scene(name, cloud, _resized(viewpoints(cloud.means, [], seed=5)), sog_bytes))
    return found + [_lifted(name, request) for name, request in requests().items()]


def requests() -> dict[str, CreateRequest]:
    """Return what is made here: two procedural places, and one from photos."""
    return {
        "forest": CreateRequest(prompt="a misty pine forest with a wooden cabin beside a lake"),
        "living room": CreateRequest(
            prompt="a cosy living room with a red sofa, a fireplace and tall windows"
        ),
        "door, photos": CreateRequest(images=shared("photos/lund_door")),
    }


def lift(
    request: CreateRequest,
) -> tuple[pipeline.Source, pipeline.FittedScene, list[tuple[float, float, float, float]]]:
    """Return frames, fit and camera path of a request; made once and kept."""
    runner = StageRunner(StageStore(FOLDER / "stages"), Silent())
    recipe = pipeline.plan_scene(runner, request)
    source = recipe.planned.read(runner)
    # Whom photos show a thing to stands where they were taken, as everywhere.
    stops = camera_path(source.frames)
    return source, pipeline._fit(runner, recipe.planned.digest, source, recipe.plan), stops


def _lifted(name: str, request: CreateRequest) -> Scene:
    source, fitted, stops = lift(request)
    cameras = _resized(viewpoints(fitted.cloud.means, stops, seed=7))
    return Scene(
        name,
        fitted.cloud,
        cameras,
        truth_psnr_db=lambda cloud: assess(cloud, source.frames, exposures=fitted.exposures).psnr_db,
    )


def _resized(cameras: Cameras) -> Cameras:
    some = np.linspace(0, len(cameras) - 1, min(_VIEWS, len(cameras))).round().astype(int)
    return cameras.subset(some.tolist()).resized(_WIDTH_PX, _HEIGHT_PX)


def _of_others(scene: Scene) -> dict[str, tuple[int, SplatCloud]]:
    """Let GaussForge write both formats from a PLY, and read what it wrote."""
    import gaussforge

    program, source = gaussforge.GaussForge(), ply.encode(scene.cloud)
    found = {} if scene.sog_bytes is None else {"SOG 2": (scene.sog_bytes, scene.cloud)}
    with TemporaryDirectory() as folder:
        for name, kind in (("SPZ 4", "spz"), ("SOG 2", "sog")):
            if name in found:
                continue
            result = program.convert(source, "ply", kind, spz_version=4)
            assert "error" not in result, result["error"]
            data = bytes(result["data"])
            path = Path(folder) / f"scene.{kind}"
            path.write_bytes(data)
            assert kind != "spz" or data[:4] == b"NGSP", "SPZ 4 begins so; 3 is a gzip member"
            # GaussForge leaves the axes of the PLY as they are.
            found[name] = (len(data), read_splats(path, frame="rdf"))
    return found


def _psnr_db(pictures: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(max(((pictures - truth) ** 2).mean(), 1e-12)))
