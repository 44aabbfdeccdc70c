"""How well splats show views that they never saw, in figures and in words.

Decibels mean nothing without the picture: foliage at 22 dB looks as good as a plain room at 28. So the
truth itself is blurred, and its score is the yardstick: a scene is *good* when its held-out views are as
near to the truth as the truth seen through a slight blur, and *poor* when a heavy blur would be nearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .cameras import Cameras
from .checks import check_array
from .cleanup import CleanupReport
from .conventions import F32
from .errors import InvalidArrayError
from .frames import FrameSequence
from .metrics import psnr, ssim
from .rasterizers.draw import Picture, draw_each
from .reports import QualityReport, Verdict
from .splats import SplatCloud

# Blurs as shares of the picture's width: 3 and 10 pixels at 480. Measured at 480x270, slight and heavy:
# meadow with pines 21.3 and 19.4 dB, furnished room 24.3 and 20.1 dB. Wrong poses stay below the heavy one.
_SLIGHT_BLUR, _HEAVY_BLUR = 0.006, 0.02
# Whatever the picture: above, differences are hard to see; below, the views contradict each other.
_GOOD_PSNR_DB, _POOR_PSNR_DB = 30.0, 15.0
# Training views are always shown better; 2 to 3 dB on well-covered scenes. More means that the splats
# memorize pictures instead of a place: too few views, or poses that contradict each other.
_GAP_DB, _POOR_GAP_DB = 4.5, 9.0
# Pixels that show the background through the scene.
_COVERAGE, _POOR_COVERAGE = 0.97, 0.80
# A held-out view that is nearer to a training view than this stands beside it: share of the way that the
# cameras cover, and degrees. Footage holds out every n-th frame, so all of its views do.
_BESIDE_SHARE, _BESIDE_DEG = 0.05, 10.0
# Training views that are measured for the gap; evenly spread.
_TRAIN_VIEWS = 6


@dataclass(frozen=True, slots=True)
class QualityFigures:
    """What was measured, with the yardsticks of the same pictures."""

    psnr_db: float
    ssim: float
    train_psnr_db: float
    coverage: float
    slight_blur_db: float  # PSNR of the slightly blurred truth
    heavy_blur_db: float


def assess(
    cloud: SplatCloud,
    frames: FrameSequence,
    *,
    background: Sequence[float] = (0.0, 0.0, 0.0),
    exposures: F32 | None = None,
    notes: Sequence[str] = (),
) -> QualityReport:
    """Measure a cloud against the frames that it was not fitted to.

    Args:
        cloud: Fitted splats.
        frames: With cameras and at least one held-out frame.
        background: RGB 0..1 behind the splats, as in fitting.
        exposures: Gain and bias [F, 2, 3] of the frames, as `optimize.fit` returns them; held-out pixels must
            have had no part in them. None: pictures are compared as they are drawn.
        notes: Sentences that the report should end with, such as that of `cleanup_effect`.

    Raises:
        InvalidArrayError: `frames` have no cameras or hold nothing out, or `exposures` have another shape.
        MissingBackendError: The kernels are not compiled and there is no compiler.
    """
    cameras = _check(frames)
    if exposures is not None:
        check_array("exposures", exposures, shape=(len(frames), 2, 3), dtype=np.float32)
    hidden = list(frames.held_out)
    scores: list[tuple[float, ...]] = []
    views = draw_each(cloud, cameras.subset(hidden), background=background)
    for index, view in zip(hidden, views, strict=True):
        truth, render = _unit(frames.images[index]), _shown(view, exposures, index)
        slight, heavy = (psnr(_blurred(truth, share), truth) for share in (_SLIGHT_BLUR, _HEAVY_BLUR))
        covered = float((view.alpha >= 0.5).mean())
        scores.append((psnr(render, truth), ssim(render, truth), covered, slight, heavy))
    psnr_db, similarity, coverage, slight_db, heavy_db = np.mean(scores, axis=0).tolist()
    figures = QualityFigures(
        psnr_db=psnr_db,
        ssim=similarity,
        train_psnr_db=_train_psnr(cloud, frames, cameras, background, exposures),
        coverage=coverage,
        slight_blur_db=slight_db,
        heavy_blur_db=heavy_db,
    )
    verdict, reasons = judge(figures)
    apart = nearest_known_views(frames)
    return QualityReport(
        psnr_db=figures.psnr_db,
        ssim=figures.ssim,
        held_out_frames=len(hidden),
        train_psnr_db=figures.train_psnr_db,
        coverage=figures.coverage,
        splat_count=len(cloud),
        verdict=verdict,
        reasons=(*reasons, apart.sentence, *notes),
        held_out_distance_m=float(np.median(apart.distances_m)),
        held_out_turn_deg=float(np.median(apart.turns_deg)),
    )


def judge(figures: QualityFigures) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict and its reasons, one sentence each, from the written thresholds."""
    found = figures.psnr_db
    good_db = min(figures.slight_blur_db, _GOOD_PSNR_DB)
    poor_db = max(min(figures.heavy_blur_db, good_db), _POOR_PSNR_DB)
    faults, grave = [], False
    if found < poor_db:
        grave = True
        faults.append(f"unknown views reach {found:.1f} dB, worse than a heavy blur ({poor_db:.1f} dB)")
    elif found < good_db:
        faults.append(f"unknown views reach {found:.1f} dB, softer than a slight blur ({good_db:.1f} dB)")
    gap = figures.train_psnr_db - found
    if gap > _GAP_DB:
        grave |= gap > _POOR_GAP_DB
        faults.append(
            f"known views are shown {gap:.1f} dB better than unknown ones: too few views, or poses that"
            " contradict each other"
        )
    if figures.coverage < _COVERAGE:
        grave |= figures.coverage < _POOR_COVERAGE
        faults.append(f"{1 - figures.coverage:.0%} of the unknown views is empty")
    if not faults:
        return "good", (f"unknown views reach {found:.1f} dB, nearer to the truth than a slight blur of it",)
    return ("poor" if grave else "usable"), tuple(faults)


