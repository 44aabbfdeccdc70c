"""Which parts of the training pictures disagree with the rest: walkers, things that melt, flicker, cuts.

A fit that is under way is the opinion of all pictures together. Where a picture differs from it by more than
its own texture explains, and the pictures that see the same place do not, it shows something that the others
do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .cameras import Cameras
from .conventions import F32

Mask = NDArray[np.bool_]

_WORK_PX = 160  # long edge at which pictures are compared; finer detail is fitted last and says nothing yet
_NOISE = 0.03  # difference of colour, 0..1, that counts as one unit in a picture without texture
_WITNESSES = 12  # pictures, spread evenly, that are asked about a place; most of those that see it decide
_LEAST_OVERLAP = 0.1  # of the picture that a witness must see
_LEAST_WITNESSES = 2  # that a place must have: what hardly another picture shows, this one must teach
_SAME_DEPTH = 0.1  # relative difference up to which two pictures are held to see one place
# In robust standard deviations above the median of all pictures. Measured on clean sets and painted ones.
_SURE, _LIKELY = 10.0, 5.0
_LEAST_EXCESS = 0.8  # units; on a scene that is fitted perfectly any deviation would be large
_LEAST_SHARE = 0.0008  # of the picture: smaller regions are not told from single bad splats
_GROWN_PX = 1  # margin around a region, at working size: the blur of the comparison
# What a doubted region counts. A near thing that few pictures show looks like a walker; with a little weight
# it is learned after all, as nothing contradicts it, and a walker still is not. Measured against 0: +0.03 dB.
_DOUBTED = 0.1
_WHOLE_SHARE = 0.5  # a picture that disagrees in more than this is left out
_TOLD_SHARE = 0.02  # of a picture: less is not worth a sentence, nor what it costs if the doubt is wrong
_SIDE_ENDS = (0.25, 0.42, 0.58, 0.75)  # shares of the width
_SIDES = ("at the left", "left of the middle", "in the middle", "right of the middle", "at the right")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of one frame that disagrees, in pixels of the frame."""

    frame: int
    left: int
    top: int
    right: int  # exclusive, as `bottom`
    bottom: int
    share: float  # of the picture, 0..1


@dataclass(frozen=True, slots=True)
class ConsistencyReport:
    """What disagrees with the rest and was hardly learned from."""

    frame_count: int
    width: int  # of the frames, pixels
    height: int
    shares: tuple[float, ...]  # of each frame's picture, 0..1; 0 for held-out frames, which are not looked at
    regions: tuple[Region, ...]  # of frames that are not dropped
    dropped: tuple[int, ...]  # frames that disagree as a whole
    masked_share: float  # mean of `shares` over the training frames

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a user is told, one sentence for each run of frames; frames are counted from 1."""
        told = [f"{_named(run)}: nothing agrees with the rest, left out" for run in _runs(self.dropped)]
        shares = enumerate(self.shares)
        marked = [i for i, share in shares if share >= _TOLD_SHARE and i not in self.dropped]
        for run in _runs(marked):
            share = float(np.mean([self.shares[i] for i in run]))
            place = self._place([region for region in self.regions if region.frame in run])
            told.append(f"{_named(run)}: {share:.0%} of the picture disagrees with the other frames, {place}")
        return tuple(told)

    def _place(self, regions: list[Region]) -> str:
        """Return where the regions are in the picture, on average."""
        shares = [region.share for region in regions]
        x = np.average([(region.left + region.right) / 2 / self.width for region in regions], weights=shares)
        y = np.average([(region.top + region.bottom) / 2 / self.height for region in regions], weights=shares)
        across = _SIDES[int(np.searchsorted(_SIDE_ENDS, x))]
        return across + (", near the top" if y < 0.25 else ", near the bottom" if y > 0.75 else "")


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A training picture beside what the fit draws in its place, both with the exposure of the picture."""

    frame: int
    truth: F32  # [H, W, 3] in 0..1
    drawn: F32  # [H, W, 3]
    depth: F32  # [H, W] metres, 0 where nothing is drawn


