"""Depths from a learned source in a posed scene's unit, less what its points and neighbours contradict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..conventions import F32
from ..errors import UnliftableInputError
from ..posed_frames import PosedFrames
from .align import Alignment, align
from .consistency import confirmed, look
from .sources import DepthSource, Progress

# Beyond this many times the farthest point that was aligned to, inverse depth is extrapolated to nothing.
_FARTHEST = 2.0
# Below it a model's own word counts as no depth.
LEAST_CONFIDENCE = 0.1


def estimate_depths(
    posed: PosedFrames, source: DepthSource, progress: Progress | None = None
) -> tuple[F32, F32, tuple[str, ...]]:
    """Return depth and confidence of posed pictures from a model that looks at them one by one.

    A relative model is fitted to the sparse points of every picture by factor and offset of inverse depth;
    a metric one by a factor only, because the scene's own unit is a guess. A picture that cannot be fitted
    gets no depth and a note.

    Returns:
        Depths [F, H, W] in metres along +Z, 0 unknown; confidence [F, H, W] 0..1, 0 where depth is 0 or
        contradicted by neighbours; notes, one sentence each.

    Raises:
        UnliftableInputError: No picture could be fitted.
        ModelFailedError: The model's answer cannot be used.
    """
    frames = posed.frames
    assert frames.cameras is not None  # posed frames always have them
    found = source(frames.images, frames.cameras, progress)
    depths = np.zeros(found.inverse.shape, np.float32)
    refusals: list[tuple[int, UnliftableInputError]] = []
    for index, inverse in enumerate(found.inverse):
        z, _, values = look(posed.points, inverse, frames.cameras, index)
        seen = values > 0
        try:
            line = align(values[seen], z[seen], has_shift=found.kind == "relative")
        except UnliftableInputError as error:
            refusals.append((index, error))
            continue
        depths[index] = _apply(line, inverse, farthest=_FARTHEST * float(np.percentile(z[seen], 98)))
    if len(refusals) == len(depths):
        raise UnliftableInputError(
            f"no picture's depth fits the points; of the first: {refusals[0][1]}",
            hint="Leave the learned depth out, or try another model.",
        )
    confidence = np.ones_like(depths) if found.confidence is None else found.confidence.copy()
    depths[confidence < LEAST_CONFIDENCE] = 0
    confidence[~confirmed(depths, frames.cameras)] = 0
    notes = [f"depth of {len(refusals)} of {len(depths)} pictures fits no points and is left out"]
    return depths, confidence, tuple(notes if refusals else ())


def with_depths(posed: PosedFrames, source: DepthSource, progress: Progress | None = None) -> PosedFrames:
    """Return posed frames whose depths are those of `estimate_depths`, 0 where confidence is 0."""
    depths, confidence, notes = estimate_depths(posed, source, progress)
    depths = np.where(confidence > 0, depths, 0).astype(np.float32)
    report = replace(posed.report, notes=(*posed.report.notes, *notes, "depths are guessed by a model"))
    return replace(posed, frames=replace(posed.frames, depths=depths), report=report)


def _apply(line: Alignment, inverse: F32, farthest: float) -> F32:
    scaled = line.scale * inverse + line.shift
    is_known = (inverse > 0) & (scaled * farthest > 1)
    return np.where(is_known, 1 / np.where(is_known, scaled, 1), 0).astype(np.float32)