@dataclass(frozen=True, slots=True, eq=False)
class NearestViews:
    """How far each held-out view is from the training view that is most like it."""

    distances_m: F32  # [V]
    turns_deg: F32  # [V] between the lines of sight
    is_beside: NDArray[np.bool_]  # [V] so near that their pictures are almost the same

    @property
    def sentence(self) -> str:
        """The medians in words, and what they mean for the score."""
        count = len(self.is_beside)
        metres, degrees = float(np.median(self.distances_m)), float(np.median(self.turns_deg))
        way = f"{metres:.2f} m and {degrees:.0f} degrees"
        if 2 * self.is_beside.sum() < count:
            return f"unknown views are {way} from the most alike known ones (median)"
        return (
            f"{self.is_beside.sum()} of {count} unknown views stand beside known ones ({way}, median):"
            " their score flatters, views farther off will look worse"
        )


def nearest_known_views(frames: FrameSequence) -> NearestViews:
    """Find for each held-out view the training view that is nearest in place and direction together.

    A quarter turn counts as much as the whole way that the cameras cover.

    Raises:
        InvalidArrayError: `frames` have no cameras, or hold nothing or everything out.
    """
    cameras = _check(frames)
    if not frames.train:
        raise InvalidArrayError("frames", "must not all be held out")
    hidden, train = cameras.subset(list(frames.held_out)), cameras.subset(list(frames.train))
    metres = np.linalg.norm(hidden.positions[:, None] - train.positions, axis=2)
    degrees = np.degrees(np.arccos(np.clip(hidden.forwards @ train.forwards.T, -1, 1)))
    cover_m = max(float(np.linalg.norm(np.ptp(train.positions, axis=0))), 1e-6)
    best = (metres / cover_m + degrees / 90).argmin(axis=1)
    each = np.arange(len(best))
    distances, turns = metres[each, best], degrees[each, best]
    return NearestViews(distances, turns, (distances < _BESIDE_SHARE * cover_m) & (turns < _BESIDE_DEG))


def cleanup_effect(
    before: SplatCloud,
    after: SplatCloud,
    frames: FrameSequence,
    report: CleanupReport,
    exposures: F32 | None = None,
) -> str:
    """Measure a clean-up on the held-out views and return one sentence on it; `exposures` as in `assess`.

    `after` may have been fitted on, as `optimize.fit` does.

    Raises:
        InvalidArrayError: `frames` have no cameras or hold nothing out.
    """
    hidden = list(frames.held_out)
    cameras = _check(frames).subset(hidden)
    scores = []
    for cloud in (before, after):
        pairs = zip(hidden, draw_each(cloud, cameras), strict=True)
        found = [
            (psnr(_shown(view, exposures, i), _unit(frames.images[i])), (view.alpha >= 0.5).mean())
            for i, view in pairs
        ]
        scores.append(np.mean(found, axis=0))
    (db, coverage), (db_after, coverage_after) = scores
    return (
        f"{report.sentence}: unknown views {db:.2f} to {db_after:.2f} dB,"
        f" coverage {coverage:.1%} to {coverage_after:.1%}"
    )


def held_out_pairs(
    cloud: SplatCloud,
    frames: FrameSequence,
    *,
    background: Sequence[float] = (0.0, 0.0, 0.0),
    exposures: F32 | None = None,
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield each held-out frame's index and a picture [H, 2 W, 3] sRGB: truth left, render right.

    Raises:
        InvalidArrayError: `frames` have no cameras or hold nothing out.
    """
    hidden = list(frames.held_out)
    views = draw_each(cloud, _check(frames).subset(hidden), background=background)
    for index, view in zip(hidden, views, strict=True):
        render = np.rint(_shown(view, exposures, index) * 255).astype(np.uint8)
        yield index, np.concatenate([frames.images[index], render], axis=1)


def _train_psnr(
    cloud: SplatCloud,
    frames: FrameSequence,
    cameras: Cameras,
    background: Sequence[float],
    exposures: F32 | None,
) -> float:
    """Return the mean PSNR of a few training views; that of held-out views says nothing without it."""
    train = np.asarray(frames.train, np.int64)
    if not len(train):
        raise InvalidArrayError("frames", "must not all be held out")
    chosen = train[np.linspace(0, len(train) - 1, min(_TRAIN_VIEWS, len(train))).round().astype(int)]
    views = draw_each(cloud, cameras.subset(chosen.tolist()), background=background)
    pairs = zip(chosen, views, strict=True)
    scores = [psnr(_shown(view, exposures, index), _unit(frames.images[index])) for index, view in pairs]
    return float(np.mean(scores))


def _check(frames: FrameSequence) -> Cameras:
    if frames.cameras is None:
        raise InvalidArrayError("frames", "must have cameras, got none")
    if not frames.held_out:
        raise InvalidArrayError("held_out", "must name at least one frame: nothing else measures quality")
    return frames.cameras


def _unit(image: NDArray[np.uint8]) -> F32:
    return image.astype(np.float32) / np.float32(255)


def _shown(view: Picture, exposures: F32 | None, frame: int) -> F32:
    """Return what a screen shows of a drawn picture, or a camera with the exposure of a frame."""
    image = view.image if exposures is None else view.image * exposures[frame, 0] + exposures[frame, 1]
    return np.clip(image, 0.0, 1.0)


def _blurred(picture: F32, share: float) -> F32:
    sigma = share * picture.shape[1]
    return ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest")
