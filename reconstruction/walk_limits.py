"""Where a walker may be, judged without the collider: what the walker stands on decides nothing here."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import ndimage

from .conventions import F32
from .ground import Ground, Mask

# Simplified ground leaves the height field by 1.5 cm, and by more across the lip of a step.
_SUNK_M = 0.15
# The boundary's corners are rounded, so it may leave the region's cells by about one.
_ROUNDED_CELLS = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class WalkLimits:
    """The ground and where on it a body's middle may be; `around` makes them."""

    ground: Ground
    allowed: Mask  # [Z, X]

    @classmethod
    def around(cls, ground: Ground, region: Mask) -> WalkLimits:
        """Return the limits of a region [Z, X] with an invisible wall around it."""
        if not region.any():
            return cls(ground, region)
        return cls(ground, ndimage.distance_transform_edt(~region) <= _ROUNDED_CELLS)

    def is_below(self, feet: F32) -> Mask:
        """Return which feet [P, 3] are under the ground."""
        return feet[:, 1] < self.ground.height_at(feet[:, 0], feet[:, 2]) - _SUNK_M

    def is_outside(self, feet: F32) -> Mask:
        """Return which bodies with feet at [P, 3] have their middle beyond the region's edge."""
        rows, columns = self.ground.shape
        row = (feet[:, 2] - self.ground.origin[1]) / self.ground.cell_m
        column = (feet[:, 0] - self.ground.origin[0]) / self.ground.cell_m
        off_grid = (row < -0.5) | (row > rows - 0.5) | (column < -0.5) | (column > columns - 0.5)
        return off_grid | ~self.allowed[self.ground.cells(feet[:, 0], feet[:, 2])]
