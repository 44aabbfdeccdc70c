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
class Wanted:
    """A picture to draw."""

    told: Pose  # where the visitor is now, walls considered
    drawn: Pose  # where they will be when they see it
    arrived_s: float  # when they said so


class Visitor:
    """State of one device. `now_s` is a clock of any origin."""

    def __init__(
        self, start: Pose, asked: Asked, footing: Footing | None, eye_height_m: float, now_s: float
    ) -> None:
        self.asked = asked
        self._footing, self._eye_height_m = footing, eye_height_m
        self._feet = _feet(start.position, eye_height_m)
        if footing is not None:
            self._feet = footing.stand(self._feet) or self._feet
        self._pose = self._standing(start)
        self._arrived_s = now_s
        self._speed: tuple[Point, float] = ((0.0, 0.0, 0.0), 0.0)  # m/s, degrees/s about +Y
        self._latency_s = 0.0
        self._is_drawn = False
        self._on_the_way: deque[tuple[int, float]] = deque()  # bytes, when its pose had arrived
        self._replies: deque[bytes] = deque()

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
            case Pose() as pose if pose.epoch > self._pose.epoch:
                self.look(pose, now_s)
            case Credit(bytes=count) if count > 0 and self._on_the_way:
                self._taken(now_s)
            case Ping(time_ms=time_ms):
                self._replies.append(encode(Pong(time_ms)))

    def reply(self) -> bytes | None:
        """Return a message to send before any picture, or None."""
        return self._replies.popleft() if self._replies else None

    def wanted(self) -> Wanted | None:
        """Return what to draw now, or None until `receive` changes something."""
        if self._is_drawn or len(self._on_the_way) >= MOST_ON_THE_WAY:
            return None
        return Wanted(self._pose, self._guess(), self._arrived_s)

    def shown(self, wanted: Wanted, picture: bytes, now_s: float) -> bytes:
        """Return the message of a drawn picture, which is sent now."""
        if wanted.told.epoch == self._pose.epoch:
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

    def look(self, pose: Pose, now_s: float) -> None:
        """Come to a pose, as far as walls and ground allow."""
        before, elapsed_s = self._pose, now_s - self._arrived_s
        wished = _feet(pose.position, self._eye_height_m)
        if self._footing is not None:
            self._feet = self._footing.walk(self._feet, wished)
        else:
            self._feet = (wished[0], self._feet[1], wished[2])  # no ground is known, so they stay level
        self._pose = self._standing(pose)
        self._speed = ((0.0, 0.0, 0.0), 0.0)
        if 1e-3 < elapsed_s < _STEADY_S:
            x, y, z = ((b - a) / elapsed_s for a, b in zip(before.position, self._pose.position, strict=True))
            turn = (_yaw_deg(self._pose.forward) - _yaw_deg(before.forward) + 180) % 360 - 180
            self._speed = ((x, y, z), turn / elapsed_s)
        self._arrived_s, self._is_drawn = now_s, False

    def _taken(self, now_s: float) -> None:
        _, arrived_s = self._on_the_way.popleft()
        took_s = min(now_s - arrived_s, _LONGEST_LATENCY_S)
        share = _QUICKER if took_s < self._latency_s else _SLOWER
        self._latency_s += share * (took_s - self._latency_s)

    def _standing(self, pose: Pose) -> Pose:
        x, y, z = self._feet
        return Pose(pose.epoch, (x, y + self._eye_height_m, z), pose.forward, pose.fov_deg)

    def _guess(self) -> Pose:
        """Return the pose moved on by its speed for as long as pictures take to be seen."""
        (x, y, z), turn = self._speed
        pose, ahead_s = self._pose, self._latency_s
        length = math.hypot(x, y, z) * ahead_s
        share = ahead_s * min(1.0, _FURTHEST_GUESS_M / length) if length > 0 else 0.0
        turn_deg = max(-_FURTHEST_GUESS_DEG, min(_FURTHEST_GUESS_DEG, turn * ahead_s))
        position = tuple(a + share * v for a, v in zip(pose.position, (x, y, z), strict=True))
        return Pose(pose.epoch, position, _turned(pose.forward, turn_deg), pose.fov_deg)  # type: ignore[arg-type]


def _feet(eye: Point, eye_height_m: float) -> Point:
    return eye[0], eye[1] - eye_height_m, eye[2]


def _yaw_deg(forward: Point) -> float:
    return math.degrees(math.atan2(-forward[0], -forward[2]))


def _turned(forward: Point, yaw_deg: float) -> Point:
    """Return a direction turned about +Y, to the left for positive angles."""
    c, s = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    x, y, z = forward
    return c * x + s * z, y, c * z - s * x
