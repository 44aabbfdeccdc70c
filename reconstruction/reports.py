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


@dataclass(frozen=True, slots=True)
class WalkabilityReport:
    """Whether a person can walk in the scene; falls are counted before any rescue."""

    reachable_m2: float
    fall_count: int
    stuck_share: float  # of random walks that end within a step of where they began
    open_ray_share: float  # of rays inside the bounds that meet nothing
    verdict: Verdict
    reasons: tuple[str, ...]
