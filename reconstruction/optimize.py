"""Fit splats to the training frames of a sequence.

Held-out frames are never looked at: neither their pixels nor their depths reach any number in here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .checks import check_array
from .cleanup import CleanupReport, CleanupSettings, judge
from .consistency import ConsistencyReport, View, find_disagreement
from .conventions import F32
from .density import dead, morton_order, seeds
from .errors import InvalidArrayError, UnliftableInputError
from .exposure import Exposures
from .frames import FrameSequence
from .kernels.binding import ROW_MEANS, ROW_OPACITY, ROW_QUATS, ROW_SCALES, ROW_SH
from .rasterizers.backend import load_rasterizer, resolve_rasterizer
from .rasterizers.fused_step import FusedStep, StepWeights
from .schedule import Rates, shrink_factor
from .spherical_harmonics import SH_C0
from .splats import SplatCloud

_log = logging.getLogger(__name__)

_GROWTH_BEGIN, _GROWTH_END = 0.15, 0.75
_FRAMES_PER_GROWTH = 12
_SEED_OPACITY = 0.3
_SPARSE_LIMIT = 100_000
# Pictures are compared once the fit knows what most of them agree on, before it has grown much where they do
# not, and again when it knows it in detail.
_COMPARE_AT = (0.2, 0.45)
# Of what was spent when the pictures are good enough, one in so many parts settles the rates.
_SETTLE_PART = 7
_CLEAN_AT = 0.8  # after growth; what stays then fills the gaps
_FINE_STEPS = 50  # at full resolution before a running mean of them is believed


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How long and towards what to fit."""

    # CPU-seconds of this process, all threads together. With gsplat, where they say nothing, clock seconds.
    budget_cpu_s: float = 120.0
    iterations: int | None = None  # if given, the budget instead; then a seed decides the result exactly
    # Held to be reached when the last training pictures are drawn so well; a seventh of the time spent until
    # then settles the rates, and the rest of the budget is kept. None: all of the budget.
    enough_db: float | None = None
    seed: int = 0
    max_splats: int | None = None  # splats grow up to this number; None: see `_most_splats`
    growth_rounds: int = 8  # between 15 % and 75 % of the budget; each also takes away faint splats
    sh_degree: int = 0  # view dependence costs memory and bytes; 0 suits matte scenes
    rates: Rates = field(default_factory=Rates)
    coarse_share: float = 0.1  # of the budget at half resolution; 0 switches that off
    ssim_weight: float = 0.05  # more blurs less, and costs PSNR
    opacity_weight: float = 0.0
    scale_weight: float = 0.0
    depth_weight: float = 0.01  # where frames have depths; views off the path gain 0.3 to 0.6 dB
    antialias: bool = True  # see `draw`
    exposure: bool = False  # fit gain and offset per photo, for cameras that choose their own
    consistency: bool = False  # find what disagrees between pictures and hardly learn it; see `consistency`
    cleanup: CleanupSettings | None = None  # take away what spoils views beside the path, after growth
    threads: int | None = None  # None: all cores of this process

    def __post_init__(self) -> None:
        if self.iterations is None and not self.budget_cpu_s > 0:
            raise InvalidArrayError("budget_cpu_s", f"must be positive, got {self.budget_cpu_s}")
        if self.iterations is not None and self.iterations < 1:
            raise InvalidArrayError("iterations", f"must be positive, got {self.iterations}")
        if self.enough_db is not None and not 1 <= self.enough_db <= 100:
            raise InvalidArrayError("enough_db", f"must be 1 to 100 dB, got {self.enough_db}")
        if self.max_splats is not None and self.max_splats < 1:
            raise InvalidArrayError("max_splats", f"must be positive, got {self.max_splats}")
        if self.sh_degree not in (0, 1, 2, 3):
            raise InvalidArrayError("sh_degree", f"must be 0 to 3, got {self.sh_degree}")


