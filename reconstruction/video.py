"""Decodes a clip and chooses sharp, well-spaced frames of its longest shot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidInputError
from .frame_choice import Look, choose
from .frames import FrameSequence, Provenance
from .photos import LONG_EDGE_PX, resized

Say = Callable[[str], None]

SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv")
# Forty views register and fit well and cost about a minute of SfM; more views of a short way add little.
USUAL_FRAMES = 40
# A longer way gets more, up to here; that is five widths of the picture for every point of a walk.
MAX_FRAMES = 100
# Below this no clip holds the three views that check each other and the two that are held out.
MIN_FRAMES = 6
# Two minutes at 30 frames a second; a longer clip is read up to here and the rest is told to the user.
MAX_DECODED = 3_600
# 8K video; a header that claims more is damaged or hostile.
MAX_PIXELS = 7680 * 4320
MIN_EDGE_PX = 64

_LOOK_PX = 480  # long edge of the pictures on which sharpness is told; a shake of 1 % is 5 px there
_THUMB_PX = 160  # long edge of the grey pictures on which frames are compared
_SAME_GREY_LEVELS = 0.4  # mean difference below which a frame repeats the last: coding noise of a still
# A cut changes the blurred picture by this much, and by this many times more than its neighbours change; so
# does no camera motion, which changes fine texture as much as a cut does but coarse shapes little.
_CUT_GREY_LEVELS = 8.0
_CUT_OVER_NEIGHBOURS = 3.0
_CUT_BLUR_PX = 5.0
_CUT_NEIGHBOURS = 5


def read_clip(
    path: Path,
    *,
    max_frames: int = MAX_FRAMES,
    long_edge_px: int = LONG_EDGE_PX,
    say: Say = lambda _: None,
) -> FrameSequence:
    """Return up to `max_frames` frames of a clip's longest shot in time order, without cameras.

    Arguments and errors are those of `read_shots`.
    """
    return next(read_shots(path, max_frames=max_frames, long_edge_px=long_edge_px, say=say))


def read_shots(
    path: Path,
    *,
    max_frames: int = MAX_FRAMES,
    long_edge_px: int = LONG_EDGE_PX,
    say: Say = lambda _: None,
) -> Iterator[FrameSequence]:
    """Yield frames of a clip's shots in time order, without cameras; the longest shot first.

    Repeated frames are dropped, then sharp frames with about the same motion between them are chosen, see
    `frame_choice`. The clip is decoded once, and once more for every shot, so memory holds the chosen frames
    only. Shots of fewer than `MIN_FRAMES` different frames are left out.

    Args:
        path: mp4, mov, webm or mkv.
        max_frames: At least `MIN_FRAMES`. As many are kept only if the picture moves far.
        long_edge_px: Frames are shrunk to this, never enlarged.
        say: Told one sentence per thing that was left out: other shots, a tail beyond the limit.

    Raises:
        InvalidInputError: No such file, no clip, a damaged one, one beyond the limits, or too few frames even
            in the longest shot.
    """
    looks = [_look(index, image) for index, image in enumerate(_decoded(path, _LOOK_PX))]
    if len(looks) >= MAX_DECODED:
        say(f"the clip is longer than {MAX_DECODED} frames; the rest was left out")
    if len(looks) < MIN_FRAMES:
        raise _too_few(path, f"{len(looks)} {'frame' if len(looks) == 1 else 'frames'}")
    shots = _split_shots(looks)
    most = max(max_frames, MIN_FRAMES)
    for rank, shot in enumerate(sorted(shots, key=len, reverse=True)):
        distinct = _different(shot)
        if len(distinct) < MIN_FRAMES and rank > 0:
            return
        if len(distinct) < MIN_FRAMES:
            place = f"the longest of its {len(shots)} shots" if len(shots) > 1 else f"{len(looks)}"
            raise _too_few(path, f"{len(distinct)} different frames among {place}")
        if len(shots) > 1:
            which = f"the clip has {len(shots)} shots; the longest" if rank == 0 else "the next longest shot"
            say(f"{which} was kept, frames {shot[0].index} to {shot[-1].index} of {len(looks)}")
        chosen = set(choose(distinct, min(USUAL_FRAMES, most), most))
        images = [im for index, im in enumerate(_decoded(path, long_edge_px)) if index in chosen]
        yield FrameSequence(np.stack(images), Provenance("clip", is_generated=False, detail=path.name))


def _different(shot: list[Look]) -> list[Look]:
    """Leave out frames that repeat the last one that was kept."""
    distinct = [shot[0]]
    for look in shot[1:]:
        if np.abs(look.thumb - distinct[-1].thumb).mean() > _SAME_GREY_LEVELS:
            distinct.append(look)
    return distinct


def _decoded(path: Path, long_edge_px: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the upright frames [H, W, 3] of a clip, shrunk; stops after `MAX_DECODED`.

    A damaged tail ends the clip; a clip that is damaged from the start is an error.
    """
    import av

    _check_file(path)
    # The decoder reports damage to its log as well as by exception; the user gets one sentence.
    av.logging.set_level(av.logging.PANIC)
    count = 0
    shape: tuple[int, int] | None = None
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.video:
                raise _no_clip(path, "a file without pictures")
            stream = container.streams.video[0]
            _check_size(path, stream.codec_context.width, stream.codec_context.height)
            # One thread: the decoder's own can wait for the Python lock while we wait for them,
            # above all when a clip is left half-way, and then nothing ends.
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            for frame in _whole_frames(container, stream):
                _check_size(path, frame.width, frame.height)
                if shape is None:
                    shape = (frame.width, frame.height)
                if (frame.width, frame.height) != shape or count == MAX_DECODED:
                    return  # a change of size in mid-stream is another clip
                count += 1
                yield _upright(frame, long_edge_px)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        if count == 0:
            raise _no_clip(path, "something else or a damaged file") from error


