"""Where the cameras of a scene stood, for guided walks and for knowing where people will look from."""

from __future__ import annotations

import numpy as np

from reconstruction.frames import FrameSequence


def camera_path(frames: FrameSequence) -> list[tuple[float, float, float, float]]:
    """Return where the training cameras stood, one entry a stop, with the heading of its first view."""
    path: list[tuple[float, float, float, float]] = []
    cameras = frames.subset(frames.train).cameras
    assert cameras is not None  # posed frames only come here
    for (x, y, z), (fx, _, fz) in zip(cameras.positions.tolist(), cameras.forwards.tolist(), strict=True):
        if not path or np.linalg.norm(np.subtract(path[-1][:3], (x, y, z))) > 0.05:
            path.append((x, y, z, float(np.degrees(np.arctan2(-fx, -fz)))))
    return path
