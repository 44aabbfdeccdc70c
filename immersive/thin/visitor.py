"""One device that is shown pictures, without any input or output: messages in, poses to draw out.

The newest pose counts and none waits behind it. A picture may leave while fewer than two are on the way: each
is answered with CREDIT once it is shown, so a slow line gets fewer pictures and never old ones.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from streaming.messages import PICTURE_KINDS, Credit, Picture, Ping, Pong, Pose, decode_from_client, encode

from .asked import Asked
from .footing import Footing, Point

# While one is decoded and shown, the next is drawn and sent.
MOST_ON_THE_WAY = 2
# Poses further apart than this say nothing about a speed.
_STEADY_S = 0.3
# What a guess may be wrong by: a short step, a slow turn of the head.
_FURTHEST_GUESS_M = 0.3
_FURTHEST_GUESS_DEG = 12.0
_SLOWER, _QUICKER = 0.2, 0.5  # how fast the measured latency follows: it falls sooner than it rises
_LONGEST_LATENCY_S = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """Where a device says that it is."""

    pose: Pose
    arrived_s: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture to draw."""

    told: Pose  # where the visitor is now, walls considered
    drawn: Pose  # where they will be when they see it
    arrived_s: float  # when they said so


class Visitor:
    """State of one device. `now_s` is a clock of any origin.

    `follow` may run on another thread than the rest, once at a time: walking takes milliseconds.
    """

    def __init__(
        self, start: Pose, asked: Asked, footing: Footing | None, eye_height_m: float, now_s: float
    ) -> None:
        self.asked = asked
        self._wish = Wish(start, now_s)
        self._is_drawn = False
        self._on_the_way: deque[tuple[int, float]] = deque()  # bytes, when its pose had arrived
        self._replies: deque[bytes] = deque()
        self._latency_s = 0.0
        # From here on it is for `follow` alone.
        self._footing, self._eye_height_m = footing, eye_height_m
        self._feet = self._below(start)
        if footing is not None:
            self._feet = footing.stand(self._feet) or self._feet
        self._before = Wish(self._standing(start), now_s)

    @property
    def is_waiting(self) -> bool:
        """Whether a picture is due as soon as one that is on the way is taken."""
        return not self._is_drawn and len(self._on_the_way) >= MOST_ON_THE_WAY

    def receive(self, data: bytes, now_s: float) -> None:
        """Take in one message; those that are not of pictures change nothing.

        Raises:
            ProtocolError: It breaks the protocol.
        """
        match decode_from_client(data):
            case Pose() as pose if pose.epoch > self._wish.pose.epoch:
                self._wish, self._is_drawn = Wish(pose, now_s), False
            case Credit(bytes=count) if count > 0 and self._on_the_way:
                self._taken(now_s)
            case Ping(time_ms=time_ms):
                self._replies.append(encode(Pong(time_ms)))

    def reply(self) -> bytes | None:
        """Return a message to send before any picture, or None."""
        return self._replies.popleft() if self._replies else None

    def wish(self) -> Wish | None:
        """Return what to follow and draw now, or None until `receive` changes something."""
        return None if self._is_drawn or len(self._on_the_way) >= MOST_ON_THE_WAY else self._wish

    def shown(self, wanted: Wanted, picture: bytes, now_s: float) -> bytes:
        """Return the message of a drawn picture, which is sent now."""
        if wanted.told.epoch == self._wish.pose.epoch:
            self._is_drawn = True
        message = encode(
            Picture(
                wanted.told.epoch,
                wanted.told.position,
                (now_s - wanted.arrived_s) * 1000,
                PICTURE_KINDS.index(self.asked.kind),
                picture,
            )
        )
        self._on_the_way.append((len(message), wanted.arrived_s))
        return message

    def follow(self, wish: Wish) -> Wanted:
        """Walk to a wish, as far as walls and ground allow, and return what to draw of it."""
        goal = self._below(wish.pose)
        if self._footing is not None:
            self._feet = self._footing.walk(self._feet, goal)
        else:
            self._feet = (goal[0], self._feet[1], goal[2])  # no ground is known, so they stay level
        told, before = self._standing(wish.pose), self._before
        self._before = Wish(told, wish.arrived_s)
        elapsed_s = wish.arrived_s - before.arrived_s
        if not 1e-3 < elapsed_s < _STEADY_S:
            return Wanted(told, told, wish.arrived_s)
        return Wanted(told, _moved_on(before.pose, told, self._latency_s / elapsed_s), wish.arrived_s)

    def _taken(self, now_s: float) -> None:
        _, arrived_s = self._on_the_way.popleft()
        took_s = min(now_s - arrived_s, _LONGEST_LATENCY_S)
        share = _QUICKER if took_s < self._latency_s else _SLOWER
        self._latency_s += share * (took_s - self._latency_s)

    def _below(self, pose: Pose) -> Point:
        x, y, z = pose.position
        return x, y - self._eye_height_m, z

    def _standing(self, pose: Pose) -> Pose:
        x, y, z = self._feet
        return Pose(pose.epoch, (x, y + self._eye_height_m, z), pose.forward, pose.fov_deg)


def _moved_on(before: Pose, now: Pose, share: float) -> Pose:
    """Return `now` moved on by a share of the way that it came, within bounds."""
    way = [b - a for a, b in zip(before.position, now.position, strict=True)]
    length = math.hypot(*way) * share
    ahead = share * min(1.0, _FURTHEST_GUESS_M / length) if length > 0 else 0.0
    x, y, z = (a + ahead * step for a, step in zip(now.position, way, strict=True))
    turn_deg = (_yaw_deg(now.forward) - _yaw_deg(before.forward) + 180) % 360 - 180
    turn_deg = max(-_FURTHEST_GUESS_DEG, min(_FURTHEST_GUESS_DEG, turn_deg * share))
    return Pose(now.epoch, (x, y, z), _turned(now.forward, turn_deg), now.fov_deg)


def _yaw_deg(forward: Point) -> float:
    return math.degrees(math.atan2(-forward[0], -forward[2]))


def _turned(forward: Point, yaw_deg: float) -> Point:
    """Return a direction turned about +Y, to the left for positive angles."""
    c, s = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    x, y, z = forward
    return c * x + s * z, y, c * z - s * x
