"""Whether estimated poses can become a scene, by written thresholds.

Reprojection error and the number of registered frames cannot tell: a clip without parallax registers every
frame with the lowest error of all. What tells is how far the picture itself moves, how much of that a mere
turn of the camera explains, and how wide the lines of sight to a point are apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .errors import UnliftableInputError
from .placement import median_depth
from .posed_frames import ParallaxFigures

# Fewer frames than this and whole parts of the user's pictures are missing from the scene.
MIN_REGISTERED_SHARE = 0.8
# A pose is fixed by six points; a tenth of a picture's usual 300 still covers all of its quarters.
MIN_POINTS_PER_FRAME = 40
# Two views of a point always meet somewhere; only a third one checks it.
MIN_TRACK_LENGTH = 2.5
# At 2 degrees one pixel of error (0.06 degrees at 1000 px) moves a point by 3 % of its distance.
WIDE_ANGLE_DEG = 2.0
MIN_WIDE_SHARE = 0.5
# Below this the camera has moved less than a head does when it nods.
MIN_BASELINE_OVER_DEPTH = 0.1
# Median motion of points between a frame and its most distant partner, over picture width. Under this the
# solver trades depth for turning freely (the bas-relief ambiguity): measured 2.4 % to 4.3 % from run to run
# on a clip whose camera stands still and which yet "registers" with 10 degrees of parallax; 6.8 % to 16 % on
# six sound inputs. Threads make the solver vary, so the gate stands well between the two.
MIN_PICTURE_SHIFT = 0.055
# A camera that moved this many times the scene's depth moved, however little its pictures share: 3.7 on
# a walk down a street, where the picture shift is 5.0 to 5.6 %; the still camera came to 0.4 at most.
SURE_BASELINE_OVER_DEPTH = 1.5
# The same after the best turn of the camera has been taken out; measured 1.5 % to 4.9 % on sound inputs.
MIN_SHIFT_WITHOUT_TURN = 0.006
# Pairs that share fewer points say nothing.
_MIN_SHARED = 30


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Which frame sees which point where, one row per sighting."""

    frames: NDArray[np.int64]  # [S]
    points: NDArray[np.int64]  # [S]
    pixels: NDArray[np.float64]  # [S, 2]


_RETAKE = "Film again while stepping sideways, past things that are near and far."


def measure(cameras: Cameras, points: NDArray, seen: Observations, given: int) -> ParallaxFigures:
    """Return the figures that `check` judges.

    Args:
        cameras: Of the frames that were registered.
        points: [P, 3] in the same frame.
        seen: Sightings; `frames` index `cameras`, `points` index `points`.
        given: How many frames were offered.
    """
    angles = _widest_angles(cameras.positions.astype(np.float64), points, seen)
    shift, shift_without_turn = _picture_shifts(cameras, seen)
    positions = cameras.positions
    baseline = float(np.linalg.norm(positions[:, None] - positions[None], axis=-1).max())
    depth = median_depth(cameras.viewmats, points)
    per_frame = np.bincount(seen.frames, minlength=len(cameras))
    return ParallaxFigures(
        registered_share=len(cameras) / given,
        points_per_frame=float(np.median(per_frame)),
        track_length=len(seen.points) / max(len(points), 1),
        angle_deg=float(np.median(angles)) if len(angles) else 0.0,
        wide_share=float((angles > WIDE_ANGLE_DEG).mean()) if len(angles) else 0.0,
        baseline_over_depth=baseline / depth if depth else 0.0,
        picture_shift=shift,
        shift_without_turn=shift_without_turn,
    )


