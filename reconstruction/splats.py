"""The Gaussians that travel between stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .checks import check_array
from .conventions import F32
from .errors import InvalidArrayError


@dataclass(frozen=True, slots=True, eq=False)
class SplatCloud:
    """N Gaussians in the world frame (see `conventions`), with activated values.

    Activated means ready to draw: `scales` are metres, not logarithms, and `opacities` are
    probabilities, not logits. The optimizer owns the unconstrained forms (`log_scales`,
    `opacity_logits`); they never leave `reconstruction.optimize`.
    """

    means: F32  # [N, 3] metres
    quats: F32  # [N, 4] wxyz, unit length, local -> world
    scales: F32  # [N, 3] standard deviations, metres, > 0
    opacities: F32  # [N] in (0, 1)
    sh: F32  # [N, K, 3] RGB coefficients, display-referred sRGB, K = (degree + 1) ** 2, degree 0 first

    def __post_init__(self) -> None:
        count = check_array("means", self.means, shape=("N", 3), dtype=np.float32)["N"]
        check_array("quats", self.quats, shape=(count, 4), dtype=np.float32)
        check_array("scales", self.scales, shape=(count, 3), dtype=np.float32)
        check_array("opacities", self.opacities, shape=(count,), dtype=np.float32)
        bases = check_array("sh", self.sh, shape=(count, "K", 3), dtype=np.float32)["K"]
        if bases not in (1, 4, 9, 16):
            raise InvalidArrayError("sh", f"must hold 1, 4, 9 or 16 coefficients, got {bases}")

    def __len__(self) -> int:
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        """0 to 3."""
        return int(np.sqrt(self.sh.shape[1])) - 1

    def subset(self, index: NDArray) -> SplatCloud:
        """Return the splats chosen by an index or mask array."""
        return SplatCloud(
            self.means[index], self.quats[index], self.scales[index], self.opacities[index], self.sh[index]
        )
