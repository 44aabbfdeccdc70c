"""Frames whose cameras are known, the points seen in them, and how both came into the world frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .checks import check_array
from .conventions import F32
from .errors import InvalidArrayError
from .frames import FrameSequence

# One frame of eight is kept for the quality report, the custom of the field; two at least, because the
# error of a single picture says little.
HELD_OUT_EVERY = 8
HELD_OUT_AT_LEAST = 2


@dataclass(frozen=True, slots=True)
class ParallaxFigures:
    """What decides whether unposed pictures can become a scene; thresholds are in `gates`."""

    registered_share: float  # of the frames given
    points_per_frame: float  # median over frames of the 3D points that it sees
    track_length: float  # mean number of frames that see a point
    angle_deg: float  # median over points of the widest angle between two of its lines of sight
    wide_share: float  # of the points whose widest angle is above `gates.WIDE_ANGLE_DEG`
    baseline_over_depth: float  # largest distance between two cameras / median depth of the points
    picture_shift: float  # median motion of points between distant frames / picture width
    shift_without_turn: float  # the same after the best turn of the camera is taken out


@dataclass(frozen=True, slots=True)
class PoseReport:
    """Where poses came from and what had to be guessed."""

    source: str  # "transforms.json", "COLMAP model" or "structure from motion"
    given: int  # frames that were offered
    used: int  # frames that have a pose
    figures: ParallaxFigures | None  # None: the poses were given, not estimated
    notes: tuple[str, ...]  # one sentence per guess or loss, shown to the user
    up_error_deg: float | None = None  # about how far up may be off; None: the source says where it is
    scale_error: float | None = None  # the same of the size, as a share; None: the source is in metres


@dataclass(frozen=True, slots=True, eq=False)
class PosedFrames:
    """Frames with cameras in the world frame, and the sparse 3D points known of their scene."""

    frames: FrameSequence  # cameras are never None
    points: F32  # [P, 3] metres, world
    colors: NDArray[np.uint8]  # [P, 3] sRGB
    report: PoseReport

    def __post_init__(self) -> None:
        if self.frames.cameras is None:
            raise InvalidArrayError("frames", "must have cameras, got none")
        count = check_array("points", self.points, shape=("P", 3), dtype=np.float32)["P"]
        check_array("colors", self.colors, shape=(count, 3), dtype=np.uint8)


def choose_held_out(count: int) -> tuple[int, ...]:
    """Return evenly spread frame indices to keep from training, never the first or the last of three or more.

    Fewer than six frames give up only one, and a single frame none.
    """
    if count < 2:
        return ()
    kept = max(HELD_OUT_AT_LEAST, count // HELD_OUT_EVERY) if count >= 6 else 1
    return tuple(int((k + 0.5) * count / kept) for k in range(kept))
