"""How much is spent on a scene at each quality; the one table of budgets.

A draft must be published within 300 process-CPU-seconds of the prompt (150 s on two idle cores). Its
frames take up to 100, packing and reports about 40, so fitting may take 120.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconstruction.cleanup import CleanupSettings
from reconstruction.lifting import LiftSettings
from reconstruction.optimize import FitSettings

from .brief import Detail
from .generation.backend import DEFAULT_BACKEND
from .request import CreateRequest


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


def plan_for(request: CreateRequest) -> FittingPlan:
    """Return the settings of a request.

    Footage, a video model's too, also gets a gain per picture, as cameras choose their own, and what moves
    in it is not learned.
    """
    plan = _PLANS[request.quality]
    is_footage = request.kind != "prompt" or request.backend != DEFAULT_BACKEND
    lift = plan.lift
    fit = replace(plan.fit, exposure=is_footage, consistency=is_footage, cleanup=CleanupSettings())
    if request.budget_s is not None:
        fit = replace(fit, budget_cpu_s=request.budget_s)
    if request.enough_db is not None:
        fit = replace(fit, enough_db=request.enough_db)
    if request.splats is not None:
        lift = replace(lift, splat_count=request.splats)
    return FittingPlan(lift, fit)
