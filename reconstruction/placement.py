"""A scene of unknown up and unknown unit is turned upright, scaled and moved into the world frame.

Pictures alone fix neither gravity nor size. Both are guessed here by written rules, and every guess is
returned as a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .conventions import F32, UP, WORLD_FROM_Z_UP, opengl_c2w_from_viewmats, world_from_first_camera

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
# Weight of "cameras look level" beside "cameras are not rolled": hands roll a camera by some 1.5 degrees and
# pitch it by some 10, and least squares weighs by inverse variance.
_PITCH_WEIGHT = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Cameras and points in the world frame, and what was guessed to bring them there."""

    cameras: Cameras
    points: F32  # [P, 3] metres
    scale: float  # metres per unit of the source; multiply depths by it
    notes: tuple[str, ...]


def place(cameras: Cameras, points: F64, *, is_metric: bool, up: F64 | None = None) -> Placement:
    """Bring cameras and points of a foreign frame into the world frame.

    Args:
        cameras: In the source's frame and unit.
        points: [P, 3] in the same frame; may be empty.
        is_metric: The source's unit is the metre; otherwise the scale is guessed.
        up: [3] the source's up axis, or None: guessed from the cameras.
    """
    notes: list[str] = []
    if up is None:
        up = estimate_up(cameras)
        notes.append("up is a guess: the direction in which the cameras are least rolled")
    turn = _rotation_to_up(up)
    viewmats = cameras.viewmats.astype(np.float64) @ np.linalg.inv(turn)
    points = np.asarray(points, np.float64) @ turn[:3, :3].T
    scale = 1.0
    if not is_metric:
        scale, note = _guess_scale(viewmats, points)
        notes.append(note)
    viewmats[:, :3, 3] *= scale
    origin = world_from_first_camera(viewmats[0])
    points = (points * scale) @ origin[:3, :3].T + origin[:3, 3]
    viewmats = viewmats @ np.linalg.inv(origin)
    placed = Cameras(viewmats.astype(np.float32), cameras.Ks, cameras.width, cameras.height)
    return Placement(placed, points.astype(np.float32), scale, tuple(notes))


def z_up_or_none(cameras: Cameras) -> F64 | None:
    """Return the z axis [3] if the cameras stand upright in a z-up frame, else None."""
    z_axis = WORLD_FROM_Z_UP[1, :3]
    mean_up = _ups(cameras).mean(axis=0)
    cosine = float(mean_up @ z_axis) / max(float(np.linalg.norm(mean_up)), 1e-9)
    return z_axis if cosine > np.cos(np.radians(Z_UP_WITHIN_DEG)) else None


def estimate_up(cameras: Cameras) -> F64:
    """Return the unit direction [3] opposite to gravity, from the way people hold cameras.

    Cameras are rarely rolled, so up is nearly orthogonal to every camera's right axis; they look about
    level, so up is near the mean of the cameras' up axes. Both are weighed in one quadratic form, and
    cameras that disagree (a portrait photo among landscapes) lose weight over a few rounds.
    """
    axes = opengl_c2w_from_viewmats(cameras.viewmats).astype(np.float64)
    rights, ups = axes[:, :3, 0], axes[:, :3, 1]
    roll = np.einsum("fi,fj->fij", rights, rights)
    pitch = np.eye(3) - np.einsum("fi,fj->fij", ups, ups)
    up = ups.sum(axis=0) / len(ups)
    for _ in range(10):
        weights = 1.0 / np.maximum(np.abs(rights @ up), np.sin(np.radians(3.0)))
        form = np.einsum("f,fij->ij", weights, roll + _PITCH_WEIGHT * pitch)
        up = np.linalg.eigh(form)[1][:, 0]
    return up if float(np.sum(ups @ up)) >= 0 else -up


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


def _guess_scale(viewmats: F64, points: F64) -> tuple[float, str]:
    """Return metres per unit and the sentence that says how it was guessed; the frame is y-up already."""
    depth = median_depth(viewmats, points)
    if depth is None:
        return 1.0, "size is a guess: one unit of the poses is taken as one metre"
    turns, shifts = viewmats[:, :3, :3], viewmats[:, :3, 3]
    eye_y = float(np.median(-np.einsum("fji,fj->fi", turns, shifts)[:, 1]))
    height = eye_y - float(np.percentile(points[:, 1], 5))  # the very lowest points are mismatches
    low, high = GROUND_OVER_DEPTH
    if low * depth <= height <= high * depth:
        return (
            EYE_HEIGHT_M / height,
            f"size is a guess: the camera is taken to be {EYE_HEIGHT_M:g} m above the lowest points",
        )
    return (
        SCENE_DEPTH_M / depth,
        f"size is a guess: the scene is taken to be {SCENE_DEPTH_M:g} m away in the middle",
    )


def median_depth(viewmats: NDArray, points: NDArray) -> float | None:
    """Return the median over cameras of the median depth of the points ahead, or None without any."""
    if len(points) == 0:
        return None
    depths = np.einsum("fi,pi->fp", viewmats[:, 2, :3], points) + viewmats[:, 2, 3:4]
    medians = [float(np.median(row[row > 0])) for row in depths if (row > 0).any()]
    return float(np.median(medians)) if medians else None
