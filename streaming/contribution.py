"""How much each splat is seen: what it adds to pictures, and what they lose without it.

Exact and deterministic: the CPU rasteriser's own blending weights, summed in a fixed order. About twice the
cost of drawing the views.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reconstruction.cameras import Cameras
from reconstruction.kernels.binding import SplatRaster, planar
from reconstruction.splats import SplatCloud


def contributions(cloud: SplatCloud, views: Cameras) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return sums [N] and sums of squares [N] of each splat's blending weight over all pixels of all views.

    The weight is alpha times the transmittance before it, 0..1. The sum is the gradient of a picture's
    brightness with respect to the splat's colour; the sum of squares, that of the squared error of a picture
    whose splat has a colour wrong by 1. Both 0: no view shows it.

    Raises:
        MissingBackendError: The rasteriser is not compiled and there is no compiler.
    """
    weights, squares, _ = _totals(cloud, views)
    return weights.astype(np.float32), squares.astype(np.float32)


def removal_costs(
    cloud: SplatCloud, views: Cameras, *, background: Sequence[float] = (0.0, 0.0, 0.0)
) -> NDArray[np.float64]:
    """Return per splat [N] the squared error, summed over pixels and channels, of views without it alone.

    A splat in front of its own colour costs nothing; many of those together do. So remove in rounds.

    Raises:
        MissingBackendError: The rasteriser is not compiled and there is no compiler.
    """
    return _totals(cloud, views, background)[2]


def _totals(
    cloud: SplatCloud, views: Cameras, background: Sequence[float] = (0.0, 0.0, 0.0)
) -> NDArray[np.float64]:
    raster, rows = SplatRaster(), planar(cloud)
    totals = np.zeros((3, len(cloud)))
    picture = np.empty((views.height, views.width, 3), np.float32)
    for viewmat, K in zip(views.viewmats, views.Ks, strict=True):
        raster.look(viewmat, K, views.width, views.height, background=background)
        raster.forward(rows, len(cloud), picture)
        raster.add_shares(totals)
    return totals
