"""Where a doorway to another place fits: in sight of the start, and walked to in a straight line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import UnliftableInputError
from .fusion import Collider
from .navigation import Body, is_clear

WIDTH_M, HEIGHT_M = 1.2, 2.1
# Who comes through a doorway stands this far in front of it, outside of its reach.
ARRIVE_M = 1.5
_STRIDE_M = 0.1
_TURN_DEG = 10.0
# Far enough to be a walk, near enough to be seen at once. Where there is less room, less will do.
_FARTHEST_M, _NEAREST_M = 9.0, ARRIVE_M + 0.4
# Two doorways stand apart as seen from the start, and as walked between.
_APART_DEG, _APART_M = 35.0, 2.0


@dataclass(frozen=True, slots=True)
class Doorway:
    """A place for a doorway, world frame."""

    position: tuple[float, float, float]  # on the ground in its middle, metres
    yaw_deg: float  # the way of who walks into it from the start; 0 looks along -Z, grows to the left
    arrive_position: tuple[float, float, float]  # feet of who comes out of it
    arrive_yaw_deg: float  # with the doorway behind them


def find_doorways(
    collider: Collider, start: NDArray, heading_deg: float, count: int, *, body: Body | None = None
) -> tuple[Doorway, ...]:
    """Return places for `count` doorways around a start, the most conspicuous first.

    Every doorway can be walked to in a straight line, with room for its posts. Ways ahead are preferred to
    those behind, and the far end of a way to a nearer place.

    Args:
        collider: What bodies meet.
        start: [3] feet of the visitor who comes into the place.
        heading_deg: Where they look, as `Doorway.yaw_deg`.
        count: How many are needed.
        body: Of the visitor.

    Raises:
        UnliftableInputError: There is no room for as many.
    """
    body = body or Body()
    turns = np.arange(-180.0, 180.0, _TURN_DEG)
    ways = [_way(collider, np.asarray(start, np.float64), heading_deg + turn, body) for turn in turns]
    found: list[tuple[float, NDArray]] = []  # turn, [3]
    for least_m in (3.0, _NEAREST_M):
        scored = []
        for turn, way in zip(turns, ways, strict=True):
            # The last stride keeps the frame off the wall behind it.
            for steps in range(len(way) - 4, round(least_m / _STRIDE_M), -5):
                metres = steps * _STRIDE_M
                if _has_room(collider, way[steps], heading_deg + turn, body):
                    scored.append((metres / _FARTHEST_M - abs(turn) / 90.0, turn, way[steps]))
                    break
        for _, turn, place in sorted(scored, key=lambda entry: -entry[0]):
            if len(found) == count:
                break
            if all(_are_apart(turn, place, other, there) for other, there in found):
                found.append((turn, place))
    if len(found) < count:
        raise UnliftableInputError(
            f"there is room for {len(found)} of {count} doorways near the start",
            hint="Make the place larger with --size large, or tell a story with fewer ways.",
        )
    return tuple(_doorway(np.asarray(start), place, heading_deg + turn) for turn, place in found)


def _way(collider: Collider, start: NDArray, yaw_deg: float, body: Body) -> NDArray[np.float64]:
    """Return where the feet get [S, 3] that walk from the start until something stops them."""
    ahead = _direction(yaw_deg)
    steps = np.arange(0.0, _FARTHEST_M + _STRIDE_M, _STRIDE_M)
    line = start + steps[:, None] * ahead
    feet = [start]
    for point in line[1:]:
        above = np.array([[point[0], feet[-1][1] + body.step_m, point[2]]], np.float32)
        height, steepness = collider.ground_below(above)
        if abs(height[0] - feet[-1][1]) > body.step_m or steepness[0] < np.cos(np.radians(body.slope_deg)):
            break
        feet.append(np.array([point[0], height[0], point[2]]))
    walked = np.stack(feet)
    clear = is_clear(collider, walked.astype(np.float32), body)
    stopped = np.flatnonzero(~clear[1:])  # the start itself may touch grass
    return walked[: stopped[0] + 1] if len(stopped) else walked


def _has_room(collider: Collider, place: NDArray, yaw_deg: float, body: Body) -> bool:
    """Whether both posts and the lintel stand free, on ground that is about level."""
    across = _direction(yaw_deg - 90.0)
    posts = place + np.outer([-0.5 * WIDTH_M, 0.5 * WIDTH_M], across)
    height, _ = collider.ground_below((posts + [0.0, body.step_m, 0.0]).astype(np.float32))
    if np.abs(height - place[1]).max() > 0.25:
        return False
    heights = np.array([0.6, 1.2, 1.8, HEIGHT_M])
    spots = np.concatenate([post + heights[:, None] * np.array([0.0, 1.0, 0.0]) for post in (*posts, place)])
    return bool(collider.distance(spots).min() > 0.1)


def _are_apart(turn: float, place: NDArray, other: float, there: NDArray) -> bool:
    away_deg = abs((turn - other + 180.0) % 360.0 - 180.0)
    return away_deg >= _APART_DEG and float(np.linalg.norm(place - there)) >= _APART_M


def _doorway(start: NDArray, place: NDArray, yaw_deg: float) -> Doorway:
    # On the way that was walked, so a body fits there; the ground's height follows it closely enough.
    length = float(np.hypot(*(place - start)[[0, 2]]))
    share = max(0.0, 1.0 - ARRIVE_M / length)
    arrive = start + share * (place - start)
    return Doorway(_triple(place), _wrapped(yaw_deg), _triple(arrive), _wrapped(yaw_deg + 180.0))


def _direction(yaw_deg: float) -> NDArray[np.float64]:
    yaw = np.radians(yaw_deg)
    return np.array([-np.sin(yaw), 0.0, -np.cos(yaw)])


def _wrapped(yaw_deg: float) -> float:
    return float((yaw_deg + 180.0) % 360.0 - 180.0)


def _triple(point: NDArray) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])
