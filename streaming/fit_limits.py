"""What a file is asked to keep to, what it lost, and what the search for it needs from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reconstruction.cameras import Cameras
from reconstruction.splats import SplatCloud

Files = Mapping[str, bytes]  # name -> content; most formats have one
Progress = Callable[[float, str], None]  # share 0..1 of the work, and what is being done


class Draw(Protocol):
    """Draws splats; the pictures that losses are measured on come from outside of this package."""

    def __call__(
        self, cloud: SplatCloud, cameras: Cameras, background: Sequence[float]
    ) -> Iterable[NDArray[np.float32]]:
        """Yield a picture [H, W, 3] per camera, display-referred sRGB."""
        ...


class FileKind(Protocol):
    """How a cloud is written and read back; what it does not keep is part of the loss."""

    def encode(self, cloud: SplatCloud, loss: Mapping[str, Any]) -> Files:
        """Return the files that hold `cloud`; those that say how they were made also say the loss."""
        ...

    def decode(self, files: Files) -> SplatCloud:
        """Return what a reader gets of them."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file must keep to. None: no limit."""

    max_bytes: int | None = None
    min_psnr_db: float | None = None
    max_splats: int | None = None
    max_sh_degree: int = 3


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work choosing is."""

    # Of 48 cameras. More of them look better than larger ones: a forest at a quarter of its splats reaches
    # 26.1 dB with 96 cameras of 384x288, 27.4 with 192, 29.5 with 384 and 29.8 with 768 of 256x192.
    rounds: int = 12
    draft_steps: int = 128
    steps: int = 1024
    measuring_px: tuple[int, int] = (480, 360)


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost against the scene as it was, measured on views that had no part in the choice."""

    psnr_db: float  # of the median view; 99 for no loss
    worst_psnr_db: float
    views: int
    splats: int
    of_splats: int
    sh_degree: int


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Files that keep to the limits."""

    files: Files
    loss: Loss

    @property
    def byte_length(self) -> int:
        """Of all files."""
        return sum(len(data) for data in self.files.values())
