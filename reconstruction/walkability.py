"""The written thresholds of a walkable scene, and the verdict in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from .reports import Verdict, WalkabilityReport

# A garden to stroll in and a small room; below a fifth of it one stands rather than walks.
REACHABLE_OUTDOORS_M2 = 25.0
REACHABLE_INDOORS_M2 = 8.0
USABLE_SHARE = 0.2
# One walker in a hundred caught in a corner is bad luck, one in twenty is a trap.
STUCK_SHARE, USABLE_STUCK_SHARE = 0.01, 0.05
# Rays through cracks; one in twenty is a gap that everybody sees.
OPEN_RAY_SHARE, USABLE_OPEN_RAY_SHARE = 0.01, 0.05
# Ground that no picture shows: a third is the shade under bushes, two thirds is invention.
ESTIMATED_SHARE, USABLE_ESTIMATED_SHARE = 0.35, 0.65
# A collider on which cameras would have been carried outside these heights has the wrong scale or ground.
CAMERA_HEIGHTS_M = (0.8, 2.6)
# Attics and halls; higher ones are cut off by the collider and count as not seen.
CEILING_HEIGHTS_M = (1.9, 5.0)
# Smaller shares, steps and holes are not worth a sentence.
_TOLD_SHARE, _TOLD_RISE_M, _TOLD_HOLE_M2 = 0.005, 0.05, 0.1


@dataclass(frozen=True, slots=True)
class WalkFigures:
    """What was measured on a finished collider."""

    reachable_m2: float
    walkers: int
    fall_count: int
    outside_count: int
    stuck_share: float
    largest_rise_m: float
    usual_rise_m: float
    open_ray_share: float
    boundary_ray_share: float  # of rays that end on the invisible wall
    estimated_share: float  # of reached ground that no picture shows
    hole_count: int
    hole_m2: float
    camera_height_m: float  # median height of the cameras over the ground
    ceiling_height_m: float  # median height of the ceiling over the ground; 0 if there is none


def judge(figures: WalkFigures, *, is_indoor: bool) -> WalkabilityReport:
    """Return the verdict on a scene's walkability.

    Good passes every threshold. Usable has room to move, nobody falls and the other shares stay within
    their second threshold. Anything else is poor.
    """
    needed = REACHABLE_INDOORS_M2 if is_indoor else REACHABLE_OUTDOORS_M2
    place = "indoors" if is_indoor else "outdoors"
    area, faults, grave = figures.reachable_m2, [], False
    if area < needed:
        faults.append(f"{area:.1f} m2 can be reached on foot, {needed:g} m2 are wanted {place}")
        grave |= area < needed * USABLE_SHARE
    if figures.fall_count:
        grave = True
        faults.append(f"{figures.fall_count} of {figures.walkers} walkers fell through the ground")
    if figures.outside_count:
        grave = True
        faults.append(f"{figures.outside_count} of {figures.walkers} walkers got out of the known world")
    for share, good, usable, what in (
        (figures.stuck_share, STUCK_SHARE, USABLE_STUCK_SHARE, "of the walkers got stuck"),
        (figures.open_ray_share, OPEN_RAY_SHARE, USABLE_OPEN_RAY_SHARE, "of the rays met nothing"),
        (
            figures.estimated_share,
            ESTIMATED_SHARE,
            USABLE_ESTIMATED_SHARE,
            "of the ground in reach was never seen and is estimated",
        ),
    ):
        if share > good:
            faults.append(f"{share:.1%} {what}, {good:.0%} are tolerated")
            grave |= share > usable
    for found_m, (low, high), what in (
        (figures.camera_height_m, CAMERA_HEIGHTS_M, "the cameras are"),
        (figures.ceiling_height_m or CEILING_HEIGHTS_M[0], CEILING_HEIGHTS_M, "the ceiling is"),
    ):
        if not low <= found_m <= high:
            faults.append(
                f"{what} {found_m:.1f} m above the ground, {low:g} to {high:g} m are plausible: the scale or"
                " the ground may be wrong"
            )
    verdict: Verdict = "poor" if grave else "usable" if faults else "good"
    praise = f"{area:.0f} m2 can be reached on foot and none of {figures.walkers} walkers fell or got out"
    return WalkabilityReport(
        verdict=verdict,
        reasons=(*(faults or [praise]), *_facts(figures)),
        **asdict(figures),
    )


def _facts(figures: WalkFigures) -> list[str]:
    """Return sentences on what is neither good nor bad."""
    told = []
    if figures.boundary_ray_share > _TOLD_SHARE:
        told.append(
            "an invisible wall stands at the edge of what was generated;"
            f" {figures.boundary_ray_share:.0%} of the rays end on it"
        )
    if figures.hole_m2 >= _TOLD_HOLE_M2:
        holes = "1 hole" if figures.hole_count == 1 else f"{figures.hole_count} holes"
        told.append(f"{holes} in the ground that the pictures show, {figures.hole_m2:.1f} m2, were closed")
    if figures.largest_rise_m >= _TOLD_RISE_M:
        told.append(
            f"the highest step that walkers took is {figures.largest_rise_m:.2f} m; 19 of 20 strides climb"
            f" less than {max(figures.usual_rise_m, 0.01):.2f} m"
        )
    return told
