"""From depth pictures to a space that a person can walk in: collider, ground, start, limits and report.

Import it late: open3d comes with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from .cameras import Cameras
from .collider import ColliderParts, assemble, walkable_region
from .conventions import F32
from .depth_views import depths_and_views
from .errors import UnliftableInputError
from .fusion import Collider, Mesh, fuse
from .ground import Ground, Mask, estimate_ground
from .navigation import Body, Reach, choose_heading, choose_start, reach, standing_cells
from .splats import SplatCloud
from .walk_limits import WalkLimits
from .walkability import WalkFigures, judge
from .walkable_space import WalkableSpace, WalkSettings
from .walks import ceiling_height, open_rays, random_walks, standing_points

__all__ = ["WalkSettings", "WalkableSpace", "build"]

# Voxels along the longest side of the rectangle; a collider finer than soles can feel is waste.
_VOXELS_ALONG = 400
# Beyond twice as many voxels grow instead: memory stays bounded however far the cameras went.
_VOXELS_AT_MOST = 800
_VOXEL_M = (0.04, 0.15)
# Depths beyond are too coarse for a collider: a pixel at 15 m covers a tenth of a metre, and half a metre
# of glancing ground.
_MAX_DEPTH_OUTDOORS_M, _MAX_DEPTH_INDOORS_M = 15.0, 10.0
# What is lower over the ground is no obstacle: grass and stones outdoors, fusion noise indoors.
_CLEAR_OUTDOORS_M, _CLEAR_INDOORS_M = 0.45, 0.15
# Gaps this wide are bridged: land goes on behind bushes, and a floor under everything up to the walls.
_CLOSE_OUTDOORS_M, _CLOSE_INDOORS_M = 3.0, 10.0
# Parts narrower are cut off: outdoors they are glimpses between trees, indoors they may be doorways.
_NECK_OUTDOORS_M, _NECK_INDOORS_M = 1.5, 0.5
# Grass and its depth errors make humps this wide; feet sink to the soil between them.
_GRASS_M = 0.7
# Indoors the boundary stands behind the walls that were seen, outdoors where the seen ground ends.
_GROW_INDOORS_M = 0.3
# Indoors the collider keeps what stands this close to where people get: beds, sofas and walls behind them.
_AROUND_REACH_M = 2.0
# The rectangle of a room reaches this far behind what was seen: boundary and apron stand there.
_BEYOND_WALLS_M = 1.6
# Two views must agree on a surface, unless there are too few views to ask for that.
_MIN_VIEWS, _FEW_VIEWS = 2.0, 8
# Ground nearer than this to seen ground counts as seen: grass hides that much.
_NEAR_SEEN_M = 0.35
# A smaller hole in the fused ground is narrower than shoulders; grass makes hundreds of them.
_SMALL_HOLE_M2 = 0.1


def build(
    depths: F32 | None,
    cameras: Cameras,
    *,
    cloud: SplatCloud | None = None,
    settings: WalkSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> WalkableSpace:
    """Make a scene walkable and try it out.

    Args:
        depths: [F, H, W] units along +Z, 0 unknown, +inf sky; any size with the cameras' field of view.
            None: they are drawn from `cloud`.
        cameras: F views with +Y up; the first one is where the visitor comes in.
        cloud: Fitted splats; when given, views that look down beside the path are drawn and fused as well.
        settings: Defaults suit a garden-sized scene in metres.
        progress: Called with the share done, 0 to 1.

    Raises:
        InvalidArrayError: `depths` breaks its rule, or neither depths nor cloud are given.
        UnliftableInputError: No depth is known anywhere.
    """
    settings = settings or WalkSettings()
    tell = progress or (lambda share: None)
    depths, views = depths_and_views(depths, cameras, cloud)
    tell(0.2)
    if not ((depths > 0) & np.isfinite(depths)).any():
        raise UnliftableInputError(
            "no depth is known in any view, so no ground can be found",
            hint="Use pictures that show the ground from several places.",
        )
    scale = settings.metres_per_unit
    views = _scaled(views, scale)
    body = Body()
    path = views.positions[: len(cameras)].astype(np.float64)
    surface, ground, region = _survey(depths * np.float32(scale), views, path, settings)
    tell(0.5)
    walk = _walk(surface, ground, region, path, body=body, settings=settings)
    if settings.is_indoor:
        # Windows show gardens: what nobody gets near is left out, and the wall stands closer.
        near = ndimage.distance_transform_edt(~walk.reached.cells) * ground.cell_m <= _AROUND_REACH_M
        if walk.reached.cells.any() and (region & ~near).any():
            walk = _walk(surface, ground, region & near, path, body=body, settings=settings)
    parts, reached, spawn = walk.parts, walk.reached, walk.spawn
    collider = Collider(parts.mesh)
    tell(0.75)
    eye = spawn + np.array([0.0, body.eye_height_m, 0.0])
    yaw_deg = choose_heading(collider, eye, views.forwards[0], boundary_start=parts.boundary_start)
    figures = try_out(collider, ground, reached, parts, path, body=body, settings=settings)
    tell(1.0)
    corners = parts.mesh.vertices[parts.mesh.faces[parts.boundary_start :].ravel()]
    corners = corners if len(corners) else parts.mesh.vertices
    return WalkableSpace(
        vertices=parts.mesh.vertices / np.float32(scale),
        faces=parts.mesh.faces,
        boundary_start=parts.boundary_start,
        floor_y=float(np.median(reached.feet[reached.cells]) if reached.cells.any() else spawn[1]) / scale,
        spawn_position=(spawn / scale).astype(np.float32),
        spawn_yaw_deg=yaw_deg,
        bounds_min=corners.min(axis=0) / np.float32(scale),
        bounds_max=corners.max(axis=0) / np.float32(scale),
        metres_per_unit=scale,
        eye_height_m=body.eye_height_m,
        report=judge(figures, is_indoor=settings.is_indoor),
    )


def _survey(
    depths: F32, views: Cameras, path: np.ndarray, settings: WalkSettings
) -> tuple[Mesh, Ground, Mask]:
    """Return the fused surface of depths [F, H, W] in metres, its ground, and where people may walk."""
    is_indoor = settings.is_indoor
    max_depth_m = _MAX_DEPTH_INDOORS_M if is_indoor else _MAX_DEPTH_OUTDOORS_M
    low = path[:, [0, 2]].min(axis=0) - settings.margin_m - 1.0
    high = path[:, [0, 2]].max(axis=0) + settings.margin_m + 1.0
    if is_indoor:  # walls end the world sooner than the margin does
        low, high = _within(low, high, depths, views)
    along_m = float((high - low).max())
    voxel_m = max(float(np.clip(along_m / _VOXELS_ALONG, *_VOXEL_M)), along_m / _VOXELS_AT_MOST)
    min_views = _MIN_VIEWS if len(path) >= _FEW_VIEWS else 1.0
    surface = fuse(depths, views, voxel_m=voxel_m, max_depth_m=max_depth_m, min_views=min_views)
    # A cell no finer than a voxel; 10 cm is a third of a foot.
    ground = estimate_ground(
        surface,
        path,
        low=low,
        high=high,
        cell_m=max(voxel_m, 0.1),
        grass_m=0.0 if is_indoor else _GRASS_M,
    )
    region = walkable_region(
        ground,
        path,
        known=ground.is_seen | _columns(surface, ground) if is_indoor else ground.is_seen,
        margin_m=settings.margin_m,
        close_m=_CLOSE_INDOORS_M if is_indoor else _CLOSE_OUTDOORS_M,
        neck_m=_NECK_INDOORS_M if is_indoor else _NECK_OUTDOORS_M,
        grow_m=_GROW_INDOORS_M if is_indoor else 0.0,
        water_y=None if settings.water_y is None else settings.water_y * settings.metres_per_unit,
    )
    return surface, ground, region


def _columns(surface: Mesh, ground: Ground) -> Mask:
    """Mark the cells [Z, X] over which anything was seen: a room reaches to its walls, also behind a sofa."""
    columns = np.zeros(ground.shape, bool)
    rows_columns = ground.cells(surface.vertices[:, 0], surface.vertices[:, 2])
    columns[rows_columns] = True
    return columns


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """A collider, where its visitor starts and how far one gets."""

    parts: ColliderParts
    reached: Reach
    spawn: np.ndarray  # [3] feet


def _walk(
    surface: Mesh, ground: Ground, region: Mask, path: np.ndarray, *, body: Body, settings: WalkSettings
) -> _Walk:
    clear_m = _CLEAR_INDOORS_M if settings.is_indoor else _CLEAR_OUTDOORS_M
    parts = assemble(surface, ground, region, clear_m=clear_m, target_triangles=settings.target_triangles)
    collider = Collider(parts.mesh)
    standing = standing_cells(collider, ground, region, body)
    start = choose_start(standing, ground, path)
    if start is None:
        nowhere = Reach(np.full(ground.shape, np.nan, np.float32), ground.cell_m)
        below = ground.height_at(path[:1, 0], path[:1, 2])[0]
        return _Walk(parts, nowhere, np.array([path[0, 0], below, path[0, 2]]))
    x, z = ground.centres()
    spawn = np.array([x[start], standing[start], z[start]])
    return _Walk(parts, reach(collider, ground, start, body), spawn)


def try_out(
    collider: Collider,
    ground: Ground,
    reached: Reach,
    parts: ColliderParts,
    path: np.ndarray,
    *,
    body: Body,
    settings: WalkSettings,
) -> WalkFigures:
    """Measure what the report tells; see `navigation.reach`, `walks.random_walks` and `walks.open_rays`."""
    random = np.random.default_rng(settings.seed)
    centres = ground.centres()
    starts = standing_points(reached, centres, settings.walkers, random)
    lowest_m = float(ground.heights[parts.region].min()) - 1.0 if parts.region.any() else -np.inf
    walks = random_walks(
        collider,
        starts,
        body=body,
        strides=settings.strides,
        lowest_m=lowest_m,
        random=random,
        limits=WalkLimits.around(ground, parts.region),
    )
    rays = open_rays(
        collider,
        reached,
        centres,
        boundary_start=parts.boundary_start,
        body=body,
        count=settings.rays,
        random=random,
    )
    away_m = ndimage.distance_transform_edt(~ground.is_seen) * ground.cell_m if ground.is_seen.any() else None
    guessed = np.ones(ground.shape, bool) if away_m is None else away_m > _NEAR_SEEN_M
    heights = path[:, 1] - ground.height_at(path[:, 0], path[:, 2])
    hole_count, hole_m2 = _holes(ground, reached)
    return WalkFigures(
        reachable_m2=reached.area_m2,
        walkers=walks.walkers,
        fall_count=walks.fall_count,
        outside_count=walks.outside_count,
        stuck_share=walks.stuck_share,
        largest_rise_m=walks.largest_rise_m,
        usual_rise_m=walks.usual_rise_m,
        hole_count=hole_count,
        hole_m2=hole_m2,
        open_ray_share=rays.open_share,
        boundary_ray_share=rays.boundary_share,
        estimated_share=float(guessed[reached.cells].mean()) if reached.cells.any() else 1.0,
        camera_height_m=float(np.median(heights)),
        ceiling_height_m=ceiling_height(collider, starts) if settings.is_indoor else 0.0,
    )


def _holes(ground: Ground, reached: Reach) -> tuple[int, float]:
    """Return how many holes the seen ground has within reach, and their area in m2."""
    labels, count = ndimage.label(reached.cells & ~ground.is_seen, np.ones((3, 3)))
    areas_m2 = np.bincount(labels.ravel(), minlength=count + 1)[1:] * ground.cell_m**2
    areas_m2 = areas_m2[areas_m2 >= _SMALL_HOLE_M2]
    return len(areas_m2), float(areas_m2.sum())


def _within(low: np.ndarray, high: np.ndarray, depths: F32, views: Cameras) -> tuple[np.ndarray, np.ndarray]:
    """Shrink a rectangle [2], [2] (x, z) to what the pictures show, less a few stray pixels."""
    step = max(1, depths.shape[1] // 24)
    v, u = np.meshgrid(*(np.arange(0, size, step) for size in depths.shape[1:]), indexing="ij")
    found = []
    for depth, K, viewmat in zip(depths[:, ::step, ::step], views.Ks, views.viewmats, strict=True):
        known = (depth > 0) & np.isfinite(depth)
        x_cam = np.stack([u + 0.5, v + 0.5, np.ones_like(u)], axis=-1)[known] @ np.linalg.inv(K).T
        x_cam *= depth[known, None]
        found.append((x_cam - viewmat[:3, 3]) @ viewmat[:3, :3])
    plan = np.concatenate(found)[:, [0, 2]]
    if not len(plan):
        return low, high
    least, most = np.quantile(plan, (0.001, 0.999), axis=0)
    return np.maximum(low, least - _BEYOND_WALLS_M), np.minimum(high, most + _BEYOND_WALLS_M)


def _scaled(cameras: Cameras, scale: float) -> Cameras:
    viewmats = cameras.viewmats.copy()
    viewmats[:, :3, 3] *= scale
    return replace(cameras, viewmats=viewmats)
