"""Pictures of one place: what every generator makes and every later stage reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .audio import AudioTrack
from .cameras import Cameras
from .checks import check_array
from .conventions import F32, world_from_first_camera
from .errors import InvalidArrayError


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where frames come from; travels into the asset, where it is shown to viewers."""

    source: str  # "procedural", "clip", "photos", "import", or the name of a generation backend
    is_generated: bool  # True: made by a program or model; viewers must be told
    detail: str = ""  # file name, model name or prompt


@dataclass(frozen=True, slots=True)
class Landmark:
    """Where something is that a generator built."""

    name: str  # "lake", "fireplace", ...
    position: tuple[float, float, float]  # metres, about its middle, in the frame of the cameras


@dataclass(frozen=True, slots=True, eq=False)
class FrameSequence:
    """F pictures of one size, with what is known of their cameras and depths.

    `depths` are metres along the camera's +Z: 0 is unknown and +inf is sky.
    `held_out` frames are never trained on; the quality report is measured on them.
    """

    images: NDArray[np.uint8]  # [F, H, W, 3] sRGB
    provenance: Provenance
    cameras: Cameras | None = None
    depths: F32 | None = None  # [F, H, W]
    held_out: tuple[int, ...] = field(default=())
    water_y: float | None = None  # height of open water in the frame of the cameras, if it is known
    landmarks: tuple[Landmark, ...] = ()  # of a built place
    audio: AudioTrack | None = None  # what the clip sounds like, if it came with sound

    def __post_init__(self) -> None:
        sizes = check_array("images", self.images, shape=("F", "H", "W", 3), dtype=np.uint8)
        count, height, width = sizes["F"], sizes["H"], sizes["W"]
        if count == 0:
            raise InvalidArrayError("images", "must hold at least one frame")
        if self.cameras is not None:
            found = (len(self.cameras), self.cameras.height, self.cameras.width)
            if found != (count, height, width):
                raise InvalidArrayError("cameras", f"must match images {(count, height, width)}, got {found}")
        if self.depths is not None:
            shape = (count, height, width)
            check_array("depths", self.depths, shape=shape, dtype=np.float32, finite=False)
            if np.isnan(self.depths).any() or (self.depths < 0).any():
                raise InvalidArrayError(
                    "depths", "must be metres >= 0 (0 unknown, inf sky), got NaN or negative"
                )
        if any(not 0 <= index < count for index in self.held_out):
            raise InvalidArrayError("held_out", f"must index the {count} frames, got {self.held_out!r}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def train(self) -> tuple[int, ...]:
        """Indices of the frames that may be trained on."""
        hidden = set(self.held_out)
        return tuple(index for index in range(len(self)) if index not in hidden)

    def subset(self, frames: tuple[int, ...] | list[int]) -> FrameSequence:
        """Return the given frames, in that order; `held_out` follows them."""
        index = np.asarray(frames, np.int64)
        hidden = set(self.held_out)
        return replace(
            self,
            images=self.images[index],
            cameras=None if self.cameras is None else self.cameras.subset(list(frames)),
            depths=None if self.depths is None else self.depths[index],
            held_out=tuple(new for new, old in enumerate(frames) if old in hidden),
        )

    def in_world_frame(self) -> FrameSequence:
        """Return the frames with the first camera at the origin, heading along -Z."""
        if self.cameras is None:
            return self
        world = world_from_first_camera(self.cameras.viewmats[0])
        water_y = None if self.water_y is None else self.water_y + float(world[1, 3])
        landmarks = tuple(
            Landmark(mark.name, tuple((world[:3, :3] @ mark.position + world[:3, 3]).tolist()))
            for mark in self.landmarks
        )
        return replace(self, cameras=self.cameras.moved(world), water_y=water_y, landmarks=landmarks)
