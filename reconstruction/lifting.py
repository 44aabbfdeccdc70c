"""Pictures with cameras and depths, or points with colours, become the first splats.

One splat per surface patch, not per pixel: the views of one place overlap many times over. A patch is as
large as the finest pixel that saw it makes sensible: near things get small splats, far things large ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .checks import check_array
from .conventions import F32, quats_facing
from .depth_surface import surface_normals, without_noise
from .errors import InvalidArrayError, UnliftableInputError
from .frames import FrameSequence
from .spherical_harmonics import SH_C0
from .splats import SplatCloud

_SKY_NEAR_M, _SKY_FAR_M = 60.0, 300.0
_LARGEST_PATCH_PX = 12.0  # larger first splats smear over edges before the fit can shrink them
_CANDIDATES_PER_SPLAT = 5
_DISC_THICKNESS = 0.1  # of a disc's width


@dataclass(frozen=True, slots=True)
class LiftSettings:
    """How many first splats, and how they look."""

    splat_count: int = 150_000  # reached within 5 % when the pictures show that much
    opacity: float = 0.3  # low, so that a first mistake does not hide what is behind it
    scale: float = 0.7  # standard deviation as a share of the distance to the neighbours
    seed: int = 0

    def __post_init__(self) -> None:
        if self.splat_count < 1:
            raise InvalidArrayError("splat_count", f"must be positive, got {self.splat_count}")
        if not 0 < self.opacity < 1 or not self.scale > 0:
            raise InvalidArrayError("opacity and scale", "must be positive, and opacity below 1")


def lift(frames: FrameSequence, settings: LiftSettings | None = None) -> SplatCloud:
    """Return splats at the depths of the training frames; sky stands on a far shell.

    Raises:
        UnliftableInputError: There are no cameras, no depths, or no pixel of known depth in a training frame.
    """
    settings = settings or LiftSettings()
    if frames.cameras is None or frames.depths is None:
        raise UnliftableInputError("frames must have cameras and depths to be lifted")
    if not frames.train:
        raise UnliftableInputError("frames must leave at least one for training, all are held out")
    rng = np.random.default_rng(settings.seed)
    patches = _unproject(frames, settings, rng)
    return _cloud(patches.subset(_thin(patches, settings.splat_count, rng)), settings)


def lift_points(
    points: F32, colors: NDArray[np.uint8], cameras: Cameras, settings: LiftSettings | None = None
) -> SplatCloud:
    """Return splats at given points, sized by the distance to their neighbours.

    Args:
        points: [P, 3] world, e.g. from structure from motion.
        colors: [P, 3] sRGB.
        cameras: The views that will be fitted; points that none of them sees are left out.
        settings: `splat_count` is an upper limit here.

    Raises:
        InvalidArrayError: Shapes or types are wrong.
        UnliftableInputError: No camera sees at least four of the points.
    """
    settings = settings or LiftSettings()
    count = check_array("points", points, shape=("P", 3), dtype=np.float32)["P"]
    check_array("colors", colors, shape=(count, 3), dtype=np.uint8)
    footprints = _finest_footprints(points, cameras)
    seen = np.flatnonzero(np.isfinite(footprints))
    if len(seen) < 4:
        raise UnliftableInputError(f"points must be seen by the cameras, {len(seen)} of {count} are")
    if len(seen) > settings.splat_count:
        rng = np.random.default_rng(settings.seed)
        seen = np.sort(rng.choice(seen, settings.splat_count, replace=False))
    patches = _Patches(points, colors.astype(np.float32) / 255, footprints, np.zeros_like(points))
    return _cloud(patches.subset(seen), settings)


def sky_radius_m(frames: FrameSequence) -> float:
    """Return how far from the cameras' centre the sky stands: three times the scene, within 60 and 300 m.

    Never nearer than what has a known depth, even where that lies beyond 300 m.
    """
    assert frames.cameras is not None and frames.depths is not None
    sample = frames.depths[list(frames.train), ::7, ::7]
    known = sample[np.isfinite(sample) & (sample > 0)]
    if not known.size:
        return _SKY_NEAR_M
    center = frames.cameras.positions.mean(0)
    spread = float(np.linalg.norm(frames.cameras.positions - center, axis=1).max())
    typical = 3.0 * float(np.percentile(known, 90))
    return max(float(np.clip(typical, _SKY_NEAR_M, _SKY_FAR_M)), 1.1 * (float(known.max()) + spread))


@dataclass(frozen=True, slots=True, eq=False)
class _Patches:
    """Pixels as patches of surface in the world."""

    points: F32  # [P, 3]
    colors: F32  # [P, 3]
    footprints: F32  # [P] size of the pixel there in metres
    normals: F32  # [P, 3] unit, or zero where the surface is not known to be flat

    def subset(self, chosen: NDArray) -> _Patches:
        return _Patches(
            self.points[chosen], self.colors[chosen], self.footprints[chosen], self.normals[chosen]
        )


def _unproject(frames: FrameSequence, settings: LiftSettings, rng: np.random.Generator) -> _Patches:
    """Return more patches than splats are wanted, of all training frames."""
    cameras, depths = frames.cameras, frames.depths
    assert cameras is not None and depths is not None
    per_frame = max(1, _CANDIDATES_PER_SPLAT * settings.splat_count // len(frames.train))
    radius, center = sky_radius_m(frames), cameras.positions.mean(0)
    positions = cameras.positions
    points, colors, footprints, normals = [], [], [], []
    for index in frames.train:
        surface = without_noise(depths[index])
        rows, columns = np.nonzero(surface > 0)
        if len(rows) > per_frame:
            chosen = rng.choice(len(rows), per_frame, replace=False)
            rows, columns = rows[chosen], columns[chosen]
        K, viewmat = cameras.Ks[index], cameras.viewmats[index]
        depth = surface[rows, columns]
        x = (columns + 0.5 - K[0, 2]) / K[0, 0]
        y = (rows + 0.5 - K[1, 2]) / K[1, 1]
        ray = np.stack([x, y, np.ones_like(x)], 1) @ viewmat[:3, :3]  # world, reaching 1 m along the view
        is_sky = np.isinf(depth)
        if is_sky.any():
            depth[is_sky] = _to_sphere(positions[index] - center, ray[is_sky], radius)
        points.append(positions[index] + depth[:, None] * ray)
        colors.append(frames.images[index][rows, columns].astype(np.float32) / 255)
        # The sky has no detail worth a splat per pixel.
        footprints.append(depth / K[0, 0] * np.where(is_sky, 2.0, 1.0))
        normals.append(surface_normals(surface, K)[rows, columns] @ viewmat[:3, :3])
    if not sum(map(len, points)):
        raise UnliftableInputError("frames must have a pixel of known depth, none has")
    parts = (np.concatenate(part).astype(np.float32) for part in (points, colors, footprints, normals))
    return _Patches(*parts)


def _to_sphere(start: F32, ray: F32, radius: float) -> F32:
    """Return how many `ray`s [R, 3] lead from `start` [3], inside, to the sphere about the origin."""
    a, b = (ray * ray).sum(1), ray @ start
    c = float(start @ start) - radius * radius
    return ((np.sqrt(b * b - a * c) - b) / a).astype(np.float32)


def _thin(patches: _Patches, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return about `count` indices, one per occupied cell; a cell's edge is some footprints."""
    points, footprints = patches.points, patches.footprints
    if len(points) <= count:
        return np.arange(len(points))
    low, high = np.log2(0.25), np.log2(64.0)  # the number falls as the width grows
    for _ in range(7):
        width = 2.0 ** ((low + high) / 2)
        chosen = _one_per_cell(points, footprints * np.float32(width))
        if len(chosen) > count:
            low = np.log2(width)
        else:
            high = np.log2(width)
        if abs(len(chosen) - count) <= 0.03 * count:
            break
    if len(chosen) > count:
        chosen = rng.choice(chosen, count, replace=False)
    return np.sort(chosen)


