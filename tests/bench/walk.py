"""Ten thousand walks in three small procedural places and on playbot, and what cleaning splats changes.

Run: python -m tests.bench.walk
"""

from __future__ import annotations

import sys

import numpy as np

from immersive.brief import Element, SceneBrief
from immersive.generation.procedural.generator import build_world
from immersive.generation.procedural.rays import ray_scene
from immersive.generation.procedural.render import render
from immersive.generation.trajectory import OFF_PATH_M, plan_path
from reconstruction.cleanup import clean
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.fusion import Collider, Mesh
from reconstruction.lifting import LiftSettings, lift
from reconstruction.metrics import psnr
from reconstruction.navigation import Body
from reconstruction.optimize import FitSettings, fit
from reconstruction.rasterizers.draw import draw_each
from reconstruction.splats import SplatCloud
from reconstruction.walkable import WalkSettings, build
from reconstruction.walkable_space import WalkableSpace
from reconstruction.walks import random_walks
from tests.bench.fitting import artist_frames
from tests.bench.rows import Row, at_least, at_most, cpu_seconds, publish, write

# Small pictures: walkability fuses depths at 240 pixels anyway.
_WIDTH, _HEIGHT = 320, 180
_SPLATS, _FIT_CPU_S = 80_000, 25.0
_PLANTED = 500
_PLACES = {
    "forest": SceneBrief(
        "a forest with a cabin at a lake at dusk",
        seed=4,
        setting="forest",
        elements=(Element("cabin", attributes=("wooden",)), Element("lake")),
        time="dusk",
        size="small",
    ),
    "meadow": SceneBrief("a meadow", seed=7, setting="meadow", size="small"),
    "living room": SceneBrief("a living room", seed=4, setting="living_room", is_indoor=True, size="small"),
}
_WALKS_GOAL_CPU_S = 10.0
_WORSE_GOAL_DB = -0.05


def rows() -> list[Row]:
    """Generate each place, walk in it, fit it and clean the fit; about 80 CPU-seconds a place."""
    found: list[Row] = []
    for name, brief in _PLACES.items():
        frames = _filmed(brief)
        found += _walk_rows(name, frames, is_indoor=brief.is_indoor)
        write("walk", found)
        found += _cleanup_rows(name, frames)
        write("walk", found)
    # A figure on a plate, seen from around it: the judge calls it poor, and still nobody may fall.
    found += _walk_rows("playbot", artist_frames(), is_indoor=False)
    return found


def _filmed(brief: SceneBrief) -> FrameSequence:
    world = build_world(brief)
    scene = ray_scene(world.mesh)
    plan = plan_path(world, brief, _WIDTH, _HEIGHT, brief.seed, scene=scene)
    images, depths = render(world, plan.cameras, lambda share: None, scene=scene)
    provenance = Provenance("procedural", is_generated=True, detail=brief.prompt)
    frames = FrameSequence(images, provenance, plan.cameras, depths, plan.held_out, world.water_y)
    return frames.in_world_frame()


def _walk_rows(name: str, frames: FrameSequence, *, is_indoor: bool) -> list[Row]:
    train = frames.subset(frames.train)
    settings = WalkSettings(is_indoor=is_indoor, water_y=frames.water_y)
    spent, space = cpu_seconds(lambda: build(train.depths, train.cameras, settings=settings))
    report = space.report
    again, trial = cpu_seconds(lambda: _walks_from_the_start(space, settings))
    return [
        at_most(f"{name}: falls in {report.walkers} walks", report.fall_count, "", 0),
        at_most(f"{name}: walkers that got outside", report.outside_count, "", 0),
        at_most(f"{name}: falls from the start", trial.fall_count, "", 0),
        at_most(f"{name}: stuck", report.stuck_share, "", 0.01),
        at_most(f"{name}: rays that meet nothing", report.open_ray_share, "", 0.01),
        Row(f"{name}: rays that end on the boundary", report.boundary_ray_share, ""),
        Row(f"{name}: reachable", report.reachable_m2, "m2"),
        Row(f"{name}: holes closed", report.hole_count, ""),
        Row(f"{name}: area of the holes", report.hole_m2, "m2"),
        Row(f"{name}: highest step", report.largest_rise_m, "m"),
        Row(f"{name}: cameras over the ground", report.camera_height_m, "m"),
        Row(f"{name}: collider, start and report", spent, "CPU-s"),
        at_most(f"{name}: of that, a round of walks", again, "CPU-s", _WALKS_GOAL_CPU_S),
    ]


def _walks_from_the_start(space: WalkableSpace, settings: WalkSettings):
    collider = Collider(Mesh(space.vertices, space.faces))
    return random_walks(
        collider,
        np.tile(space.spawn_position, (settings.walkers, 1)),
        body=Body(),
        strides=settings.strides,
        lowest_m=float(space.bounds_min[1]) - 1.0,
        random=np.random.default_rng(1),
    )