def complaints(figures: ParallaxFigures, given: int) -> list[str]:
    """Return one sentence per broken gate, worst first; empty if the poses can become a scene."""
    found: list[str] = []
    if figures.registered_share < MIN_REGISTERED_SHARE:
        used = round(figures.registered_share * given)
        found.append(
            f"only {used} of {given} pictures could be placed, {MIN_REGISTERED_SHARE:.0%} are needed; "
            "the others share too little with their neighbours"
        )
    is_far_moved = figures.baseline_over_depth >= SURE_BASELINE_OVER_DEPTH
    if figures.picture_shift < MIN_PICTURE_SHIFT and not is_far_moved:
        found.append(
            f"there is no parallax: the picture moves by {figures.picture_shift:.1%} of its width between "
            f"its most distant frames, {MIN_PICTURE_SHIFT:.1%} are needed; the camera hardly moves"
        )
    elif figures.shift_without_turn < MIN_SHIFT_WITHOUT_TURN:
        found.append(
            "there is no parallax: the camera turns without moving, "
            f"{figures.shift_without_turn:.1%} of the picture's width remain without the turn, "
            f"{MIN_SHIFT_WITHOUT_TURN:.1%} are needed"
        )
    if figures.wide_share < MIN_WIDE_SHARE or figures.baseline_over_depth < MIN_BASELINE_OVER_DEPTH:
        found.append(
            f"there is too little parallax: {figures.wide_share:.0%} of the points are seen from directions "
            f"more than {WIDE_ANGLE_DEG:g} degrees apart, {MIN_WIDE_SHARE:.0%} are needed; the camera moves "
            f"{figures.baseline_over_depth:.2f} of the scene's depth, {MIN_BASELINE_OVER_DEPTH:g} is needed"
        )
    if figures.points_per_frame < MIN_POINTS_PER_FRAME:
        found.append(
            f"a picture sees {figures.points_per_frame:.0f} points that others see, "
            f"{MIN_POINTS_PER_FRAME} are needed"
        )
    if figures.track_length < MIN_TRACK_LENGTH:
        found.append(
            f"a point is seen by {figures.track_length:.1f} pictures, {MIN_TRACK_LENGTH:g} are needed"
        )
    return found


def refusal(complaint: str) -> UnliftableInputError:
    """Return the error for pictures that cannot become a scene."""
    hint = (
        _RETAKE if "parallax" in complaint else "Take more pictures, each overlapping the last by two thirds."
    )
    return UnliftableInputError(f"these pictures cannot become a scene: {complaint}", hint=hint)


def _widest_angles(positions: NDArray, points: NDArray, seen: Observations) -> NDArray:
    """Return for each point the widest angle [P] in degrees between two of its lines of sight."""
    rays = points[seen.points] - positions[seen.frames]
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    order = np.argsort(seen.points, kind="stable")
    starts = np.searchsorted(seen.points[order], np.arange(len(points) + 1))
    angles = np.zeros(len(points))
    for point in range(len(points)):
        own = rays[order[starts[point] : starts[point + 1]]]
        if len(own) > 1:
            angles[point] = np.degrees(np.arccos(np.clip((own @ own.T).min(), -1.0, 1.0)))
    return angles


def _picture_shifts(cameras: Cameras, seen: Observations) -> tuple[float, float]:
    """Return the median motion of points, whole and without the camera's turn, over picture width.

    Each frame is compared with the most distant frame that still shares enough points with it.
    """
    count = len(cameras)
    table = np.full((int(seen.points.max(initial=-1)) + 1, count), -1)
    table[seen.points, seen.frames] = np.arange(len(seen.points))
    is_seen = (table >= 0).astype(np.float32)
    shared = is_seen.T @ is_seen
    positions = cameras.positions
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    distances[shared < _MIN_SHARED] = -1.0
    np.fill_diagonal(distances, -1.0)
    whole, unturned = [], []
    for a in range(count):
        b = int(distances[a].argmax())
        if distances[a, b] < 0:
            continue
        both = (table[:, a] >= 0) & (table[:, b] >= 0)
        pixels_a, pixels_b = seen.pixels[table[both, a]], seen.pixels[table[both, b]]
        whole.append(float(np.median(np.linalg.norm(pixels_a - pixels_b, axis=1))) / cameras.width)
        rays_a, rays_b = _bearings(pixels_a, cameras.Ks[a]), _bearings(pixels_b, cameras.Ks[b])
        residual = _residual_after_turn(rays_a, rays_b)
        unturned.append(residual * float(cameras.Ks[b, 0, 0]) / cameras.width)
    return (float(np.median(whole)), float(np.median(unturned))) if whole else (0.0, 0.0)


def _bearings(pixels: NDArray, K: NDArray) -> NDArray:
    rays = np.c_[(pixels - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones(len(pixels))]
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _residual_after_turn(rays_a: NDArray, rays_b: NDArray) -> float:
    """Return the median angle in radians that is left between rays [S, 3] after the best rotation.

    Least absolute deviations by reweighted Kabsch, so a few near things cannot hide that the rest turns.
    """
    weights = np.ones(len(rays_a))
    residuals = weights
    for _ in range(20):
        left, _, right = np.linalg.svd((rays_b * weights[:, None]).T @ rays_a)
        turn = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
        residuals = np.linalg.norm(rays_b - rays_a @ turn.T, axis=1)
        weights = 1.0 / np.maximum(residuals, 5e-4)
    return float(np.median(residuals))
