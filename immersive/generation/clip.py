"""The user's own pictures as a source of frames: a clip, a folder of photos, or a folder with cameras."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from immersive.generation.backend import Progress
from reconstruction.clip_audio import read_audio
from reconstruction.depth import densify
from reconstruction.errors import InvalidInputError, UnliftableInputError
from reconstruction.frames import FrameSequence
from reconstruction.gates import refusal
from reconstruction.learned import metric_depth
from reconstruction.learned.sources import DepthSource
from reconstruction.photos import exif_focal_px, read_photos, resized
from reconstruction.posed_folder import read_posed_folder
from reconstruction.posed_frames import PosedFrames, PoseReport
from reconstruction.poses import estimate_poses, triangulate
from reconstruction.video import SUFFIXES, read_shots

# Poses are found at the readers' full size; splats of a draft stand for more than a pixel of this one.
FIT_EDGE_PX = 640
# Fewer points than this leave holes that fitting is slow to close; more are dense enough as they are.
DENSIFY_BELOW_POINTS = 10_000
# Shots of a clip that are tried; each that fails takes a minute or two.
MOST_SHOTS = 3


def _quiet(_share: float, _phrase: str) -> None:
    """Take no notice."""


def load_clip(
    path: Path,
    *,
    fit_edge_px: int = FIT_EDGE_PX,
    depths: DepthSource | None = None,
    camera_height_m: float | None = None,
    progress: Progress = _quiet,
) -> PosedFrames:
    """Return the sharp frames of a video file with estimated cameras, in the world frame.

    Of several shots the longest is taken, or the next longest if that cannot become a scene.
    Frames are shrunk to `fit_edge_px` once their cameras are known. `depths` gives more points in place of
    stereo between the frames. `camera_height_m` above the ground sets the size, which is guessed without it.

    Raises:
        InvalidInputError: The file is no video, is damaged, or has too few frames.
        UnliftableInputError: The frames do not overlap or show too little parallax.
    """
    notes: list[str] = []
    progress(0.0, "reading the clip")
    reached = 0.05

    def tell(share: float, phrase: str) -> None:
        nonlocal reached  # another shot does not take the share back
        reached = max(reached, 0.05 + 0.55 * share)
        progress(reached, phrase)

    refused: UnliftableInputError | None = None
    for frames in islice(read_shots(path, say=notes.append), MOST_SHOTS):
        try:
            posed = estimate_poses(frames, is_video=True, camera_height_m=camera_height_m, progress=tell)
        except UnliftableInputError as error:
            notes.append(f"that shot was given up: {error}")
            refused = refused or error
            continue
        heard = replace(posed, frames=replace(posed.frames, audio=read_audio(path, say=notes.append)))
        return _finished(heard, notes, fit_edge_px, depths, progress)
    assert refused is not None  # there is a first shot, or `read_shots` raised
    raise refused


def load_photos(
    path: Path,
    *,
    fit_edge_px: int = FIT_EDGE_PX,
    depths: DepthSource | None = None,
    camera_height_m: float | None = None,
    progress: Progress = _quiet,
) -> PosedFrames:
    """Return the photos of a folder in the world frame, with the folder's cameras or estimated ones.

    `depths` gives more points in place of stereo between the photos, unless the folder has depths.
    `camera_height_m` above the ground sets the size, which otherwise is the folder's, or a guess.

    Raises:
        InvalidInputError: The folder holds no photos, damaged ones, or cameras that cannot be used.
        UnliftableInputError: The photos do not overlap or show too little parallax.
    """
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        raise InvalidInputError(
            f"photos must be in a folder, got the clip {path.name!r}", hint="Pass a clip with --video."
        )
    notes: list[str] = []
    progress(0.0, "reading photos")
    if path.is_dir():
        posed = read_posed_folder(path, long_edge_px=fit_edge_px, camera_height_m=camera_height_m)
        if posed is not None:
            progress(0.3, f"{posed.report.used} of {posed.report.given} pictures have cameras")
            if posed.frames.depths is not None:
                if depths is not None:
                    kept = (*posed.report.notes, "the folder's own depths are used, the depth model is not")
                    return replace(posed, report=replace(posed.report, notes=kept))
                return posed
            if len(posed.points) == 0:
                posed = triangulate(posed, lambda share, phrase: progress(0.3 + 0.3 * share, phrase))
                if len(posed.points) < 4:
                    raise refusal("no two of them see the same things from different places")
            return _finished(posed, notes, fit_edge_px, depths, progress)
    frames = read_photos(path, say=notes.append)
    posed = estimate_poses(
        frames,
        is_video=False,
        focal_px=exif_focal_px(path, say=notes.append),
        camera_height_m=camera_height_m,
        progress=lambda share, phrase: progress(0.05 + 0.55 * share, phrase),
    )
    return _finished(posed, notes, fit_edge_px, depths, progress)


def pose_generated(frames: FrameSequence, progress: Progress = _quiet) -> PosedFrames:
    """Return a generated clip in the world frame, with the cameras it came with or estimated ones.

    A model that was told its cameras may have followed them; points are then placed by those cameras.

    Raises:
        UnliftableInputError: The frames do not overlap or show too little parallax.
    """
    if frames.cameras is None:
        posed = estimate_poses(
            frames, is_video=True, progress=lambda share, phrase: progress(0.6 * share, phrase)
        )
    else:
        none = np.empty((0, 3), np.float32)
        report = PoseReport(frames.provenance.source, len(frames), len(frames), None, ())
        bare = PosedFrames(frames.in_world_frame(), none, none.astype(np.uint8), report)
        posed = triangulate(bare, lambda share, phrase: progress(0.6 * share, phrase))
        if len(posed.points) < 4:
            raise refusal("no two of them see the same things from different places")
    return _finished(posed, [], FIT_EDGE_PX, None, progress)


def _finished(
    posed: PosedFrames, notes: list[str], fit_edge_px: int, depths: DepthSource | None, progress: Progress
) -> PosedFrames:
    """Return posed frames at the size that is fitted, with denser points and all notes in order."""
    frames = posed.frames
    assert frames.cameras is not None  # posed frames always have them
    images = np.stack([resized(image, fit_edge_px) for image in frames.images])
    cameras = frames.cameras.resized(images.shape[2], images.shape[1])
    shrunk = replace(
        posed,
        frames=replace(frames, images=images, cameras=cameras),
        report=replace(posed.report, notes=(*notes, *posed.report.notes)),
    )
    if depths is not None:
        return metric_depth.densify(shrunk, depths, lambda share, phrase: progress(0.6 + 0.4 * share, phrase))
    if len(shrunk.points) >= DENSIFY_BELOW_POINTS or len(frames.train) < 3:
        return shrunk
    return densify(shrunk, lambda share, phrase: progress(0.6 + 0.4 * share, phrase))