def find_disagreement(views: Sequence[View], cameras: Cameras) -> tuple[ConsistencyReport, F32]:
    """Compare pictures with a fit of all of them.

    Args:
        views: Of the training frames, all of one size; it may be smaller than that of `cameras`.
        cameras: Of all frames.

    Returns:
        The report, and weights [F, H, W] of the size of `cameras`: 1 where a picture agrees, `_DOUBTED` where
        it does not, 0 in all of a picture that is left out.
    """
    frame_count = len(cameras)
    looks = [_Look(view, cameras) for view in views]
    excess = np.stack([_contradicted(look, looks) for look in looks])
    middle, spread = _middle_and_spread(excess)
    weights = np.ones((frame_count, cameras.height, cameras.width), np.float32)
    shares, regions, dropped = np.zeros(frame_count), [], []
    for look, values in zip(looks, excess, strict=True):
        likely = (values > middle + _LIKELY * spread).sum() / max(1, np.isfinite(values).sum())
        if likely > _WHOLE_SHARE:
            dropped.append(look.frame)
            shares[look.frame], weights[look.frame] = 1.0, 0.0
            continue
        # A picture whose camera is a little off is unlike everywhere; of it only what stands out is doubted.
        own_middle, own_spread = _middle_and_spread(values)
        mask = _mask((values - max(middle, own_middle)) / max(spread, own_spread))
        if mask.mean() < _TOLD_SHARE:
            continue
        regions += _regions(look.frame, mask, cameras)
        shares[look.frame] = float(mask.mean())
        weights[look.frame][_enlarged(mask, cameras)] = _DOUBTED
    report = ConsistencyReport(
        frame_count=frame_count,
        width=cameras.width,
        height=cameras.height,
        shares=tuple(shares.tolist()),
        regions=tuple(regions),
        dropped=tuple(dropped),
        masked_share=float(np.mean([shares[look.frame] for look in looks])),
    )
    return report, weights


