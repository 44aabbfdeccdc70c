"""Dense depth of posed pictures from the pictures themselves, started at their sparse points.

Structure from motion leaves some hundred points per picture; fitting needs a surface everywhere. Every
training picture is matched against four neighbours by PatchMatch at 320 px, depths that no neighbour
confirms are dropped, and the gaps are filled from confirmed pixels that are near in place and colour.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .conventions import F32
from .errors import UnliftableInputError
from .frames import FrameSequence
from .photos import resized
from .posed_frames import PosedFrames

Progress = Callable[[float, str], None]
F64 = NDArray[np.float64]

WORK_PX = 320  # long edge; a splat of a draft scene covers about two of its pixels
SOURCES = 4
PASSES = 4
THREADS = 2
# Angle between two views of a point at which stereo is best: less is imprecise, more looks different.
_BEST_ANGLE_DEG, _NARROWER_DEG, _WIDER_DEG = 6.0, 3.0, 10.0
_RANGE_MARGIN = 1.5  # beyond the nearest and farthest sparse point
_AGREE = 0.03  # relative difference up to which a neighbour confirms a depth; twice the step of a pixel
_MAX_COST = 0.8  # 1 - correlation
_FILL_NEIGHBORS = 6
_FILL_COLOR_PX = 120.0  # a full step of grey counts as this many pixels of distance


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One training picture at working size."""

    image: NDArray[np.uint8]  # [h, w, 3]
    grey: F32  # [h, w] 0..1
    viewmat: F64  # [4, 4]
    K: F64  # [3, 3]


def with_depths(posed: PosedFrames, progress: Progress | None = None, *, seed: int = 0) -> FrameSequence:
    """Return the frames with depths for every pixel of every training frame; held-out frames get none.

    Confirmed depths are precise to about 3 %; the filled rest is a guess that fitting has to refine.
    Depths that the frames already have are returned as they are.

    Raises:
        UnliftableInputError: There are no sparse points, or fewer than three training frames.
    """
    frames = posed.frames
    if frames.depths is not None:
        return frames
    if len(frames.train) < 3 or len(posed.points) < 4:
        raise UnliftableInputError(
            f"depth needs 3 training frames and 4 points, got {len(frames.train)} and {len(posed.points)}",
            hint="Pass more pictures, or a folder with depths.",
        )
    views = _views(frames)
    seen = [_visible(view, posed.points) for view in views]
    neighbors = _choose_sources(views, seen, posed.points)
    done = 0

    def solve(index: int) -> tuple[F32, F32]:
        return _solve(views, neighbors[index], seen[index], index, seed)

    solved: list[tuple[F32, F32]] = []
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for result in pool.map(solve, range(len(views))):
                solved.append(result)
                done += 1
                if progress is not None:
                    progress(0.9 * done / len(views), "measuring depth")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    depths = np.zeros(frames.images.shape[:3], np.float32)
    height, width = depths.shape[1:]
    for slot, (index, frame) in enumerate(zip(range(len(views)), frames.train, strict=True)):
        confirmed = _confirm(views, solved, neighbors[index], index)
        filled = _fill(views[slot].image, confirmed, seen[slot])
        rows = np.arange(height) * filled.shape[0] // height
        columns = np.arange(width) * filled.shape[1] // width
        depths[frame] = filled[rows][:, columns]
    if progress is not None:
        progress(1.0, "measuring depth")
    return replace(frames, depths=depths)


def _views(frames: FrameSequence) -> list[_View]:
    assert frames.cameras is not None
    views = []
    for frame in frames.train:
        image = resized(frames.images[frame], WORK_PX)
        height, width = image.shape[:2]
        small: Cameras = frames.cameras.subset([frame]).resized(width, height)
        grey = (image @ np.array([0.299, 0.587, 0.114]) / 255).astype(np.float32)
        views.append(_View(image, grey, small.viewmats[0].astype(np.float64), small.Ks[0].astype(np.float64)))
    return views


def _visible(view: _View, points: F32) -> F64:
    """Return pixel column, row and depth of the points inside the picture, and their index [V, 4]."""
    x_cam = points @ view.viewmat[:3, :3].T + view.viewmat[:3, 3]
    ahead = np.flatnonzero(x_cam[:, 2] > 1e-6)
    pixels = x_cam[ahead] @ view.K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    height, width = view.grey.shape
    inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=1)
    kept = ahead[inside]
    return np.c_[pixels[inside], x_cam[kept, 2], kept]


