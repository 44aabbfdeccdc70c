"""The ctypes binding of the C++ rasteriser. NumPy only; the layouts are those of `frame.h`."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..conventions import F32
from ..errors import MissingBackendError
from ..splats import SplatCloud
from . import build

_LANES = 16  # rows are padded to the widest vector
ROW_MEANS, ROW_SCALES, ROW_QUATS, ROW_OPACITY, ROW_SH = 0, 3, 6, 10, 11


class _View(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_float) for name in ("fx", "fy", "cx", "cy")),
        ("turn", ctypes.c_float * 9),
        ("shift", ctypes.c_float * 3),
        ("background", ctypes.c_float * 3),
        *((name, ctypes.c_int32) for name in ("width", "height", "antialias", "sh_bases")),
    )


class AdamStep(ctypes.Structure):
    """One step's rates and weights; the meaning of each is in `adam.h`."""

    _fields_ = (
        ("rate", ctypes.c_float * ROW_SH),
        *(
            (name, ctypes.c_float)
            for name in (
                *("sh_rate", "sh_rest_rate", "beta1", "beta2", "epsilon", "correction1", "correction2"),
                *("opacity_weight", "scale_weight", "scale_max"),
            )
        ),
    )


_POINTER, _INT, _INT64, _FLOAT = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_float
_SIGNATURES = {
    "raster_lanes": (_INT, ()),
    "raster_cpu_level": (_INT, ()),
    "raster_create": (_POINTER, (_INT,)),
    "raster_destroy": (None, (_POINTER,)),
    "raster_pairs": (_INT64, (_POINTER,)),
    "raster_drawn": (None, (_POINTER, _POINTER)),
    "raster_backward": (None, (_POINTER,) * 7),
    "raster_loss": (None, (_POINTER, _INT, _INT, _POINTER, _POINTER, _FLOAT, _POINTER, _POINTER, _POINTER)),
    "raster_adam": (None, (_POINTER, _POINTER, _INT64, _INT64, _INT, *[_POINTER] * 6)),
    "raster_forward": (_INT64, (_POINTER, _POINTER, _POINTER, _INT64, _INT64, *[_POINTER] * 4)),
}


@functools.cache
def load_kernels(level: str | None = None) -> ctypes.CDLL:
    """Return the compiled kernels for an instruction set of `build.levels()`, or the best that this CPU runs.

    Compiles them first if this source tree or installation has none yet (a few seconds, once).

    Raises:
        MissingBackendError: There is no compiled library and no compiler.
    """
    if level is None:
        best = load_kernels("baseline").raster_cpu_level()
        level = build.levels()[min(best, len(build.levels()) - 1)]
        return load_kernels(level)
    kernels = ctypes.CDLL(str(_library_file(level)))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(kernels, name)
        function.restype, function.argtypes = result, arguments
    return kernels


def _library_file(level: str) -> Path:
    installed = Path(__file__).parent
    home = Path(os.environ.get("IMMERSIVE_HOME") or Path.home() / ".immersive")
    name = build.file_name(level)
    for folder in (installed, home / "kernels"):
        if (folder / name).exists():
            return folder / name
    try:
        try:
            build.compile_kernels(installed)
            return installed / name
        except OSError:  # an installation that belongs to another user
            build.compile_kernels(home / "kernels")
            return home / "kernels" / name
    except build.CompilerError as error:
        raise MissingBackendError(
            "cpu", f"cannot be compiled: {error}", "install g++ or clang, or run: pip install ziglang"
        ) from error


def thread_count() -> int:
    """Return how many threads the kernels use: the cores that this process may run on, at most 16."""
    return min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def planar(cloud: SplatCloud) -> F32:
    """Return the cloud as rows [11 + 3 K, stride] for the kernels; stride is `padded(len(cloud))`."""
    count, bases = len(cloud), cloud.sh.shape[1]
    rows = np.zeros((ROW_SH + 3 * bases, padded(count)), np.float32)
    rows[ROW_MEANS : ROW_MEANS + 3, :count] = cloud.means.T
    rows[ROW_SCALES : ROW_SCALES + 3, :count] = cloud.scales.T
    rows[ROW_QUATS : ROW_QUATS + 4, :count] = cloud.quats.T
    rows[ROW_OPACITY, :count] = cloud.opacities
    rows[ROW_SH:, :count] = cloud.sh.reshape(count, 3 * bases).T
    return rows


