"""The user's own pictures as a source of frames: a clip, a folder of photos, or a folder with cameras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from immersive.generation.backend import Progress
from reconstruction.errors import InvalidInputError
from reconstruction.photos import LONG_EDGE_PX, exif_focal_px, read_photos
from reconstruction.posed_folder import read_posed_folder
from reconstruction.posed_frames import PosedFrames
from reconstruction.poses import estimate_poses
from reconstruction.video import SUFFIXES, read_clip


def _quiet(_share: float, _phrase: str) -> None:
    """Take no notice."""


def load_clip(path: Path, *, long_edge_px: int = LONG_EDGE_PX, progress: Progress = _quiet) -> PosedFrames:
    """Return the sharp frames of a video file with estimated cameras, in the world frame.

    Raises:
        InvalidInputError: The file is no video, is damaged, or has too few frames.
        UnliftableInputError: The frames do not overlap or show too little parallax.
    """
    notes: list[str] = []
    progress(0.0, "reading the clip")
    frames = read_clip(path, long_edge_px=long_edge_px, say=notes.append)
    posed = estimate_poses(
        frames, is_video=True, progress=lambda share, phrase: progress(0.1 + 0.9 * share, phrase)
    )
    return _with_notes(posed, notes)


def load_photos(path: Path, *, long_edge_px: int = LONG_EDGE_PX, progress: Progress = _quiet) -> PosedFrames:
    """Return the photos of a folder in the world frame, with the folder's cameras or estimated ones.

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
        posed = read_posed_folder(path, long_edge_px=long_edge_px)
        if posed is not None:
            progress(1.0, f"{posed.report.used} of {posed.report.given} pictures have cameras")
            return posed
    frames = read_photos(path, long_edge_px=long_edge_px, say=notes.append)
    posed = estimate_poses(
        frames,
        is_video=False,
        focal_px=exif_focal_px(path, long_edge_px=long_edge_px),
        progress=lambda share, phrase: progress(0.1 + 0.9 * share, phrase),
    )
    return _with_notes(posed, notes)


def _with_notes(posed: PosedFrames, notes: list[str]) -> PosedFrames:
    return replace(posed, report=replace(posed.report, notes=(*notes, *posed.report.notes)))
