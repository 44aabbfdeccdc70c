"""A scene of unknown up and unknown unit is turned upright, scaled and moved into the world frame.

Pictures alone fix neither gravity nor size. Gravity is found as `gravity` says, size by written rules, and
each is returned with how far it may be off and as a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .conventions import F32, UP, WORLD_FROM_Z_UP, opengl_c2w_from_viewmats, world_from_first_camera
from .errors import InvalidInputError
from .gravity import find_floor, find_up

F64 = NDArray[np.float64]

# People carry cameras at eye height; 1.6 m is the adult mean less the forehead.
EYE_HEIGHT_M = 1.6
# Ground seen from eye height lies between these shares of the median depth; outside, the lowest points are
# no ground (a table top, a wall that fills the picture) and the depth rule takes over.
GROUND_OVER_DEPTH = (0.08, 0.8)
# Rooms, fronts and paths are some four metres away from a hand-held camera, within a factor of two.
SCENE_DEPTH_M = 4.0
# In a source that keeps z up the cameras' mean up is within this angle of z; else the source has no rule.
Z_UP_WITHIN_DEG = 35.0
# How far, as a share, each rule for size may be off. A phone was carried at 1.2 m, others at 1.7 m; lowest
# points may be a table's or a cellar's; and four metres is a guess within a factor of two.
_FLOOR_ERROR, _LOWEST_ERROR, _DEPTH_ERROR = 0.35, 0.5, 1.0
_TOLD_ERROR = 0.1
# What a user may tell: from a toy car to a drone.
CAMERA_HEIGHT_M = (0.05, 200.0)


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Cameras and points in the world frame, and what was guessed to bring them there."""

    cameras: Cameras
    points: F32  # [P, 3] metres
    scale: float  # metres per unit of the source; multiply depths by it
    up_error_deg: float | None  # about how far up may be off; None: the source says where it is
    scale_error: float | None  # about how far the scale may be off, as a share; None: the source is in metres
    notes: tuple[str, ...]


def place(
    cameras: Cameras,
    points: F64,
    *,
    is_metric: bool,
    up: F64 | None = None,
    images: NDArray[np.uint8] | None = None,
    camera_height_m: float | None = None,
) -> Placement:
    """Bring cameras and points of a foreign frame into the world frame.

    Args:
        cameras: In the source's frame and unit.
        points: [P, 3] in the same frame; may be empty.
        is_metric: The source's unit is the metre; otherwise the scale is guessed.
        up: [3] the source's up axis, or None: found as `gravity` says.
        images: [F, H, W, 3] of the cameras, in which upright edges tell where up is; may be None.
        camera_height_m: How high the cameras were carried above the ground, if the user knows; it then sets
            the scale, also of a metric source.
    """
    notes: list[str] = []
    error_deg: float | None = None
    if up is None:
        found = find_up(cameras, points, images)
        up, error_deg, floor = found.direction, found.error_deg, found.floor
        notes.append(found.note)
    else:
        is_used = camera_height_m is not None or not is_metric
        floor = find_floor(cameras, points, up / np.linalg.norm(up)) if is_used else None
    turn = _rotation_to_up(up)
    heights = None if floor is None else floor.heights(cameras.positions.astype(np.float64))
    viewmats = cameras.viewmats.astype(np.float64) @ np.linalg.inv(turn)
    points = np.asarray(points, np.float64) @ turn[:3, :3].T
    scale, scale_error = 1.0, None
    if camera_height_m is not None or not is_metric:
        over_floor = None if heights is None else float(np.median(heights))
        told = None if camera_height_m is None else _told_scale(viewmats, points, over_floor, camera_height_m)
        if told is not None:
            scale, scale_error, note = told
            notes.append(note)
        elif camera_height_m is not None:
            notes.append(f"the camera's height of {camera_height_m:g} m has no effect: no ground was found")
        if told is None and not is_metric:
            scale, scale_error, note = _guess_scale(viewmats, points, over_floor)
            notes.append(note)
    viewmats[:, :3, 3] *= scale
    origin = world_from_first_camera(viewmats[0])
    points = (points * scale) @ origin[:3, :3].T + origin[:3, 3]
    viewmats = viewmats @ np.linalg.inv(origin)
    placed = Cameras(viewmats.astype(np.float32), cameras.Ks, cameras.width, cameras.height)
    return Placement(placed, points.astype(np.float32), scale, error_deg, scale_error, tuple(notes))


