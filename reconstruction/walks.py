"""Trials on the finished collider: random walkers that may fall, and rays that may meet nothing.

Neither knows how the collider was made, and nobody is caught: a fall is counted where it happens. Beside the
walker's own footing, `WalkLimits` judges every place it comes to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .conventions import F32
from .fusion import Collider
from .navigation import Body, Clearances, Reach
from .walk_limits import WalkLimits

# Shorter than the body's radius, so that no step jumps through a wall.
_STRIDE_M = 0.2
# A walker that stays within this distance for half of its walk has not got away.
_STUCK_M = 0.5
# Soles are narrower than shoulders: ground under any point of this share of the radius carries.
_SOLE = 0.7
# Ceilings are looked for from here: over tables, under door frames.
_CHEST_M = 1.2


@dataclass(frozen=True, slots=True)
class WalkTrial:
    """What became of random walkers."""

    walkers: int
    fall_count: int  # left the ground with nothing below, or came below the floor of the limits
    outside_count: int  # came outside the limits, whether or not they fell there
    stuck_share: float  # of walkers that did not fall
    lowest_m: float  # lowest height that any feet had
    largest_rise_m: float  # of one stride
    usual_rise_m: float  # 95 of 100 strides climb no higher; level and falling strides count as 0


def random_walks(
    collider: Collider,
    starts: F32,
    *,
    body: Body,
    strides: int,
    lowest_m: float,
    random: np.random.Generator,
    limits: WalkLimits | None = None,
) -> WalkTrial:
    """Let bodies walk at random and count what goes wrong.

    Each stride is 0.2 m in the walker's heading, which drifts; a refused stride turns it anywhere. A stride
    is refused when the body would touch something above stepping height, or would step onto ground that is
    higher than `step_m` or steeper than `slope_deg`. Lower ground is walked off: the feet drop onto it.

    A walker *falls* when nothing is below its new place above `lowest_m`, neither under its centre nor
    under four points of its soles, or when the limits say that it is below the floor. It is *stuck* when
    through the second half of its strides it never was further than 0.5 m from where that half began.

    Args:
        starts: Feet [P, 3] of the walkers.
        strides: Per walker.
        lowest_m: Ground below this height is out of the world.
        limits: Judge every place a walker comes to, also its first; whoever is below the floor or outside is
            counted and walks no further.
    """
    feet = np.array(starts, np.float32)
    count = len(feet)
    heading = random.uniform(0, 2 * np.pi, count)
    fallen, outside = _judged(limits, feet)
    middle, roamed = feet.copy(), np.zeros(count)
    clearances = Clearances(collider, body)
    rises = []
    for stride in range(strides):
        walking = np.nonzero(~(fallen | outside))[0]
        heading[walking] += random.normal(0, 0.25, len(walking))
        ahead = feet[walking].copy()
        ahead[:, 0] += _STRIDE_M * np.sin(heading[walking])
        ahead[:, 2] += _STRIDE_M * np.cos(heading[walking])
        height, steepness = _support(collider, ahead, body)
        rise = height - ahead[:, 1]
        climbs = (rise > 0.02) & (steepness < np.cos(np.radians(body.slope_deg)))
        falls = height < lowest_m
        landing = np.where(falls, ahead[:, 1], height)
        landing = np.stack([ahead[:, 0], landing, ahead[:, 2]], axis=1).astype(np.float32)
        goes = ~climbs
        goes[goes] = clearances.is_clear(landing[goes])
        gone = walking[goes]
        feet[gone] = landing[goes]
        rises.append(np.where(falls, 0.0, rise)[goes])
        is_below, is_outside = _judged(limits, feet[gone])
        fallen[gone] = falls[goes] | is_below
        outside[gone] = is_outside
        turned = walking[~goes]
        heading[turned] = random.uniform(0, 2 * np.pi, len(turned))
        if stride == strides // 2:
            middle, roamed[:] = feet.copy(), 0.0
        roamed = np.maximum(roamed, np.hypot(feet[:, 0] - middle[:, 0], feet[:, 2] - middle[:, 2]))
    upright = ~(fallen | outside)
    climbed = np.maximum(np.concatenate(rises), 0.0) if count else np.zeros(0)
    return WalkTrial(
        walkers=count,
        fall_count=int(fallen.sum()),
        outside_count=int(outside.sum()),
        stuck_share=float((roamed[upright] < _STUCK_M).mean()) if upright.any() else 0.0,
        lowest_m=float(feet[:, 1].min()) if count else 0.0,
        largest_rise_m=float(climbed.max()) if len(climbed) else 0.0,
        usual_rise_m=float(np.quantile(climbed, 0.95)) if len(climbed) else 0.0,
    )


def stroll(collider: Collider, starts: F32, *, body: Body, strides: int, random: np.random.Generator) -> F32:
    """Return where feet were [strides, P, 3] that walk at random as in `random_walks`, but with care.

    Nobody falls: a stride that nothing carries, or that goes down further than a step, is refused as well.

    Args:
        starts: Feet [P, 3].
        strides: Of 0.2 m.
        random: Of headings.
    """
    feet = np.array(starts, np.float32)
    heading = random.uniform(0, 2 * np.pi, len(feet))
    clearances = Clearances(collider, body)
    places = np.empty((strides, *feet.shape), np.float32)
    for place in places:
        heading += random.normal(0, 0.25, len(feet))
        ahead = feet.copy()
        ahead[:, 0] += _STRIDE_M * np.sin(heading)
        ahead[:, 2] += _STRIDE_M * np.cos(heading)
        height, steepness = _support(collider, ahead, body)
        goes = np.abs(height - ahead[:, 1]) <= body.step_m
        goes &= steepness >= np.cos(np.radians(body.slope_deg))
        ahead[goes, 1] = height[goes]
        goes[goes] = clearances.is_clear(ahead[goes])
        feet[goes] = ahead[goes]
        heading[~goes] = random.uniform(0, 2 * np.pi, int((~goes).sum()))
        place[:] = feet
    return places


def _judged(limits: WalkLimits | None, feet: F32) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which feet [P, 3] are below the floor and which are outside."""
    if limits is None:
        return np.zeros(len(feet), bool), np.zeros(len(feet), bool)
    return limits.is_below(feet), limits.is_outside(feet)