def _cleanup_rows(name: str, frames: FrameSequence) -> list[Row]:
    fitted = fit(
        frames, lift(frames, LiftSettings(splat_count=_SPLATS)), FitSettings(budget_cpu_s=_FIT_CPU_S)
    ).cloud
    spent, (cleaned, report) = cpu_seconds(lambda: clean(fitted, frames))
    dirty, planted = _with_floaters(fitted, frames)
    rescued, _ = clean(dirty, frames)
    (db, off_db), (clean_db, clean_off_db), (_, dirty_off_db), (_, rescued_off_db) = (
        _scores(cloud, frames) for cloud in (fitted, cleaned, dirty, rescued)
    )
    left = sum(tuple(mean) in planted for mean in rescued.means)
    return [
        Row(f"{name}: clean-up of {len(fitted)} splats", spent, "CPU-s"),
        Row(f"{name}: floaters", report.floater_count, ""),
        Row(f"{name}: near sky", report.near_sky_count, ""),
        Row(f"{name}: unseen", report.unseen_count, ""),
        Row(f"{name}: needles shortened", report.needle_count, ""),
        Row(f"{name}: held-out PSNR as fitted", db, "dB"),
        at_least(f"{name}: clean-up, all held-out views", clean_db - db, "dB", _WORSE_GOAL_DB),
        at_least(f"{name}: clean-up, views off the path", clean_off_db - off_db, "dB", _WORSE_GOAL_DB),
        Row(f"{name}: planted floaters found", 1 - left / _PLANTED, ""),
        Row(f"{name}: planted floaters, off the path", dirty_off_db - off_db, "dB"),
        Row(f"{name}: the same, cleaned", rescued_off_db - off_db, "dB"),
        at_least(
            f"{name}: share of that loss undone", _share_undone(off_db, dirty_off_db, rescued_off_db), "", 0.9
        ),
    ]


def _share_undone(before_db: float, dirty_db: float, rescued_db: float) -> float:
    return (rescued_db - dirty_db) / max(before_db - dirty_db, 1e-9)


def _with_floaters(cloud: SplatCloud, frames: FrameSequence) -> tuple[SplatCloud, set[tuple[float, ...]]]:
    """Add grey splats half-way along random known pixels of training views, as wrong depths make them."""
    random = np.random.default_rng(3)
    means = np.empty((_PLANTED, 3), np.float32)
    sizes = np.empty(_PLANTED, np.float32)
    cameras, depths = frames.cameras, frames.depths
    for place in range(_PLANTED):
        index = frames.train[random.integers(len(frames.train))]
        known = np.argwhere(np.isfinite(depths[index]) & (depths[index] > 1.5))
        row, column = known[random.integers(len(known))]
        z = random.uniform(0.3, 0.7) * depths[index, row, column]
        K, viewmat = cameras.Ks[index], cameras.viewmats[index]
        x_cam = np.array([(column + 0.5 - K[0, 2]) / K[0, 0], (row + 0.5 - K[1, 2]) / K[1, 1], 1.0]) * z
        means[place] = (x_cam - viewmat[:3, 3]) @ viewmat[:3, :3]
        sizes[place] = 2.0 * z / K[0, 0]
    sh = np.zeros((_PLANTED, cloud.sh.shape[1], 3), np.float32)
    dirty = SplatCloud(
        np.concatenate([cloud.means, means]),
        np.concatenate([cloud.quats, np.tile(np.float32([1, 0, 0, 0]), (_PLANTED, 1))]),
        np.concatenate([cloud.scales, np.repeat(sizes[:, None], 3, axis=1)]),
        np.concatenate([cloud.opacities, np.full(_PLANTED, 0.7, np.float32)]),
        np.concatenate([cloud.sh, sh]),
    )
    return dirty, {tuple(mean) for mean in means}


def _scores(cloud: SplatCloud, frames: FrameSequence) -> tuple[float, float]:
    """Return the mean PSNR of all held-out views, and of those off the path."""
    hidden, positions = list(frames.held_out), frames.cameras.positions
    away_m = np.linalg.norm(positions[hidden][:, None] - positions[list(frames.train)], axis=2).min(axis=1)
    views = draw_each(cloud, frames.cameras.subset(hidden))
    scores = np.array(
        [
            psnr(np.clip(view.image, 0, 1), frames.images[index] / np.float32(255))
            for index, view in zip(hidden, views, strict=True)
        ]
    )
    return float(scores.mean()), float(scores[away_m >= 0.99 * OFF_PATH_M].mean())


if __name__ == "__main__":
    publish("walk", found := rows())
    sys.exit(1 if any(row.met is False for row in found) else 0)