@dataclass(frozen=True, slots=True)
class FitProgress:
    """Where a fit stands."""

    fraction: float  # of the budget, 0..1
    iteration: int
    splat_count: int
    psnr_db: float  # running mean over the training pictures just fitted
    cpu_seconds: float  # spent, in the unit of the budget
    snapshot: Callable[[], SplatCloud]  # the splats as they are now; what that takes is not of the budget


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """A fitted cloud and what it took."""

    cloud: SplatCloud
    iterations: int
    cpu_seconds: float  # spent, in the unit of the budget
    train_psnr_db: float  # running mean at the end
    rasterizer: str
    # Gain and bias [F, 2, 3] of each frame, of held-out ones a guess from the others; None: not fitted.
    exposures: F32 | None = None
    consistency: ConsistencyReport | None = None  # None: it was not looked for
    cleanup: CleanupReport | None = None  # None: it was not asked for
    before_cleanup: SplatCloud | None = None  # as it was then


def fit(
    frames: FrameSequence,
    initial: SplatCloud,
    settings: FitSettings | None = None,
    progress: Callable[[FitProgress], None] | None = None,
    rasterizer: str = "auto",
    weights: F32 | None = None,
) -> FitResult:
    """Return `initial` after fitting it to `frames.train`.

    Args:
        frames: Pictures with cameras; `held_out` frames are not used.
        initial: First splats, e.g. from `lifting`; sky is ordinary far splats.
        settings: Budget and weights.
        progress: Called about once a second; an exception from it stops the fit and reaches the caller.
        rasterizer: ``auto``, or a name from `rasterizers.backend`.
        weights: [F, H, W] how much each pixel counts, 0..1; a training frame of zeros is not used. None: all
            count alike.

    Raises:
        UnliftableInputError: No cameras, no training frame that counts, or no splat.
        InvalidArrayError: `weights` have another shape or range.
        InvalidInputError: There is no such rasteriser.
        MissingBackendError: The rasteriser cannot be used here.
    """
    settings = settings or FitSettings()
    if frames.cameras is None:
        raise UnliftableInputError("frames must have cameras to be fitted")
    if not frames.train:
        raise UnliftableInputError("frames must leave at least one for training, all are held out")
    if len(initial) == 0:
        raise UnliftableInputError("the first cloud must hold at least one splat")
    if weights is not None:
        check_array("weights", weights, shape=frames.images.shape[:3], dtype=np.float32)
        if weights.min() < 0 or weights.max() > 1:
            found = f"{weights.min()}..{weights.max()}"
            raise InvalidArrayError("weights", f"must be in 0..1, got {found}")
        if not weights[list(frames.train)].any():
            raise UnliftableInputError("weights must leave at least one training frame, all of it is 0")
    name = resolve_rasterizer(rasterizer)
    initial = initial.subset(morton_order(initial.means))
    stepper = _stepper(name, frames, initial, settings)
    return _Fit(frames, stepper, settings, progress, name, weights).run()


class _Stepper(Protocol):
    """What a fit needs of a way to step; `FusedStep` says what each does."""

    def __len__(self) -> int: ...
    def replace(self, columns: F32, source: NDArray[np.int64]) -> None: ...
    def columns(self) -> F32: ...
    def draw(
        self, viewmat: F32, K: F32, width: int, height: int, antialias: bool
    ) -> tuple[F32, F32, F32]: ...
    def step(
        self,
        viewmat: F32,
        K: F32,
        target: Any,  # like `depth` an F32, or what `keep` made of it where a stepper has that
        weights: StepWeights,
        rates: Rates,
        exposure: F32 | None,
        depth: Any,
        trust: F32 | None,
    ) -> NDArray[np.float64]: ...
    def cloud(self) -> SplatCloud: ...


