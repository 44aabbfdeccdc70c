"""How much is spent on a scene at each quality; the one table of budgets.

A draft must be published within 300 process-CPU-seconds of the prompt (150 s on two idle cores). Its
frames take up to 100, packing and reports about 40, so fitting may take 120.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconstruction.lifting import LiftSettings
from reconstruction.optimize import FitSettings

from .brief import Detail
from .request import SourceKind


@dataclass(frozen=True, slots=True)
class FittingPlan:
    """Settings of the two stages that make splats of frames."""

    lift: LiftSettings
    fit: FitSettings


_PLANS: dict[Detail, FittingPlan] = {
    "draft": FittingPlan(LiftSettings(splat_count=250_000), FitSettings(budget_cpu_s=110.0)),
    "standard": FittingPlan(LiftSettings(splat_count=500_000), FitSettings(budget_cpu_s=300.0)),
    "high": FittingPlan(LiftSettings(splat_count=1_000_000), FitSettings(budget_cpu_s=1_200.0, sh_degree=1)),
}


def plan_for(quality: Detail, source: SourceKind) -> FittingPlan:
    """Return the budgets of a quality. Photos also get a gain per picture: cameras choose their own."""
    plan = _PLANS[quality]
    if source == "prompt":
        return plan
    return replace(plan, fit=replace(plan.fit, exposure=True))
