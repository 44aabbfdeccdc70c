"""The C++ rasteriser on NumPy arrays; what it is given is checked here, before the kernels run."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..checks import check_array
from ..conventions import F32
from ..errors import InvalidArrayError
from ..splats import SplatCloud
from .library import GEOMETRY_ROWS, AdamStep, View, load_kernels

_LANES = 16  # rows are padded to the widest vector
_MOST_SPLATS = 2**31 - 1  # indices are 32-bit
_TOO_MANY_PAIRS, _OUT_OF_MEMORY = -1, -2  # as in splat_raster.cpp
MOST_PIXELS_A_SIDE = 16_384
ROW_MEANS, ROW_SCALES, ROW_QUATS, ROW_OPACITY, ROW_SH = 0, 3, 6, 10, GEOMETRY_ROWS


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


def _require(name: str, array: NDArray, shape: Sequence[int], dtype: DTypeLike = np.float32) -> None:
    """Refuse what the kernels would misread. Values are not looked at: the callers' doors do that."""
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
        check_array(name, array, shape=shape, dtype=dtype, finite=False)
    if not array.flags.c_contiguous:
        raise InvalidArrayError(name, "must be contiguous in memory, got a view with gaps or another order")


class SplatRaster:
    """A drawing context: its threads, and what the backward pass needs of the last picture.

    Not for use from two threads at once. `params` are rows as made by `planar`, and finite. Every method
    raises `InvalidArrayError` before the kernels run if an array has another shape, type or layout than it
    says, and `MemoryError` if memory runs out.
    """

    def __init__(
        self, threads: int | None = None, level: str | None = None, *, most_pairs: int = 2**28
    ) -> None:
        """Start the threads.

        Args:
            threads: At least 1; None for `thread_count()`.
            level: Of `build.levels()`; None for the best one.
            most_pairs: A picture with more (splat, tile) pairs is refused, before it takes all memory: about
                32 bytes each, and 40 more for gradients. At most 2^31 - 1.
        """
        self.kernels = load_kernels(level)
        self.threads = thread_count() if threads is None else threads
        self._most_pairs = min(most_pairs, 2**31 - 1)
        self._handle = self.kernels.raster_create(self.threads, self._most_pairs)
        self._view = View()
        self._count: int | None = None  # of the last picture
        self._drew_depth = False

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
        """Set the camera of the pictures that follow; see `conventions` for the frames.

        Args:
            viewmat: [4, 4] world -> camera.
            K: [3, 3] pixels.
            width: 1 to `MOST_PIXELS_A_SIDE`, as `height`.
            background: RGB behind the splats.

        Raises:
            InvalidArrayError: One of these is not as described, or not finite.
        """
        if not (1 <= width <= MOST_PIXELS_A_SIDE and 1 <= height <= MOST_PIXELS_A_SIDE):
            rule = f"must be 1 to {MOST_PIXELS_A_SIDE} pixels a side, got {width}x{height}"
            raise InvalidArrayError("picture size", rule)
        check_array("viewmat", viewmat, shape=(4, 4), dtype=viewmat.dtype)
        check_array("K", K, shape=(3, 3), dtype=K.dtype)
        if not (K[0, 0] > 0 and K[1, 1] > 0):
            raise InvalidArrayError("K", f"must hold positive focal lengths, got {K[0, 0]}, {K[1, 1]}")
        if len(background) != 3 or not np.isfinite(background).all():
            raise InvalidArrayError("background", f"must be three finite numbers, got {tuple(background)!r}")
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
        picture = self._view.height, self._view.width
        self._check_rows(params, count)
        _require("image", image, (*picture, 3))
        for name, array in (("alpha", alpha), ("depth", depth), ("median", median)):
            if array is not None:
                _require(name, array, picture)
        self._count = None
        self._view.sh_bases = (len(params) - ROW_SH) // 3
        drawn = self.kernels.raster_forward(
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
        self._raise(drawn)
        self._count, self._drew_depth = count, depth is not None or median is not None
        return drawn

    def _check_rows(self, params: F32, count: int) -> None:
        bases = (len(params) - ROW_SH) // 3
        if bases not in (1, 4, 9, 16):
            raise InvalidArrayError("params", f"must have 14, 23, 38 or 59 rows, got {len(params)}")
        if not 0 <= count <= _MOST_SPLATS:
            raise InvalidArrayError("count", f"must be 0 to {_MOST_SPLATS}, got {count}")
        stride = params.shape[-1]
        if stride % _LANES or stride < padded(count):
            rule = f"must have rows of {padded(count)} or a larger multiple of {_LANES}, got {stride}"
            raise InvalidArrayError("params", rule)
        _require("params", params, (ROW_SH + 3 * bases, stride))

    def _raise(self, result: int) -> None:
        if result == _TOO_MANY_PAIRS:
            rule = f"must cover at most {self._most_pairs} (splat, tile) pairs of a picture; these cover more"
            raise InvalidArrayError("splats", rule)
        if result == _OUT_OF_MEMORY:
            raise MemoryError(f"no memory for a picture of {self._view.width}x{self._view.height}")

    @property
    def pairs(self) -> int:
        """How many (splat, tile) pairs the last picture had."""
        return self.kernels.raster_pairs(self._handle)

    def drawn(self) -> NDArray[np.bool_]:
        """Return which splats [N] of the last picture were in view."""
        flags = np.empty(self._count or 0, np.uint8)
        self.kernels.raster_drawn(self._handle, address(flags))
        return flags.astype(bool)

    def add_shares(self, totals: NDArray[np.float64]) -> None:
        """Add to `totals` [3, N] how much each splat of the last picture is of it, over its pixels.

        Rows: the blending weight w = alpha x transmittance; w^2; and |w (colour - what lies behind)|^2, the
        squared change of the picture if this splat alone were taken away. About the cost of `forward`.
        """
        if self._count is None:
            raise ValueError("shares are of a picture, and none was drawn")
        _require("totals", totals, (3, self._count), np.float64)
        self._raise(self.kernels.raster_shares(self._handle, address(totals)))

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
        if (d_alpha is None) != (d_depth is None) or (d_depth is not None and not self._drew_depth):
            raise ValueError("d_alpha and d_depth go together, after a picture with depth")
        picture = self._view.height, self._view.width
        self._check_rows(params, count)
        _require("d_image", d_image, (*picture, 3))
        _require("gradients", gradients, params.shape)
        if d_alpha is not None and d_depth is not None:
            _require("d_alpha", d_alpha, picture)
            _require("d_depth", d_depth, picture)
        if visible is None:
            visible = np.empty(count, np.uint8)
        self._check_flags(visible, count)
        failure = self.kernels.raster_backward(
            self._handle,
            address(params),
            address(d_image),
            address(d_alpha),
            address(d_depth),
            address(gradients),
            address(visible),
        )
        self._raise(failure)

    def _check_flags(self, visible: NDArray[np.uint8], count: int) -> None:
        if len(visible) < count:
            raise InvalidArrayError("visible", f"must have at least {count} entries, got {len(visible)}")
        _require("visible", visible, (len(visible),), np.uint8)

    def loss(
        self,
        image: F32,
        target: F32,
        ssim_weight: float,
        d_image: F32,
        exposure: F32 | None = None,
        trust: F32 | None = None,
    ) -> NDArray[np.float64]:
        """Compare two pictures [H, W, 3] and write dLoss/d(image).

        The loss is the mean of trust x ((1 - `ssim_weight`) x absolute error + `ssim_weight` x (1 - SSIM)).

        Args:
            exposure: None, or gain and bias [2, 3] per channel, applied to `image` before it is compared.
            trust: None, or how much each pixel counts [H, W], 0..1.

        Returns:
            [9]: means of trust x absolute error, trust x SSIM (0 if its weight is 0) and trust x squared
            error, then the gradient of `exposure`.
        """
        report = np.empty(9)
        height, width = image.shape[:2]
        if not (0 < height <= MOST_PIXELS_A_SIDE and 0 < width <= MOST_PIXELS_A_SIDE):
            rule = f"must be 1 to {MOST_PIXELS_A_SIDE} pixels a side, got {width}x{height}"
            raise InvalidArrayError("image", rule)
        for name, array in (("image", image), ("target", target), ("d_image", d_image)):
            _require(name, array, (height, width, 3))
        if exposure is not None:
            _require("exposure", exposure, (2, 3))
        if trust is not None:
            _require("trust", trust, (height, width))
        failure = self.kernels.raster_loss(
            self._handle,
            width,
            height,
            address(image),
            address(target),
            ssim_weight,
            address(exposure),
            address(trust),
            address(d_image),
            address(report),
        )
        self._raise(failure)
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
        self._check_rows(params, count)
        _require("raw", raw, (4, params.shape[1]))
        for name, array in (("gradients", gradients), ("first", first), ("second", second)):
            _require(name, array, params.shape)
        self._check_flags(visible, count)
        self.kernels.raster_adam(
            self._handle,
            ctypes.byref(step),
            count,
            params.shape[1],
            len(params),
            *(address(array) for array in (params, raw, gradients, first, second, visible)),
        )