def _whole_frames(container: Any, stream: Any) -> Iterator[Any]:
    """Yield decoded frames without those that the decoder had to patch up."""
    for frame in container.decode(stream):
        if not frame.is_corrupt:
            yield frame


def _upright(frame: Any, long_edge_px: int) -> NDArray[np.uint8]:
    scale = min(1.0, 2 * long_edge_px / max(frame.width, frame.height))
    # The decoder's scaler makes the coarse step in its own pixel format; the fine step averages areas.
    small = (max(2, round(frame.width * scale)), max(2, round(frame.height * scale)))
    image = frame.to_ndarray(format="rgb24", width=small[0], height=small[1])
    quarter_turns = round(frame.rotation / 90) % 4  # counter-clockwise, from the display matrix
    return resized(np.rot90(image, quarter_turns), long_edge_px)


def _look(index: int, image: NDArray[np.uint8]) -> Look:
    from scipy.ndimage import laplace

    weights = np.array([0.299, 0.587, 0.114], np.float32)
    sharpness = float(laplace(image.astype(np.float32) @ weights).var())
    return Look(index, resized(image, _THUMB_PX).astype(np.float32) @ weights, sharpness)


def _split_shots(looks: list[Look]) -> list[list[Look]]:
    """Split frames at hard cuts."""
    from scipy.ndimage import gaussian_filter

    shapes = [gaussian_filter(look.thumb, _CUT_BLUR_PX) for look in looks]
    pairs = zip(shapes[1:], shapes[:-1], strict=True)
    steps = np.array([np.abs(a - b).mean() for a, b in pairs])
    shots = [[looks[0]]]
    for i, step in enumerate(steps):
        around = np.r_[steps[max(0, i - _CUT_NEIGHBOURS) : i], steps[i + 1 : i + 1 + _CUT_NEIGHBOURS]]
        is_cut = step > _CUT_GREY_LEVELS and step > _CUT_OVER_NEIGHBOURS * float(np.median(around))
        if is_cut:
            shots.append([])
        shots[-1].append(looks[i + 1])
    return shots


def _check_file(path: Path) -> None:
    if not path.exists():
        raise InvalidInputError(f"clip must exist, got {path.name!r}", hint="Check the path.")
    if not path.is_file():
        raise InvalidInputError(
            f"clip must be a file, got the folder {path.name!r}", hint="Pass photos with --images."
        )
    if path.stat().st_size == 0:
        raise _no_clip(path, "an empty file")


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InvalidInputError(
            f"clip {path.name!r} must have at most 7680x4320 pixels, got {width}x{height}",
            hint="Export it at 1080p.",
        )
    # A header may leave the size open (0x0); the frames are checked again.
    if 0 < min(width, height) < MIN_EDGE_PX:
        raise InvalidInputError(
            f"clip {path.name!r} must have edges of at least {MIN_EDGE_PX} px, got {width}x{height}",
            hint="Use the original clip instead of its preview.",
        )


def _no_clip(path: Path, found: str) -> InvalidInputError:
    return InvalidInputError(
        f"clip {path.name!r} must be an mp4, mov or webm video, got {found}",
        hint="Play it in a video player to see whether it is whole.",
    )


def _too_few(path: Path, found: str) -> InvalidInputError:
    return InvalidInputError(
        f"clip {path.name!r} must hold at least {MIN_FRAMES} different frames, got {found}",
        hint="Film for five seconds or more while walking sideways.",
    )
