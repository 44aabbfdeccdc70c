"""Pinhole cameras of one picture size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .checks import check_array
from .conventions import F32
from .errors import InvalidArrayError


@dataclass(frozen=True, slots=True, eq=False)
class Cameras:
    """F pinhole cameras that share a picture size; frames as in `conventions`."""

    viewmats: F32  # [F, 4, 4] world -> camera, OpenCV
    Ks: F32  # [F, 3, 3] pixels; rows [fx 0 cx], [0 fy cy], [0 0 1]
    width: int  # pixels
    height: int  # pixels

    def __post_init__(self) -> None:
        count = check_array("viewmats", self.viewmats, shape=("F", 4, 4), dtype=np.float32)["F"]
        check_array("Ks", self.Ks, shape=(count, 3, 3), dtype=np.float32)
        if self.width < 1 or self.height < 1:
            raise InvalidArrayError("picture size", f"must be positive, got {self.width}x{self.height}")
        if (self.Ks[:, 0, 0] <= 0).any() or (self.Ks[:, 1, 1] <= 0).any():
            raise InvalidArrayError("Ks", "must hold positive focal lengths")
        turns = self.viewmats[:, :3, :3]
        if not np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-3):
            raise InvalidArrayError("viewmats", "must hold rotations without scale or shear")
        if (np.linalg.det(turns) < 0).any():
            raise InvalidArrayError("viewmats", "must hold rotations, got one that mirrors")

    def __len__(self) -> int:
        return len(self.viewmats)

    @property
    def positions(self) -> F32:
        """Camera centres [F, 3] in the world."""
        turns, shifts = self.viewmats[:, :3, :3], self.viewmats[:, :3, 3]
        return -np.einsum("fji,fj->fi", turns, shifts)

    @property
    def forwards(self) -> F32:
        """Unit viewing directions [F, 3] in the world."""
        return self.viewmats[:, 2, :3].copy()

    def subset(self, frames: Sequence[int]) -> Cameras:
        """Return the cameras of the given frame indices, in that order."""
        index = np.asarray(frames, np.int64)
        return replace(self, viewmats=self.viewmats[index], Ks=self.Ks[index])

    def resized(self, width: int, height: int) -> Cameras:
        """Return the same views at another picture size; the field of view does not change."""
        scale = np.array([width / self.width, height / self.height, 1.0], np.float32)
        return replace(self, Ks=self.Ks * scale[:, None], width=width, height=height)

    def moved(self, new_from_old: NDArray) -> Cameras:
        """Return the cameras after the world was moved by a rigid map [4, 4]."""
        viewmats = self.viewmats.astype(np.float64) @ np.linalg.inv(np.asarray(new_from_old, np.float64))
        return replace(self, viewmats=viewmats.astype(np.float32))


def intrinsics(focal_px: float, width: int, height: int) -> F32:
    """Return a centred pinhole K [3, 3] with square pixels."""
    return np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]], np.float32)