def _choose_sources(views: list[_View], seen: list[F64], points: F32) -> list[list[int]]:
    """Return for each view the indices of its sources, best first."""
    centers = np.stack([-view.viewmat[:3, :3].T @ view.viewmat[:3, 3] for view in views])
    members = np.zeros((len(views), len(points)), bool)
    for slot, own in zip(members, seen, strict=True):
        slot[own[:, 3].astype(int)] = True
    chosen = []
    for a in range(len(views)):
        scores = np.full(len(views), -1.0)
        for b in range(len(views)):
            both = np.flatnonzero(members[a] & members[b])
            if b == a or not len(both):
                continue
            sample = points[both[:: max(1, len(both) // 200)]]
            to_a, to_b = sample - centers[a], sample - centers[b]
            cosine = (to_a * to_b).sum(1) / (np.linalg.norm(to_a, axis=1) * np.linalg.norm(to_b, axis=1))
            off = float(np.degrees(np.arccos(np.clip(np.median(cosine), -1, 1)))) - _BEST_ANGLE_DEG
            spread = _NARROWER_DEG if off < 0 else _WIDER_DEG
            scores[b] = len(both) * np.exp(-0.5 * (off / spread) ** 2)
        order = [int(b) for b in np.argsort(-scores)[:SOURCES] if scores[b] >= 0]
        if len(order) < 2:  # PatchMatch needs two; the nearest cameras are as good a guess as any
            order = [int(b) for b in np.argsort(np.linalg.norm(centers - centers[a], axis=1))[1:3]]
        chosen.append(order)
    return chosen


def _solve(views: list[_View], sources: list[int], own: F64, index: int, seed: int) -> tuple[F32, F32]:
    """Return depth [h, w] and cost [h, w] of one view."""
    from scipy.spatial import cKDTree

    from .patch_match import match

    view = views[index]
    height, width = view.grey.shape
    if len(own) < 4:
        return np.zeros((height, width), np.float32), np.full((height, width), 2.0, np.float32)
    inverse = 1 / own[:, 2]
    nearest = float(np.percentile(inverse, 99.5)) * _RANGE_MARGIN
    farthest = float(np.percentile(inverse, 0.5)) / _RANGE_MARGIN
    v, u = np.mgrid[0.5:height, 0.5:width]
    _, closest = cKDTree(own[:, :2]).query(np.stack([u, v], axis=-1), k=1)
    planes = np.zeros((height, width, 3), np.float32)
    planes[..., 2] = np.clip(inverse[closest], farthest, nearest)
    world_from_cam = np.linalg.inv(view.viewmat)
    projections = np.stack([views[s].K @ (views[s].viewmat @ world_from_cam)[:3] for s in sources])
    lens = np.array([view.K[0, 0], view.K[1, 1], view.K[0, 2], view.K[1, 2]], np.float32)
    costs = match(
        view.grey,
        np.stack([views[s].grey for s in sources]),
        projections.astype(np.float32),
        lens,
        np.float32(nearest),
        np.float32(farthest),
        planes,
        PASSES,
        seed + index,
    )
    rays = np.stack([(u - lens[2]) / lens[0], (v - lens[3]) / lens[1], np.ones_like(u)], axis=-1)
    return (1 / (planes * rays).sum(axis=-1)).astype(np.float32), costs


def _confirm(views: list[_View], solved: list[tuple[F32, F32]], sources: list[int], index: int) -> F32:
    """Return the depths [h, w] that match well and that a neighbour agrees with, 0 elsewhere."""
    view, (depth, cost) = views[index], solved[index]
    height, width = depth.shape
    v, u = np.mgrid[0.5:height, 0.5:width]
    rays = np.stack(
        [(u - view.K[0, 2]) / view.K[0, 0], (v - view.K[1, 2]) / view.K[1, 1], np.ones_like(u)], -1
    )
    x_cam = rays * depth[..., None]
    is_confirmed = np.zeros(depth.shape, bool)
    for s in sources:
        relative = views[s].viewmat @ np.linalg.inv(view.viewmat)
        there = x_cam @ relative[:3, :3].T + relative[:3, 3]
        z = np.maximum(there[..., 2], 1e-9)
        column = np.floor(there[..., 0] / z * views[s].K[0, 0] + views[s].K[0, 2]).astype(int)
        row = np.floor(there[..., 1] / z * views[s].K[1, 1] + views[s].K[1, 2]).astype(int)
        h, w = solved[s][0].shape
        inside = (there[..., 2] > 0) & (column >= 0) & (row >= 0) & (column < w) & (row < h)
        other = solved[s][0][np.clip(row, 0, h - 1), np.clip(column, 0, w - 1)]
        is_confirmed |= inside & (np.abs(other - z) < _AGREE * z)
    return np.where(is_confirmed & (cost < _MAX_COST), depth, 0).astype(np.float32)


def _fill(image: NDArray[np.uint8], depth: F32, own: F64) -> F32:
    """Return depth [h, w] without gaps, spread from known pixels near in place and colour."""
    from scipy.spatial import cKDTree

    known = depth > 0
    height, width = depth.shape
    v, u = np.mgrid[0.5:height, 0.5:width]
    grey = image.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255 * _FILL_COLOR_PX
    features = np.stack([u, v, grey], axis=-1)
    base, inverse = features[known], 1 / depth[known]
    if len(base) > 8000:  # the tree is asked for every gap; a sample is as good and five times faster
        base, inverse = base[:: len(base) // 8000 + 1], inverse[:: len(inverse) // 8000 + 1]
    if len(own) and len(base) < _FILL_NEIGHBORS:  # nothing was confirmed: the sparse points are all there is
        at = features[own[:, 1].astype(int), own[:, 0].astype(int)]
        base, inverse = np.r_[base, at], np.r_[inverse, 1 / own[:, 2]]
    if not len(base):
        return depth
    distances, closest = cKDTree(base).query(features[~known], k=min(_FILL_NEIGHBORS, len(base)))
    distances, closest = distances.reshape(len(distances), -1), closest.reshape(len(closest), -1)
    weights = 1 / (distances + 1.0)
    filled = depth.copy()
    filled[~known] = weights.sum(axis=1) / (weights * inverse[closest]).sum(axis=1)
    return filled
