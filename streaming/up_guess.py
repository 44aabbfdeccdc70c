"""Which way is up, guessed from the splats alone: few formats say it, and their tools disagree."""

from __future__ import annotations

from typing import Literal

import numpy as np

from reconstruction.conventions import rotmats_from_quats
from reconstruction.splats import SplatCloud

Up = Literal["+X", "-X", "+Y", "-Y", "+Z", "-Z", "unclear"]

_AXES = "XYZ"
_FLAT_COS = 0.8  # a disc this near to level counts as ground
_END = 0.2  # of the extent
# Shares of the surface. A robot on a disc of ground has 0.57, a forest under a sky 0.53, a statue -0.05.
_LEAST_GROUND = 0.3
_MOST_AREA = 2.0  # medians: a sky is few huge splats, and no ground
_MOST_SPLATS = 200_000


def guess_up(cloud: SplatCloud) -> Up:
    """Return the axis that points up in `cloud`, or "unclear".

    It is where a ground is: level surface near one end of an axis and not near the other. Rooms with floor
    and ceiling, and most single objects, stay unclear.
    """
    cloud = cloud.subset(slice(None, None, -(-len(cloud) // _MOST_SPLATS)))
    low, high = np.percentile(cloud.means, [1, 99], axis=0)
    heights = (cloud.means - low) / np.maximum(high - low, 1e-9)
    sizes = np.sort(cloud.scales.astype(np.float64), axis=1)
    areas = sizes[:, 1] * sizes[:, 2]
    weights = np.minimum(areas, _MOST_AREA * np.median(areas)) * cloud.opacities
    weights = weights / max(weights.sum(), 1e-30)
    thinnest = cloud.scales.argmin(axis=1)
    normals = rotmats_from_quats(cloud.quats.astype(np.float64))[np.arange(len(cloud)), :, thinnest]
    ground = (np.abs(normals) > _FLAT_COS) * weights[:, None]
    evidence = (ground * (heights < _END)).sum(axis=0) - (ground * (heights > 1 - _END)).sum(axis=0)
    axis = int(np.abs(evidence).argmax())
    if abs(evidence[axis]) < _LEAST_GROUND:
        return "unclear"
    return ("+" if evidence[axis] > 0 else "-") + _AXES[axis]  # type: ignore[return-value]