def _support(collider: Collider, feet: F32, body: Body) -> tuple[F32, F32]:
    """Return height and steepness [P] of what carries feet [P, 3]; -inf where nothing does."""
    above = feet + np.array([0.0, body.step_m, 0.0], np.float32)
    height, steepness = collider.ground_below(above)
    bare = np.nonzero(~np.isfinite(height))[0]
    if len(bare):
        reach_m = _SOLE * body.radius_m
        for shift in ((reach_m, 0, 0), (-reach_m, 0, 0), (0, 0, reach_m), (0, 0, -reach_m)):
            other, steep = collider.ground_below(above[bare] + np.array(shift, np.float32))
            higher = other > height[bare]
            height[bare] = np.where(higher, other, height[bare])
            steepness[bare] = np.where(higher, steep, steepness[bare])
    return height, steepness


@dataclass(frozen=True, slots=True)
class RayTrial:
    """What became of rays from eyes."""

    open_share: float  # met nothing
    boundary_share: float  # met the invisible wall first


def open_rays(
    collider: Collider,
    reached: Reach,
    centres: tuple[F32, F32],
    *,
    boundary_start: int,
    body: Body,
    count: int,
    random: np.random.Generator,
) -> RayTrial:
    """Send rays from eyes over reached cells, level or downwards, and count those that meet nothing.

    Directions are uniform on the lower half of the sphere: what is above the horizon may be sky. The
    invisible wall stops a ray, because the page's walker meets it too; its share is returned beside.
    """
    starts = standing_points(reached, centres, count, random)
    eyes = starts + np.array([0.0, body.eye_height_m, 0.0], np.float32)
    down = -random.uniform(0, 1, len(eyes))
    turn = random.uniform(0, 2 * np.pi, len(eyes))
    level = np.sqrt(1 - down**2)
    directions = np.stack([level * np.sin(turn), down, level * np.cos(turn)], axis=1)
    _, triangles = collider.cast(eyes, directions)
    if not len(triangles):
        return RayTrial(1.0, 0.0)
    return RayTrial(float((triangles < 0).mean()), float((triangles >= boundary_start).mean()))


def standing_points(
    reached: Reach, centres: tuple[F32, F32], count: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return feet [P, 3] on reached cells drawn at random; none when nothing was reached."""
    row, column = np.nonzero(reached.cells)
    if not len(row):
        return np.zeros((0, 3), np.float32)
    drawn = random.integers(0, len(row), count)
    row, column = row[drawn], column[drawn]
    x, z = centres
    return np.stack([x[row, column], reached.feet[row, column], z[row, column]], axis=1).astype(np.float32)


def ceiling_height(collider: Collider, feet: F32) -> float:
    """Return the median height of what is over feet [P, 3], and 0 where most have only sky above."""
    chest = feet + np.array([0.0, _CHEST_M, 0.0], np.float32)
    distances, _ = collider.cast(chest, np.array([0.0, 1.0, 0.0]))
    median = float(np.median(distances)) if len(feet) else np.inf
    return median + _CHEST_M if np.isfinite(median) else 0.0