def _stepper(name: str, frames: FrameSequence, initial: SplatCloud, settings: FitSettings) -> _Stepper:
    assert frames.cameras is not None
    reach = np.linalg.norm(initial.means - frames.cameras.positions.mean(0), axis=1)
    bases = (settings.sh_degree + 1) ** 2
    scale_max = 0.2 * float(reach.max()) + 0.1
    if name == "cpu":
        return FusedStep(initial, bases, scale_max, settings.threads)
    # Late: torch takes seconds to load, and the kernels do not need it.
    if name == "gsplat":
        from .rasterizers.cuda_step import CudaStep, gsplat_operations

        return CudaStep(gsplat_operations(), "cuda", initial, bases, scale_max)
    from .rasterizers.autograd_step import AutogradStep

    return AutogradStep(load_rasterizer(name), "cpu", initial, bases, scale_max)


def _most_splats(frames: FrameSequence, first_count: int) -> int:
    """Return a limit for growth: without depths a start is sparse and may grow to one splat for 16 pixels.

    With depths the caller chose the number when lifting.
    """
    if frames.depths is not None:
        return first_count
    height, width = frames.images.shape[1:3]
    return max(first_count, min(_SPARSE_LIMIT, len(frames.train) * height * width // 16))


def _shrunk(picture: NDArray[Any], factor: int) -> F32:
    """Return the means of the blocks of `factor` x `factor` pixels of [H, W, C]."""
    height, width = (size // factor for size in picture.shape[:2])
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, -1)
    return blocks.mean((1, 3), dtype=np.float32)


class _Fit:
    def __init__(
        self,
        frames: FrameSequence,
        stepper: _Stepper,
        settings: FitSettings,
        progress: Callable[[FitProgress], None] | None,
        name: str,
        weights: F32 | None,
    ) -> None:
        assert frames.cameras is not None
        self.frames, self.cameras, self.stepper, self.settings = frames, frames.cameras, stepper, settings
        self.progress, self.name = progress, name
        self.rng = np.random.default_rng(settings.seed)
        self.iteration, self.fine_steps, self.squared_error = 0, 0, 0.0
        self.enough_at: float | None = None  # share of the budget that was spent then
        self.coarse: dict[int, F32] = {}
        self.given_weights = weights
        self.trust_in(weights)
        self.consistency: ConsistencyReport | None = None
        self.cleanup: CleanupReport | None = None
        self.before_cleanup: SplatCloud | None = None
        self.exposures = Exposures(frames.train) if settings.exposure else None
        self.first_count = len(stepper)
        self.most = settings.max_splats or _most_splats(frames, len(stepper))
        self.clock = time.monotonic if name == "gsplat" else time.process_time
        self.kept: dict[tuple[str, int, int], Any] = {}  # what stands on the stepper's device
        self.begin = self.clock()

    def trust_in(self, weights: F32 | None) -> None:
        """Count each pixel by `weights` [F, H, W] from now on; a frame of zeros is left out."""
        self.weights = weights
        self.used = [i for i in self.frames.train if weights is None or weights[i].any()]

    @property
    def cpu_seconds(self) -> float:
        return self.clock() - self.begin

    @property
    def fraction(self) -> float:
        if self.settings.iterations is not None:
            spent = self.iteration / self.settings.iterations
        else:
            spent = self.cpu_seconds / self.settings.budget_cpu_s
        if self.enough_at is None:
            return spent
        return max(spent, self.enough_at + (1 - self.enough_at) * (spent / self.enough_at - 1) * _SETTLE_PART)

    def is_enough(self) -> bool:
        """Return whether the pictures that were just fitted, at full resolution, are as good as asked for."""
        wanted = self.settings.enough_db
        return wanted is not None and self.fine_steps >= _FINE_STEPS and self._psnr_db() >= wanted

    def run(self) -> FitResult:
        settings = self.settings
        weights = StepWeights(
            settings.ssim_weight,
            settings.opacity_weight,
            settings.scale_weight,
            settings.antialias,
            settings.depth_weight,
        )
        order: list[int] = []
        last_report = 0.0
        rounds = list(np.linspace(_GROWTH_BEGIN, _GROWTH_END, settings.growth_rounds))
        compare = list(_COMPARE_AT) if settings.consistency or settings.exposure else []
        while (fraction := self.fraction) < 1.0:
            if compare and fraction >= compare[0]:
                compare.pop(0)
                self._compare()
                order = [index for index in order if index in self.used]
            if fraction >= _CLEAN_AT:
                self._clean()
            if not order:
                order = [self.used[i] for i in self.rng.permutation(len(self.used))]
            if rounds and fraction >= rounds[0]:
                rounds.pop(0)
                self._grow(1 - len(rounds) / settings.growth_rounds)
            index = order.pop()
            factor = shrink_factor(fraction, self.iteration, len(self.used), settings.coarse_share)
            target, trust = self._kept("target", index, factor), self._trust(index, factor)
            height, width = target.shape[:2]
            scale = np.array([width / self.cameras.width, height / self.cameras.height, 1], np.float32)
            report = self.stepper.step(
                self.cameras.viewmats[index],
                self.cameras.Ks[index] * scale[:, None],
                target,
                weights,
                settings.rates.at(fraction),
                self.exposures[index] if self.exposures else None,
                self._kept("depth", index, factor),
                trust,
            )
            if self.exposures:
                self.exposures.move(index, report[3:], fraction)
            self.iteration += 1
            share = max(0.02, 1 / self.iteration)
            squared_error = report[2] if trust is None else report[2] / max(float(trust.mean()), 1e-6)
            self.squared_error += share * (squared_error - self.squared_error)
            self.fine_steps += factor == 1
            if self.enough_at is None and self.is_enough():
                self.enough_at = fraction
                rounds.clear()
            now = time.monotonic()
            if self.progress and now - last_report > 1.0:
                last_report = now
                asked = self.clock()
                self.progress(self._progress())
                self.begin += self.clock() - asked
        self._clean()
        if self.progress:
            self.progress(self._progress())
        return FitResult(
            self.stepper.cloud(),
            self.iteration,
            self.cpu_seconds,
            self._psnr_db(),
            self.name,
            self._all_exposures(),
            self.consistency,
            self.cleanup,
            self.before_cleanup,
        )

    def _all_exposures(self) -> F32 | None:
        if not self.exposures:
            return None
        return self.exposures.of_all(len(self.frames), is_clip=self.frames.provenance.source == "clip")

    def _compare(self) -> None:
        """Draw all training pictures, at half resolution, for their exposures and for what disagrees."""
        views = []
        given = self.given_weights
        for index in self.frames.train:
            if given is not None and not given[index].any():
                continue
            truth = self._target(index, 2)
            height, width = truth.shape[:2]
            scale = np.array([width / self.cameras.width, height / self.cameras.height, 1], np.float32)
            drawn, _, depth = self.stepper.draw(
                self.cameras.viewmats[index],
                self.cameras.Ks[index] * scale[:, None],
                width,
                height,
                self.settings.antialias,
            )
            if self.exposures:
                self.exposures.solve(index, drawn, truth)
                drawn = drawn * self.exposures[index][0] + self.exposures[index][1]
            views.append(View(index, truth, drawn, depth))
        if self.exposures:
            self.exposures.center()
        if not self.settings.consistency:
            return
        self.consistency, found = find_disagreement(views, self.cameras)
        if (found < 1).any() or self.weights is not given:
            self.trust_in(found if given is None else found * given)

    def _clean(self) -> None:
        """Take away what spoils views beside the path, if that was asked for and is not yet done."""
        if self.settings.cleanup is None or self.cleanup is not None:
            return
        self.before_cleanup = self.stepper.cloud()
        settings = replace(self.settings.cleanup, antialias=self.settings.antialias)
        kept, scales, self.cleanup = judge(self.before_cleanup, self.frames, settings)
        if not len(kept):
            raise UnliftableInputError("no splat is left that the pictures show, their cameras may be wrong")
        columns = self.stepper.columns()
        columns[:, ROW_SCALES:ROW_QUATS] = scales
        self.stepper.replace(np.ascontiguousarray(columns[kept]), kept)

    def _grow(self, progress: float) -> None:
        """Take faint splats away and put new ones where some training pictures are most wrong."""
        columns = self.stepper.columns()
        kept = np.flatnonzero(~dead(columns[:, ROW_OPACITY]))
        wanted = round(self.first_count + (self.most - self.first_count) * progress) - len(kept)
        new = self._seeds(wanted, columns.shape[1]) if wanted > 0 else columns[:0]
        source = np.concatenate([kept, np.full(len(new), -1)])
        columns = np.concatenate([columns[kept], new])
        order = morton_order(columns[:, :3])
        self.stepper.replace(np.ascontiguousarray(columns[order]), source[order])
        _log.debug("kept %d splats, added %d", len(kept), len(new))

    def _seeds(self, count: int, width: int) -> F32:
        looked_at = self.rng.permutation(len(self.used))[:_FRAMES_PER_GROWTH]
        parts = []
        for place in looked_at:
            index = self.used[place]
            viewmat, K = self.cameras.viewmats[index], self.cameras.Ks[index]
            image, _, depth = self.stepper.draw(
                viewmat, K, self.cameras.width, self.cameras.height, self.settings.antialias
            )
            if self.exposures:
                image = image * self.exposures[index][0] + self.exposures[index][1]
            share = -(-count // len(looked_at))
            points, colors, sizes = seeds(
                image, depth, self._target(index, 1), viewmat, K, share, self.rng, self._trust(index, 1)
            )
            part = np.zeros((len(points), width), np.float32)
            part[:, ROW_MEANS:ROW_SCALES], part[:, ROW_SCALES:ROW_QUATS] = points, sizes[:, None]
            part[:, ROW_QUATS], part[:, ROW_OPACITY] = 1, _SEED_OPACITY
            part[:, ROW_SH : ROW_SH + 3] = (colors - 0.5) / SH_C0
            parts.append(part)
        return np.concatenate(parts)[:count]

    def _target(self, index: int, factor: int) -> F32:
        picture = self.frames.images[index]
        if factor == 1:
            return np.multiply(picture, np.float32(1 / 255), dtype=np.float32)
        if index not in self.coarse:
            self.coarse[index] = _shrunk(picture, factor) / 255
        return self.coarse[index]

    def _trust(self, index: int, factor: int) -> F32 | None:
        if self.weights is None:
            return None
        plane = self.weights[index]
        return np.ascontiguousarray(plane) if factor == 1 else _shrunk(plane[..., None], factor)[..., 0]

    def _kept(self, what: str, index: int, factor: int) -> Any:
        """Return a target or depths as the stepper takes them: on its device, if it has one of its own."""
        make = self._target if what == "target" else self._depth
        keep = getattr(self.stepper, "keep", None)
        if keep is None:
            return make(index, factor)
        if (what, index, factor) not in self.kept:
            plane = make(index, factor)
            self.kept[what, index, factor] = None if plane is None else keep(plane)
        return self.kept[what, index, factor]

    def _depth(self, index: int, factor: int) -> F32 | None:
        if self.frames.depths is None or self.settings.depth_weight == 0:
            return None
        height, width = (size // factor for size in self.frames.depths.shape[1:])
        # The pixel in the middle of each block: a mean across an edge is no depth at all.
        offset = factor // 2
        return np.ascontiguousarray(
            self.frames.depths[index, offset::factor, offset::factor][:height, :width]
        )

    def _psnr_db(self) -> float:
        return float(-10 * np.log10(max(self.squared_error, 1e-10)))

    def _progress(self) -> FitProgress:
        return FitProgress(
            min(1.0, self.fraction),
            self.iteration,
            len(self.stepper),
            self._psnr_db(),
            self.cpu_seconds,
            self.stepper.cloud,
        )
