"""Pictures become posed frames by a model of poses and depths; the gates for parallax stay in force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..conventions import F32
from ..errors import UnliftableInputError
from ..frames import FrameSequence
from ..gates import complaints, measure, refusal
from ..placement import place
from ..posed_frames import PosedFrames, PoseReport, choose_held_out
from .consistency import confirmed, observe
from .metric_depth import LEAST_CONFIDENCE
from .sources import PoseSource, Progress


def pose_frames(frames: FrameSequence, source: PoseSource, progress: Progress | None = None) -> PosedFrames:
    """Return all frames with cameras, depths and some points in the world frame.

    Depths that the model doubts or that neighbours contradict are 0. A point counts as seen by a frame whose
    own depth agrees, and the figures of these sightings go through the gates of structure from motion: a
    model gives poses to pictures without parallax, too. Up and, unless the model is metric, size are guessed
    as `placement` says. Every eighth frame is held out.

    Raises:
        UnliftableInputError: Too little parallax, or depths that contradict each other; says which.
        ModelFailedError: The model's answer cannot be used.
    """
    found = source(frames.images, progress)
    height, width = found.depths.shape[1:]
    small = found.cameras.resized(width, height)
    depths = np.where(found.confidence >= LEAST_CONFIDENCE, found.depths, 0).astype(np.float32)
    depths[~confirmed(depths, small)] = 0
    points, seen = observe(depths, small)
    if not len(points):
        raise UnliftableInputError(
            "these pictures cannot become a scene: the model trusts none of its depths",
            hint="Take more pictures, each overlapping the last by two thirds.",
        )
    figures = measure(small, points, seen, len(frames))
    broken = complaints(figures, len(frames))
    if broken:
        raise refusal(broken[0])
    placed = place(found.cameras, points, is_metric=found.is_metric, images=frames.images)
    known = float(np.count_nonzero(depths)) / depths.size
    posed = replace(
        frames,
        cameras=placed.cameras,
        depths=_nearest(depths * np.float32(placed.scale), *frames.images.shape[1:3]),
        held_out=choose_held_out(len(frames)),
        water_y=None,
    )
    notes = (
        f"cameras and depths are guessed by a model, {known:.0%} of the pixels have a depth",
        *placed.notes,
    )
    # Every point is seen by the frame that it comes from, so each has a first sighting.
    _, first = np.unique(seen.points, return_index=True)
    columns, rows = (seen.pixels[first] * (frames.images.shape[2] / width, frames.images.shape[1] / height)).T
    colors = frames.images[seen.frames[first], rows.astype(np.int64), columns.astype(np.int64)]
    report = PoseReport(
        found.model, len(frames), len(frames), figures, notes, placed.up_error_deg, placed.scale_error
    )
    return PosedFrames(posed, placed.points, colors, report)


def _nearest(depths: F32, height: int, width: int) -> F32:
    """Return depths [F, h, w] at another size; never a mixture of near and far."""
    rows: NDArray[np.int64] = ((np.arange(height) + 0.5) * depths.shape[1] / height).astype(np.int64)
    columns: NDArray[np.int64] = ((np.arange(width) + 0.5) * depths.shape[2] / width).astype(np.int64)
    return np.ascontiguousarray(depths[:, rows[:, None], columns])
