"""Depths from a learned source in a posed scene's unit, less what its points and neighbours contradict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..conventions import F32
from ..depth import DENSE_POINTS
from ..errors import UnliftableInputError
from ..posed_frames import PosedFrames
from .align import Alignment, align
from .consistency import confirmed, look, unproject
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
    gets no depth and a note. Held-out pictures are not looked at and have no depth.

    Returns:
        Depths [F, H, W] in metres along +Z, 0 unknown; confidence [F, H, W] 0..1, 0 where depth is 0 or
        contradicted by neighbours; notes, one sentence each.

    Raises:
        UnliftableInputError: No picture could be fitted.
        ModelFailedError: The model's answer cannot be used.
    """
    frames = posed.frames
    assert frames.cameras is not None  # posed frames always have them
    train = list(frames.train)
    if not train:
        raise UnliftableInputError("frames must leave at least one for training, all are held out")
    cameras = frames.cameras.subset(train)
    found = source(frames.images[train], cameras, progress)
    known = np.zeros(found.inverse.shape, np.float32)
    refusals: list[tuple[int, UnliftableInputError]] = []
    for index, inverse in enumerate(found.inverse):
        z, _, values = look(posed.points, inverse, cameras, index)
        seen = values > 0
        try:
            line = align(values[seen], z[seen], has_shift=found.kind == "relative")
        except UnliftableInputError as error:
            refusals.append((index, error))
            continue
        known[index] = _apply(line, inverse, farthest=_FARTHEST * float(np.percentile(z[seen], 98)))
    if len(refusals) == len(train):
        raise UnliftableInputError(
            f"no picture's depth fits the points; of the first: {refusals[0][1]}",
            hint="Leave the learned depth out, or try another model.",
        )
    sure = np.ones_like(known) if found.confidence is None else found.confidence.copy()
    known[sure < LEAST_CONFIDENCE] = 0
    sure[~confirmed(known, cameras)] = 0
    depths, confidence = np.zeros((2, len(frames), *known.shape[1:]), np.float32)
    depths[train], confidence[train] = known, sure
    notes = [f"depth of {len(refusals)} of {len(train)} pictures fits no points and is left out"]
    return depths, confidence, tuple(notes if refusals else ())


def densify(
    posed: PosedFrames, source: DepthSource, progress: Progress | None = None, *, seed: int = 0
) -> PosedFrames:
    """Return the frames with `DENSE_POINTS` more points at the depths of `estimate_depths`.

    Points, not depths of every pixel: fitting grows splats from points where the pictures ask for them, also
    where the model says nothing. Raises as `estimate_depths`.
    """
    depths, confidence, notes = estimate_depths(posed, source, progress)
    frames, rng = posed.frames, np.random.default_rng(seed)
    assert frames.cameras is not None  # posed frames always have them
    share = -(-DENSE_POINTS // len(frames.train))
    points, colors = [posed.points], [posed.colors]
    for index in frames.train:
        kept = np.where(confidence[index] > 0, depths[index], 0)
        own = unproject(kept, frames.cameras, index)
        picked = rng.choice(len(own), min(share, len(own)), replace=False)
        points.append(own[picked].astype(np.float32))
        colors.append(frames.images[index][kept > 0][picked])
    report = replace(posed.report, notes=(*posed.report.notes, *notes, "depths are guessed by a model"))
    return replace(posed, points=np.concatenate(points), colors=np.concatenate(colors), report=report)


def _apply(line: Alignment, inverse: F32, farthest: float) -> F32:
    scaled = line.scale * inverse + line.shift
    is_known = (inverse > 0) & (scaled * farthest > 1)
    return np.where(is_known, 1 / np.where(is_known, scaled, 1), 0).astype(np.float32)
