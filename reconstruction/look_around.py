"""Views into a scene that nobody filmed: where a visitor could stand, found by looking around.

A scene that came as splats or as a mesh has no cameras. Whoever made it looked from the origin; from there
places in the open are looked for, and from those more, until the surroundings are seen from several sides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras, intrinsics
from .conventions import F32, look_at_viewmat
from .placement import EYE_HEIGHT_M
from .splats import SplatCloud

# Draws depths [F, H, W] metres along +Z of a scene: 0 unknown, +inf sky.
See = Callable[[Cameras], F32]

_WIDTH_PX, _HEIGHT_PX = 240, 160
_FOCAL_PX = 120.0  # 90 degrees wide
_TURNS = 6
_PITCHES = (-0.25, -1.2)  # at eye height, and at the ground that level views miss
_HEADINGS = 24
_BODY_M = (0.4, 1.8)  # heights over the ground in which something is in the way
_HALF_BODY_M = 0.35
_STRAY = 4  # so many pixels are no wall
_KEEP_AWAY_M = 0.7  # from what is in the way
_APART_M = 1.8  # places nearer than this show the same
_MOST_STOPS = 10
_ROUNDS = 2
_BELOW_PX = 48  # about the middle: 22 degrees off straight down, where walls are seldom seen
_EYES_M = (0.3, 4.0)  # heights over the ground that an eye may have
_GROUND_RADIUS_M = 0.8  # ground is known where it is seen this close
_STEP_M = 1.2  # ground that differs by more from where one comes from is not walked to


def seen_of_cloud(cloud: SplatCloud) -> See:
    """Return how the depths of splats are drawn."""
    from .rasterizers.draw import draw_each

    return lambda cameras: np.stack([p.depth for p in draw_each(cloud, cameras, depth="median")])


def seen_of_mesh(vertices: F32, faces: NDArray[np.int32]) -> See:
    """Return how the depths of a triangle mesh (vertices [V, 3], faces [T, 3]) are drawn."""
    from .fusion import Collider, Mesh

    collider = Collider(Mesh(vertices, faces))

    def see(cameras: Cameras) -> F32:
        rays, lengths = _rays(cameras)
        depths = np.empty((len(cameras), cameras.height, cameras.width), np.float32)
        for index, position in enumerate(cameras.positions):
            origins = np.broadcast_to(position, rays[index].shape)
            distances, _ = collider.cast(origins, rays[index])
            depths[index] = (distances / lengths).reshape(depths.shape[1:])
        return depths

    return see


def height_over_ground(see: See) -> float | None:
    """Return how far the ground lies below the origin, in the scene's units; None where none is seen."""
    eye = np.zeros(3)
    viewmat = look_at_viewmat(eye, np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, -1.0]))
    cameras = _cameras([viewmat])
    rows, columns = (slice(size // 2 - _BELOW_PX, size // 2 + _BELOW_PX) for size in (_HEIGHT_PX, _WIDTH_PX))
    depths = see(cameras)[0, rows, columns]
    depths = depths[np.isfinite(depths) & (depths > 0)]
    # A high quantile: what stands on the ground is nearer than it.
    return float(np.quantile(depths, 0.75)) if len(depths) else None


def look_around(see: See, *, reach_m: float = 12.0) -> tuple[Cameras, F32]:
    """Return views from places in the open around the origin, and their depths [F, H, W].

    Args:
        see: Draws the scene, in metres, +Y up; the origin is an eye.
        reach_m: Places are looked for up to here from the origin.
    """
    below_m = height_over_ground(see)
    # Eyes that are lower or higher than a person's are brought to where a person's are.
    lift_m = EYE_HEIGHT_M - below_m if below_m is not None and _EYES_M[0] < below_m < _EYES_M[1] else 0.0
    stops = [np.array([0.0, lift_m, 0.0])]
    viewmats = _views_from(stops[0])
    depths = [see(_cameras(viewmats))]
    fresh = stops
    for _ in range(_ROUNDS):
        found: list[NDArray] = []
        points = _points(_cameras(viewmats), np.concatenate(depths))
        for stop in fresh:
            found += _places_from(stop, points, [*stops, *found], reach_m)
        found = found[: _MOST_STOPS - len(stops)]
        if not found:
            break
        for stop in found:
            views = _views_from(stop)
            depths.append(see(_cameras(views)))
            viewmats += views
        stops, fresh = [*stops, *found], found
    return _cameras(viewmats), np.concatenate(depths)


def views_around() -> Cameras:
    """Return four level views from the origin, to all sides."""
    eye = np.zeros(3)
    ahead = [np.array([0.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0])]
    return _cameras([look_at_viewmat(eye, way) for way in (*ahead, *(-way for way in ahead))])


def _places_from(stop: NDArray, points: NDArray, known: list[NDArray], reach_m: float) -> list[NDArray]:
    """Return eyes in the open that one gets to straight from `stop`, the farthest first."""
    offset = points[:, [0, 2]] - stop[[0, 2]]
    over = points[:, 1] - (stop[1] - EYE_HEIGHT_M)
    blocking = offset[(over > _BODY_M[0]) & (over < _BODY_M[1])]
    angles = 2 * np.pi * np.arange(_HEADINGS) / _HEADINGS
    headings = np.stack([np.sin(angles), -np.cos(angles)], axis=1)
    ways_m = np.array([_free_m(blocking, heading, reach_m) for heading in headings]) - _KEEP_AWAY_M
    found: list[NDArray] = []
    for index in np.argsort(-ways_m, kind="stable"):
        for share in (1.0, 0.5):
            plan = stop[[0, 2]] + share * ways_m[index] * headings[index]
            apart_m = min(np.hypot(*(plan - other[[0, 2]])) for other in [*known, *found])
            if apart_m < _APART_M or np.hypot(*plan) > reach_m:
                continue
            near = np.hypot(*(points[:, [0, 2]] - plan).T) < _GROUND_RADIUS_M
            near &= np.abs(over) < _STEP_M
            if near.sum() < 4:
                continue
            ground = float(np.quantile(points[near, 1], 0.25))
            found.append(np.array([plan[0], ground + EYE_HEIGHT_M, plan[1]]))
    return found


def _free_m(blocking: NDArray, heading: NDArray, most_m: float) -> float:
    """Return how far a body gets along a unit `heading` [2] before it meets a point of `blocking` [P, 2]."""
    along = blocking @ heading
    beside = np.abs(blocking @ np.array([-heading[1], heading[0]]))
    met = np.sort(along[(along > 0) & (beside < _HALF_BODY_M)])
    return min(most_m, float(met[_STRAY])) if len(met) > _STRAY else most_m


def _views_from(eye: NDArray) -> list[F32]:
    views = []
    for pitch in _PITCHES:
        for turn in range(_TURNS):
            angle = 2 * np.pi * turn / _TURNS
            views.append(look_at_viewmat(eye, eye + np.array([np.sin(angle), pitch, -np.cos(angle)])))
    return views


def _cameras(viewmats: list[F32]) -> Cameras:
    K = intrinsics(_FOCAL_PX, _WIDTH_PX, _HEIGHT_PX)
    return Cameras(np.stack(viewmats), np.repeat(K[None], len(viewmats), axis=0), _WIDTH_PX, _HEIGHT_PX)


def _rays(cameras: Cameras) -> tuple[NDArray, NDArray]:
    """Return unit rays [F, H * W, 3] in the world, and the length [H * W] of each for a depth of one."""
    K = cameras.Ks[0]
    v, u = np.mgrid[: cameras.height, : cameras.width] + 0.5
    x_cam = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
    x_cam = x_cam.reshape(-1, 3)
    lengths = np.linalg.norm(x_cam, axis=1)
    return (x_cam / lengths[:, None]) @ cameras.viewmats[:, :3, :3], lengths


def _points(cameras: Cameras, depths: F32) -> NDArray:
    """Return where the known depths [F, H, W] are in the world [P, 3], every ninth pixel."""
    rays, lengths = _rays(cameras)
    thin = np.zeros(depths.shape[1:], bool)
    thin[1::3, 1::3] = True
    flat = depths.reshape(len(cameras), -1)
    known = np.isfinite(flat) & (flat > 0) & thin.ravel()
    frame, pixel = np.nonzero(known)
    away = (flat[frame, pixel] * lengths[pixel])[:, None]
    return cameras.positions[frame] + rays[frame, pixel] * away
