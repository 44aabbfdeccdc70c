"""What is known of a lens before its pictures are solved, and whether a solved lens can be believed.

Reprojection error does not tell: with little parallax every focal length explains the pictures, and the
solver runs away to the one that explains their noise, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A phone's lens and most generated clips: focal length about as long as the picture is wide. Refining the
# focal length of a clip with little parallax runs away (0 to 15 % registered instead of 100 %).
CLIP_FOCAL_OVER_EDGE = 1.0
# COLMAP's own first guess for photos.
PHOTO_FOCAL_OVER_EDGE = 1.2
# EXIF rounds to whole millimetres, and focusing near lengthens the focal length by some 5 %. The camera of
# the kermit photos recorded 6 % less than its published calibration.
RECORDED_TOLERANCE = 0.15
# Without a record: from the widest lens without fish-eye (13 mm of 36) to a portrait lens (108 mm).
_PLAUSIBLE_OVER_EDGE = (0.36, 3.0)


@dataclass(frozen=True, slots=True)
class LensPrior:
    """A focal length in pixels of the long edge's direction, and how far from it a solved one may lie."""

    focal_px: float
    low_px: float
    high_px: float
    is_recorded: bool  # by the camera, or told by the user; otherwise it is what most cameras have

    def complaint(self, focal_px: float, width_px: int) -> str | None:
        """Return why a solved focal length cannot be believed, or None."""
        if self.low_px <= focal_px <= self.high_px:
            return None
        found = f"the lens came out to see {view_deg(focal_px, width_px):.0f} degrees across"
        if self.is_recorded:
            return (
                f"{found}, but its camera recorded {view_deg(self.focal_px, width_px):.0f}; "
                f"{RECORDED_TOLERANCE:.0%} of the focal length are allowed"
            )
        widest, narrowest = view_deg(self.low_px, width_px), view_deg(self.high_px, width_px)
        return f"{found}, {narrowest:.0f} to {widest:.0f} are plausible"


def lens_prior(width: int, height: int, *, is_video: bool, focal_px: float | None) -> LensPrior:
    """Return what to expect of pictures of this size; `focal_px` is recorded or told, None if unknown."""
    edge = max(width, height)
    if focal_px is not None:
        allowed = 1 + RECORDED_TOLERANCE
        return LensPrior(focal_px, focal_px / allowed, focal_px * allowed, is_recorded=True)
    low, high = _PLAUSIBLE_OVER_EDGE
    over_edge = CLIP_FOCAL_OVER_EDGE if is_video else PHOTO_FOCAL_OVER_EDGE
    return LensPrior(over_edge * edge, low * edge, high * edge, is_recorded=False)


def view_deg(focal_px: float, width_px: int) -> float:
    """Return the angle that a pinhole camera sees across."""
    return 2 * float(np.degrees(np.arctan(width_px / 2 / focal_px)))
