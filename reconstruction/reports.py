"""What a scene is told about itself: plain figures and a verdict in words, from written thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "usable", "poor"]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """How well the splats show views that they never saw."""

    psnr_db: float  # mean over held-out frames
    ssim: float  # mean over held-out frames
    held_out_frames: int
    train_psnr_db: float
    coverage: float  # share of held-out pixels with alpha >= 0.5
    splat_count: int
    verdict: Verdict
    reasons: tuple[str, ...]  # one sentence each; never empty
    # Scenes made before these were measured lack them.
    held_out_distance_m: float = 0.0  # median way from a held-out camera to the nearest training camera
    held_out_turn_deg: float = 0.0  # median turn from a held-out view to the most alike training view


@dataclass(frozen=True, slots=True)
class WalkabilityReport:
    """Whether a person can walk in the scene; falls are counted before any rescue."""

    reachable_m2: float
    fall_count: int  # of walkers: nothing below them, or below the floor
    stuck_share: float  # of random walks that end within a step of where they began
    open_ray_share: float  # of rays inside the bounds that meet nothing
    verdict: Verdict
    reasons: tuple[str, ...]
    # Scenes made before these were measured lack them.
    walkers: int = 0
    outside_count: int = 0  # of walkers that got beyond the edge of the walkable region
    largest_rise_m: float = 0.0  # of one stride of 0.2 m
    usual_rise_m: float = 0.0  # 95 of 100 strides climb no higher
    hole_count: int = 0  # in the ground that the pictures show, within reach; the collider closes them
    hole_m2: float = 0.0
    estimated_share: float = 0.0  # of the ground in reach that lies away from all that the pictures show
    boundary_ray_share: float = 0.0  # of rays that end on the edge of what was generated
    camera_height_m: float = 0.0  # median over the ground
    ceiling_height_m: float = 0.0  # median over the feet; 0 outdoors, and where no ceiling was seen
