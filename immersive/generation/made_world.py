"""What a backend gives that makes splats instead of pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reconstruction.checks import check_array
from reconstruction.conventions import F32
from reconstruction.frames import Provenance
from reconstruction.splats import SplatCloud


@dataclass(frozen=True, slots=True, eq=False)
class MadeWorld:
    """A finished place in metres and the world frame, with an eye of its maker at the origin."""

    cloud: SplatCloud
    provenance: Provenance
    vertices: F32 | None = None  # [V, 3] of the mesh that feet and rays meet, where the place came with one
    faces: NDArray[np.int32] | None = None  # [T, 3]

    def __post_init__(self) -> None:
        if self.vertices is not None:
            check_array("vertices", self.vertices, shape=("V", 3), dtype=np.float32)
            check_array("faces", self.faces, shape=("T", 3), dtype=np.int32)