class _Look:
    """A view at working size: how unlike the fit it is, and where its pixels are in the world."""

    def __init__(self, view: View, cameras: Cameras) -> None:
        height, width = view.depth.shape
        factor = max(1, round(max(height, width) / _WORK_PX))
        self.frame = view.frame
        truth = _block_means(view.truth, factor)
        error = ndimage.gaussian_filter(_block_means(view.drawn, factor) - truth, (1, 1, 0), mode="nearest")
        texture = ndimage.gaussian_gradient_magnitude(truth.mean(-1), 1.0, mode="nearest")
        self.allowed = _NOISE + ndimage.gaussian_filter(texture, 1.0, mode="nearest")
        self.depth = view.depth[factor // 2 :: factor, factor // 2 :: factor][: len(truth), : truth.shape[1]]
        # Where the fit shows nothing it has no opinion.
        self.error = np.where(self.depth[..., None] > 0, error, 0)
        self.unlike = np.abs(self.error).mean(-1) / self.allowed
        self._told = np.concatenate([self.error, self.unlike[..., None]], -1).astype(np.float32)
        h, w = self.depth.shape
        scale = np.array([w / cameras.width, h / cameras.height, 1], np.float32)[:, None]
        self.K = cameras.Ks[view.frame] * scale
        self.viewmat = cameras.viewmats[view.frame]
        v, u = np.mgrid[:h, :w].astype(np.float32) + np.float32(0.5)
        z = self.depth
        x_cam = np.stack(
            [(u - self.K[0, 2]) / self.K[0, 0] * z, (v - self.K[1, 2]) / self.K[1, 1] * z, z], -1
        )
        self.x_world = (x_cam - self.viewmat[:3, 3]) @ self.viewmat[:3, :3]

    def at(self, x_world: F32) -> F32:
        """Return `error` and `unlike` [h, w, 4] where this picture sees the places [h, w, 3], else NaN."""
        x_cam = x_world @ self.viewmat[:3, :3].T + self.viewmat[:3, 3]
        z = np.maximum(x_cam[..., 2], np.float32(1e-6))
        u = np.floor(x_cam[..., 0] / z * self.K[0, 0] + self.K[0, 2])
        v = np.floor(x_cam[..., 1] / z * self.K[1, 1] + self.K[1, 2])
        h, w = self.depth.shape
        inside = (x_cam[..., 2] > 1e-6) & (u >= 0) & (u < w) & (v >= 0) & (v < h)
        rows, columns = np.where(inside, v, 0).astype(int), np.where(inside, u, 0).astype(int)
        inside &= np.abs(self.depth[rows, columns] - z) < _SAME_DEPTH * z
        return np.where(inside[..., None], self._told[rows, columns], np.float32(np.nan))


def _middle_and_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median of the finite values and their robust standard deviation."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, _LEAST_EXCESS / _SURE
    middle = float(np.median(known))
    return middle, max(1.4826 * float(np.median(np.abs(known - middle))), _LEAST_EXCESS / _SURE)


def _contradicted(look: _Look, looks: list[_Look]) -> NDArray[np.float64]:
    """Return by how much more a picture [h, w] is unlike the fit than the pictures that see the same places.

    What no picture is like is hard to fit, and no picture's fault. Where the others differ from the fit in
    the same direction it is the fit that is wrong. Minus infinity where too few others see the place.
    """
    sample = look.x_world[2::5, 2::5]
    others = [other for other in looks if other is not look]
    overlapping = [other for other in others if np.isfinite(other.at(sample)[..., 0]).mean() > _LEAST_OVERLAP]
    places = np.linspace(0, len(overlapping) - 1, min(len(overlapping), _WITNESSES)).round().astype(int)
    if len(places) < _LEAST_WITNESSES:
        return np.full(look.depth.shape, -np.inf)
    seen = np.stack([overlapping[place].at(look.x_world) for place in places], -1)
    count = np.isfinite(seen[..., 0, :]).sum(-1)
    # Sorting puts NaN last, so the median of those that see is at half their number.
    middle = (np.maximum(count - 1, 0) // 2)[..., None, None]
    median = np.take_along_axis(np.sort(seen, -1), middle, -1)[..., 0]
    alone = np.abs(look.error - median[..., :3]).mean(-1) / look.allowed
    return np.where(count >= _LEAST_WITNESSES, np.minimum(look.unlike - median[..., 3], alone), -np.inf)


def _mask(deviation: NDArray[np.float64]) -> Mask:
    """Return the regions [h, w] that are likely and hold something sure, with a margin."""
    # Lines come from edges that are a pixel off, not from things.
    likely, count = ndimage.label(ndimage.binary_opening(deviation > _LIKELY, np.ones((3, 3))))
    if count == 0:
        return np.zeros(deviation.shape, bool)
    numbers = np.arange(1, count + 1)
    sizes = ndimage.sum_labels(np.ones(deviation.shape), likely, numbers)
    peaks = ndimage.maximum(deviation, likely, numbers)
    kept = numbers[(peaks > _SURE) & (sizes >= _LEAST_SHARE * deviation.size)]
    mask = np.isin(likely, kept)
    if not mask.any():
        return mask
    return ndimage.binary_dilation(ndimage.binary_fill_holes(mask), iterations=_GROWN_PX)


def _regions(frame: int, mask: Mask, cameras: Cameras) -> list[Region]:
    labels, _ = ndimage.label(mask)
    across, down = cameras.width / mask.shape[1], cameras.height / mask.shape[0]
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        found.append(
            Region(
                frame=frame,
                left=round(columns.start * across),
                top=round(rows.start * down),
                right=round(columns.stop * across),
                bottom=round(rows.stop * down),
                share=float((labels == number).mean()),
            )
        )
    return found


def _enlarged(mask: Mask, cameras: Cameras) -> Mask:
    rows = np.arange(cameras.height) * mask.shape[0] // cameras.height
    columns = np.arange(cameras.width) * mask.shape[1] // cameras.width
    return mask[rows][:, columns]


def _block_means(picture: F32, factor: int) -> F32:
    height, width = (size // factor for size in picture.shape[:2])
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, -1)
    return blocks.mean((1, 3), dtype=np.float32)


def _runs(frames: Sequence[int]) -> list[list[int]]:
    """Return the runs of frames; a gap of one, such as a held-out frame, does not break a run."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame - runs[-1][-1] <= 2:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def _named(run: list[int]) -> str:
    return f"frame {run[0] + 1}" if len(run) == 1 else f"frames {run[0] + 1} to {run[-1] + 1}"