def padded(count: int) -> int:
    """Return the row length for `count` splats: the next multiple of 16, at least 16."""
    return max(_LANES, -(-count // _LANES) * _LANES)


def address(array: NDArray | None) -> int | None:
    """Return where an array's values begin, for the kernels."""
    return None if array is None else array.ctypes.data


class SplatRaster:
    """A drawing context: its threads, and what the backward pass needs of the last picture.

    Not for use from two threads at once. `params` are rows as made by `planar`.
    """

    def __init__(self, threads: int | None = None, level: str | None = None) -> None:
        self.kernels = load_kernels(level)
        self.threads = thread_count() if threads is None else threads
        self._handle = self.kernels.raster_create(self.threads)
        self._view = _View()
        self._count = 0

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.kernels.raster_destroy(self._handle)
            self._handle = None

    def look(
        self,
        viewmat: F32,
        K: F32,
        width: int,
        height: int,
        *,
        background: Sequence[float] = (0.0, 0.0, 0.0),
        antialias: bool = True,
    ) -> None:
        """Set the camera of the pictures that follow; see `conventions` for the frames."""
        view = self._view
        view.fx, view.fy, view.cx, view.cy = (float(K[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
        view.turn[:] = [float(x) for x in viewmat[:3, :3].ravel()]
        view.shift[:] = [float(x) for x in viewmat[:3, 3]]
        view.background[:] = [float(x) for x in background]
        view.width, view.height, view.antialias = width, height, int(antialias)

    def forward(
        self,
        params: F32,
        count: int,
        image: F32,
        alpha: F32 | None = None,
        depth: F32 | None = None,
        median: F32 | None = None,
    ) -> int:
        """Draw the first `count` splats and return how many were in view.

        Args:
            image: [H, W, 3], written: RGB over the background.
            alpha: [H, W], written: coverage 0..1.
            depth: [H, W], written: the sum of weight x depth, not divided by alpha.
            median: [H, W], written: depth where half of the light is blocked, 0 where it never is.
        """
        self._count = count
        self._view.sh_bases = (len(params) - ROW_SH) // 3
        return self.kernels.raster_forward(
            self._handle,
            ctypes.byref(self._view),
            address(params),
            count,
            params.shape[1],
            address(image),
            address(alpha),
            address(depth),
            address(median),
        )

    @property
    def pairs(self) -> int:
        """How many (splat, tile) pairs the last picture had."""
        return self.kernels.raster_pairs(self._handle)

    def drawn(self) -> NDArray[np.bool_]:
        """Return which splats [N] of the last picture were in view."""
        flags = np.empty(self._count, np.uint8)
        self.kernels.raster_drawn(self._handle, address(flags))
        return flags.astype(bool)

    def backward(
        self,
        params: F32,
        count: int,
        d_image: F32,
        gradients: F32,
        visible: NDArray[np.uint8] | None = None,
        *,
        d_alpha: F32 | None = None,
        d_depth: F32 | None = None,
    ) -> None:
        """Write the gradients of the last picture; `params` and `count` must be those it was drawn from.

        Args:
            d_image: dLoss/d(image) [H, W, 3].
            gradients: Like `params`; written for splats in view and their neighbours in memory, else left.
            visible: [N], written: 1 where the splat was in view.
            d_alpha: dLoss/d(alpha) [H, W]; given together with `d_depth` or not at all, and then the picture
                must have been drawn with a depth.
            d_depth: dLoss/d(depth sum) [H, W].
        """
        if count != self._count:
            raise ValueError(f"the last picture had {self._count} splats, got {count}")
        if visible is None:
            visible = np.empty(count, np.uint8)
        self.kernels.raster_backward(
            self._handle,
            address(params),
            address(d_image),
            address(d_alpha),
            address(d_depth),
            address(gradients),
            address(visible),
        )

    def loss(
        self, image: F32, target: F32, ssim_weight: float, d_image: F32, exposure: F32 | None = None
    ) -> NDArray[np.float64]:
        """Compare two pictures [H, W, 3] and write dLoss/d(image).

        The loss is (1 - `ssim_weight`) x mean absolute error + `ssim_weight` x (1 - mean SSIM).

        Args:
            exposure: None, or gain and bias [2, 3] per channel, applied to `image` before it is compared.

        Returns:
            [9]: mean absolute error, mean SSIM (0 if its weight is 0), mean squared error, then the gradient
            of `exposure`.
        """
        report = np.empty(9)
        height, width = image.shape[:2]
        self.kernels.raster_loss(
            self._handle,
            width,
            height,
            address(image),
            address(target),
            ssim_weight,
            address(exposure),
            address(d_image),
            address(report),
        )
        return report

    def adam(
        self,
        step: AdamStep,
        count: int,
        params: F32,
        raw: F32,
        gradients: F32,
        first: F32,
        second: F32,
        visible: NDArray[np.uint8],
    ) -> None:
        """Move the visible splats by one Adam step.

        Args:
            params: Activated rows, updated.
            raw: Log-scales and opacity logits [4, stride], updated.
            gradients: Of the activated rows.
            first: First moments, like `params`, updated.
            second: Second moments, like `params`, updated.
        """
        self.kernels.raster_adam(
            self._handle,
            ctypes.byref(step),
            count,
            params.shape[1],
            len(params),
            *(address(array) for array in (params, raw, gradients, first, second, visible)),
        )