def check_camera_height(camera_height_m: float | None) -> None:
    """Refuse a height that no camera is carried at.

    Raises:
        InvalidInputError: It is not from 5 cm to 200 m.
    """
    low, high = CAMERA_HEIGHT_M
    if camera_height_m is not None and not low <= camera_height_m <= high:
        raise InvalidInputError(
            f"camera height must be from {low:g} to {high:g} metres, got {camera_height_m:g}",
            hint="A camera at a person's eyes is 1.6 metres above the ground.",
        )


def z_up_or_none(cameras: Cameras) -> F64 | None:
    """Return the z axis [3] if the cameras stand upright in a z-up frame, else None."""
    z_axis = WORLD_FROM_Z_UP[1, :3]
    mean_up = _ups(cameras).mean(axis=0)
    cosine = float(mean_up @ z_axis) / max(float(np.linalg.norm(mean_up)), 1e-9)
    return z_axis if cosine > np.cos(np.radians(Z_UP_WITHIN_DEG)) else None


def _ups(cameras: Cameras) -> F64:
    return opengl_c2w_from_viewmats(cameras.viewmats)[:, :3, 1].astype(np.float64)


def _rotation_to_up(up: F64) -> F64:
    """Return the smallest rotation [4, 4] that brings `up` onto +Y."""
    up = up / np.linalg.norm(up)
    axis = np.cross(up, UP)
    sine, cosine = float(np.linalg.norm(axis)), float(up @ UP)
    turn = np.eye(4)
    if sine < 1e-9:  # already there, or upside down: half a turn about X, which is across Y
        turn[1, 1] = turn[2, 2] = np.sign(cosine)
        return turn
    x, y, z = axis / sine
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn[:3, :3] += sine * cross + (1 - cosine) * cross @ cross
    return turn


def _told_scale(
    viewmats: F64, points: F64, over_floor: float | None, told_m: float
) -> tuple[float, float, str] | None:
    """Return metres per unit at which cameras are as high as told, its error and how; None without ground."""
    if over_floor is not None:
        return told_m / over_floor, _TOLD_ERROR, f"the camera is {told_m:g} m above the floor, as told"
    over_lowest = _height_over_lowest(viewmats, points)
    if over_lowest <= 0:
        return None
    note = f"the camera is {told_m:g} m above the lowest points, as told; no floor was found"
    return told_m / over_lowest, _LOWEST_ERROR, note


def _guess_scale(viewmats: F64, points: F64, over_floor: float | None) -> tuple[float, float, str]:
    """Return metres per unit, its error and the sentence that says how it was guessed; y is up already.

    Args:
        viewmats: [F, 4, 4] in the source's unit.
        points: [P, 3] the same.
        over_floor: How high the cameras are above a floor that was found, in the source's unit.
    """
    depth = median_depth(viewmats, points)
    if depth is None:
        return 1.0, _DEPTH_ERROR, "size is a guess: one unit of the poses is taken as one metre"
    low, high = GROUND_OVER_DEPTH
    over_lowest = _height_over_lowest(viewmats, points)
    # Above `high` the cameras look down on it: a table, and no ground.
    if over_floor is not None and over_floor <= high * depth:
        height, error, what = over_floor, _FLOOR_ERROR, "the floor"
    elif low * depth <= over_lowest <= high * depth:
        height, error, what = over_lowest, _LOWEST_ERROR, "the lowest points"
    else:
        far = f"the scene is taken to be {SCENE_DEPTH_M:g} m away in the middle"
        return SCENE_DEPTH_M / depth, _DEPTH_ERROR, f"size is a guess, within a factor of two: {far}"
    note = f"the camera is taken to be {EYE_HEIGHT_M:g} m above {what}"
    return EYE_HEIGHT_M / height, error, f"size is a guess, within {error:.0%}: {note}"


def _height_over_lowest(viewmats: F64, points: F64) -> float:
    """Return how high cameras [F, 4, 4] are above the lowest points; 0 without any."""
    if not len(points):
        return 0.0
    turns, shifts = viewmats[:, :3, :3], viewmats[:, :3, 3]
    eye_y = float(np.median(-np.einsum("fji,fj->fi", turns, shifts)[:, 1]))
    return eye_y - float(np.percentile(points[:, 1], 5))  # the very lowest points are mismatches


def median_depth(viewmats: NDArray, points: NDArray) -> float | None:
    """Return the median over cameras of the median depth of the points ahead, or None without any."""
    if len(points) == 0:
        return None
    depths = np.einsum("fi,pi->fp", viewmats[:, 2, :3], points) + viewmats[:, 2, 3:4]
    medians = [float(np.median(row[row > 0])) for row in depths if (row > 0).any()]
    return float(np.median(medians)) if medians else None
