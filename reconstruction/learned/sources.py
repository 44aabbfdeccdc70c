"""What every learned source of depths or poses does, and the tables of those there are.

Loads neither torch nor transformers; the modules in the tables do, once a source is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..cameras import Cameras
from ..checks import check_array
from ..conventions import F32
from ..errors import InvalidArrayError, InvalidInputError, MissingBackendError

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class DepthPrediction:
    """What a model says about F pictures, at their size and before it is brought into a scene's unit.

    `inverse` are 1 / depth along +Z: for ``metric`` in 1 / metres, 0 where unknown; for ``relative`` known
    only up to a factor and an offset per picture, which `align` finds.
    """

    inverse: F32  # [F, H, W] >= 0
    kind: Literal["metric", "relative"]
    confidence: F32 | None = None  # [F, H, W] 0..1, None where the model gives none
    focal_px: F32 | None = None  # [F] the model's own guess at the lens, None where it makes none

    def __post_init__(self) -> None:
        sizes = check_array("inverse", self.inverse, shape=("F", "H", "W"), dtype=np.float32)
        if (self.inverse < 0).any():
            raise InvalidArrayError("inverse", f"must be >= 0, got {float(self.inverse.min()):.3g}")
        if self.confidence is not None:
            check_array("confidence", self.confidence, shape=tuple(sizes.values()), dtype=np.float32)
        if self.focal_px is not None:
            check_array("focal_px", self.focal_px, shape=(sizes["F"],), dtype=np.float32)


class DepthSource(Protocol):
    """Guesses depth from single pictures."""

    def __call__(
        self,
        images: NDArray[np.uint8],  # [F, H, W, 3] sRGB
        cameras: Cameras | None,  # of the pictures, where known; a metric model reads the lens from them
        progress: Progress | None = None,  # may raise `CancelledError`, which is passed on
    ) -> DepthPrediction: ...


@dataclass(frozen=True, slots=True, eq=False)
class PosePrediction:
    """Cameras and depths of F pictures from one model, in the model's own frame and unit."""

    cameras: Cameras  # of the pictures as given
    depths: F32  # [F, h, w] along +Z at the model's size, 0 unknown
    confidence: F32  # [F, h, w] 0..1
    is_metric: bool
    model: str  # name and version, for the report


class PoseSource(Protocol):
    """Guesses cameras and depths from several pictures of one place."""

    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> PosePrediction: ...


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where a model's weights are and how it runs."""

    weights: str  # folder, or a name on the model hub
    is_offline: bool = False  # True: never ask the hub
    device: str = "auto"  # "cpu", "cuda", "cuda:1"; auto: CUDA where it is
    batch: int = 4  # pictures at once; results do not depend on it
    python: Path | None = None  # of the environment where a pose model is installed
    timeout_s: float = 3600.0


# Small, and licensed for every use.
DEFAULT_WEIGHTS = {
    "depth-anything": "depth-anything/Depth-Anything-V2-Small-hf",
    "depth-pro": "apple/DepthPro-hf",
}
_DEPTH_MODULES = {"depth-anything": ".depth_anything", "depth-pro": ".depth_pro"}
_POSE_MODELS = ("vggt", "depth-anything-3")


def depth_source_names() -> tuple[str, ...]:
    """Return the names that `load_depth_source` takes."""
    return tuple(_DEPTH_MODULES)


def pose_source_names() -> tuple[str, ...]:
    """Return the names that `load_pose_source` takes."""
    return _POSE_MODELS


def load_depth_source(name: str, settings: SourceSettings) -> DepthSource:
    """Return a depth model with its weights loaded.

    Raises:
        InvalidInputError: There is no such source, or the weights are missing, damaged or another model's.
        MissingBackendError: transformers is not installed, or the device is not there.
    """
    if name not in _DEPTH_MODULES:
        raise InvalidInputError(f"depth source must be one of {depth_source_names()}, got {name!r}")
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            raise MissingBackendError(
                name, f"needs {package}, which is not installed", "Run `pip install 'immersive[learned]'`."
            )
    return importlib.import_module(_DEPTH_MODULES[name], __package__).load(settings)


def load_pose_source(name: str, settings: SourceSettings) -> PoseSource:
    """Return a model of poses and depths that runs in an environment of its own.

    The packages of these models pin what others need newer (numpy below 2 and more), so they are never
    imported here: `settings.python` is the interpreter of an environment that holds them.

    Raises:
        InvalidInputError: There is no such source.
        MissingBackendError: `settings.python` is not given or no interpreter.
    """
    if name not in _POSE_MODELS:
        raise InvalidInputError(f"pose source must be one of {_POSE_MODELS}, got {name!r}")
    return importlib.import_module(".subprocess_worker", __package__).load(name, settings)