def _one_per_cell(points: F32, edges: F32) -> NDArray[np.int64]:
    """Keep one point per cell of the grid of its own edge length; finer points empty the coarser cells."""
    # Dithered, so that the number of cells changes smoothly with the edges instead of at powers of two.
    fraction = (np.arange(len(edges)) * 0.6180339887) % 1.0
    levels = np.floor(np.log2(edges) + fraction).astype(np.int64)
    chosen: list[NDArray[np.int64]] = []
    kept = np.empty(0, np.int64)
    for level in np.unique(levels):
        here = np.flatnonzero(levels == level)
        cells = _cell_keys(points[here], 2.0 ** float(level))
        _, first = np.unique(cells, return_index=True)
        here, cells = here[first], cells[first]
        if len(kept):
            taken = np.unique(_cell_keys(points[kept], 2.0 ** float(level)))
            here = here[~np.isin(cells, taken, assume_unique=True)]
        chosen.append(here)
        kept = np.concatenate([kept, here])
    return np.concatenate(chosen)


def _cell_keys(points: F32, edge: float) -> NDArray[np.int64]:
    # 21 bits per axis; cells that far apart to collide lie 2 million edges from each other.
    cells = np.floor(points.astype(np.float64) / edge).astype(np.int64) & 0x1FFFFF
    return (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]


def _finest_footprints(points: F32, cameras: Cameras) -> F32:
    """Return the smallest pixel size in metres [P] at which a camera sees each point, inf where none does."""
    finest = np.full(len(points), np.inf, np.float32)
    for viewmat, K in zip(cameras.viewmats, cameras.Ks, strict=True):
        x_cam = points @ viewmat[:3, :3].T + viewmat[:3, 3]
        ahead = x_cam[:, 2] > 0.05
        pixel = x_cam[:, :2] / np.where(ahead, x_cam[:, 2], 1)[:, None] * K[[0, 1], [0, 1]] + K[:2, 2]
        inside = ahead & (pixel >= 0).all(1) & (pixel < (cameras.width, cameras.height)).all(1)
        finest[inside] = np.minimum(finest[inside], x_cam[inside, 2] / K[0, 0])
    return finest


def _cloud(patches: _Patches, settings: LiftSettings) -> SplatCloud:
    spacing = neighbor_distances(patches.points) * settings.scale
    sizes = np.clip(spacing, 0.3 * patches.footprints, _LARGEST_PATCH_PX * patches.footprints)
    # A ball smears over what lies behind as soon as it is seen at a slant; a disc on the surface does not.
    is_flat = patches.normals.any(1)
    scales = np.repeat(sizes[:, None], 3, 1)
    scales[is_flat, 2] *= _DISC_THICKNESS
    return SplatCloud(
        means=np.ascontiguousarray(patches.points, np.float32),
        quats=quats_facing(patches.normals),
        scales=scales.astype(np.float32),
        opacities=np.full(len(sizes), settings.opacity, np.float32),
        sh=((patches.colors - 0.5) / SH_C0).astype(np.float32)[:, None, :],
    )


def neighbor_distances(points: F32) -> F32:
    """Return the root mean square distance [P] to the three nearest other points; 1 m for a lone point."""
    from scipy.spatial import cKDTree

    neighbors = min(4, len(points))
    if neighbors < 2:
        return np.ones(len(points), np.float32)
    distances, _ = cKDTree(points).query(points, k=neighbors)
    return np.sqrt((distances[:, 1:] ** 2).mean(1)).clip(1e-5).astype(np.float32)
