"""How rates and resolution change over a fit. `fraction` is the share of the budget that is spent, 0..1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates of one step, in the optimiser's unconstrained values.

    The defaults suit hundreds to a few thousand steps; those of 3DGS are tuned for 30,000.
    """

    means: float = 0.05  # shares of the splat's own size, so near and far scenes need no tuning
    log_scales: float = 0.05
    quats: float = 0.0025
    opacity_logits: float = 0.05
    sh: float = 0.00625
    sh_rest: float = 0.0003

    def at(self, fraction: float) -> Rates:
        """Return the rates at a point of the fit: means settle first, the rest in the last half."""
        settle = 0.02**fraction
        late = 0.1 ** max(0.0, 2.0 * fraction - 1.0)
        return Rates(
            self.means * settle,
            self.log_scales * late,
            self.quats * late,
            self.opacity_logits * late,
            self.sh * late,
            self.sh_rest * late,
        )


def shrink_factor(fraction: float, step: int, frame_count: int, coarse_share: float) -> int:
    """Return by how much pictures are shrunk: 2 in a first stage, then 1.

    The first stage ends after `coarse_share` of the budget or eight rounds over the frames, whichever is
    sooner: by then everything that half the resolution can tell has been told.
    """
    return 2 if fraction < coarse_share and step < 8 * frame_count else 1
