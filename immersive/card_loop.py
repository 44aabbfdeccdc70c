"""The moving picture on a link's card: five seconds of looking about at the start, without end.

Made when a link begins to be shown to others, and never for scenes that are private. VP9 in an MP4 file: the
H.264 encoder that PyAV brings is x264, which is GPL, and we neither call nor pass that on; libvpx is BSD.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reconstruction.errors import ImmersiveError
from streaming.asset import SplatAsset
from streaming.messages import Pose

from .catalog import Catalog, SceneRecord
from .home import write_private

if TYPE_CHECKING:
    from .thin.footing import Footing

LOOP_NAME = "loop.mp4"
LOOP_WIDTH, LOOP_HEIGHT = 640, 360
MOST_BYTES = 1_500_000
_SECONDS, _RATE = 5, 24
_FRAMES = _SECONDS * _RATE
_FOV_X_DEG = 80.0  # as the poster's
# One sways about what lies ahead, so that near things move before far ones.
_LOOKED_AT_M = 4.0
# Of how far away the middle of a scene without ground is: one looks at all of it from outside.
_SWAY_SHARE = 0.1
_SWAYS_M = (0.4, 0.3, 0.2, 0.1, 0.05, 0.0)  # to the side; half of it ahead
_EASE = 0.7  # of the way to standing still at the ends; 0.85 m/s at most between them
_OFF_THE_WAY_M = 0.03
# Constrained quality: what moves much gets 2 Mbit/s at most, 1.25 MB in all.
_MOST_BITS_S = 2_000_000
_QUALITY, _LAST_QUALITY = 33, 52  # of 0 to 63; the second where the first does not fit
_GENERATED = "AI-generated"

_log = logging.getLogger(__name__)


class _Unwanted(Exception):
    """Nobody waits for it any more."""


def loop_path(catalog: Catalog, record: SceneRecord) -> Path:
    """Return where a scene's loop is, or would be: beside its pack, with which it goes.

    Raises:
        StoreError: The pack is missing.
    """
    return catalog.pack_folder(record) / LOOP_NAME


def ensure_loop(
    catalog: Catalog, record: SceneRecord, *, is_wanted: Callable[[], bool] = lambda: True
) -> bool:
    """Make a scene's loop unless it is there; return whether it is there now.

    A scene is as good without one, so one that cannot be drawn or kept is only logged. `is_wanted` is asked
    before each frame; once it says no, nothing is kept.
    """
    try:
        path = loop_path(catalog, record)
        if not path.is_file():
            write_private(path, draw_loop(catalog.asset(record.id), is_wanted=is_wanted))
    except (ImmersiveError, OSError) as error:
        _log.warning("scene %s has no loop: %s", record.id, error)
        return False
    except _Unwanted:
        return False
    return True


def draw_loop(asset: SplatAsset, *, is_wanted: Callable[[], bool] = lambda: True) -> bytes:
    """Return an MP4 file of 640 x 360, 24 pictures a second, whose last picture is its first.

    Raises:
        AssetFormatError: The splats cannot be read.
        MissingBackendError: The kernels are not compiled.
    """
    frames = list(_frames(asset, is_wanted))
    data = _encoded(frames, _QUALITY, asset.manifest.is_generated, is_wanted)
    if len(data) > MOST_BYTES:
        data = _encoded(frames, _LAST_QUALITY, asset.manifest.is_generated, is_wanted)
    return data


def loop_poses(asset: SplatAsset) -> list[Pose]:
    """Return the poses of a loop: over ground that one can walk on from the start, the last the first."""
    from streaming.assemble import collider_mesh

    from .thin.footing import Footing

    manifest = asset.manifest
    mesh = collider_mesh(asset)
    footing = None if mesh is None else Footing(*mesh)
    yaw = math.radians(manifest.spawn.yaw_deg)
    ahead = np.array([-math.sin(yaw), 0.0, -math.cos(yaw)])
    right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    start = manifest.spawn.position
    if footing is not None:
        start = footing.stand(start) or start
    # Slow at both ends, where the last picture is the first: nobody sees that it is shown twice.
    times = np.linspace(0.0, 1.0, _FRAMES)
    angles = 2 * math.pi * times - _EASE * np.sin(2 * math.pi * times)
    away_m = _LOOKED_AT_M
    if footing is None:
        middle = np.add(manifest.bounds_min, manifest.bounds_max) / 2 - np.array(start)
        away_m = max(away_m, math.hypot(middle[0], middle[2]))
        sway = _SWAY_SHARE * away_m
    else:
        sway = _widest(footing, start, ahead, right, angles)
    places = _places(start, ahead, right, angles, sway)
    if footing is not None:
        places[:, 1] = _smooth([footing.walk(start, tuple(place))[1] for place in places])
    target = np.array(start) + away_m * ahead
    fov_deg = 2 * math.degrees(
        math.atan(math.hypot(LOOP_WIDTH, LOOP_HEIGHT) / LOOP_WIDTH * math.tan(math.radians(_FOV_X_DEG / 2)))
    )
    poses = []
    for place in places:
        eye = place + (0.0, manifest.eye_height_m, 0.0)
        forward = target - place
        forward[1] = 0.0
        poses.append(Pose(0, tuple(eye.tolist()), tuple(forward.tolist()), fov_deg))
    return poses


def _places(
    start: tuple[float, float, float], ahead: NDArray, right: NDArray, angles: NDArray, sway: float
) -> NDArray:
    """Return feet [F, 3] on a circle, seen from above, that begins at the start and leads ahead."""
    side, deep = np.sin(angles)[:, None], (1 - np.cos(angles))[:, None]
    return np.array(start) + sway * (side * right + 0.25 * deep * ahead)


def _widest(
    footing: Footing | None,
    start: tuple[float, float, float],
    ahead: NDArray,
    right: NDArray,
    angles: NDArray,
) -> float:
    """Return the widest sway of which every place is reached by walking straight to it."""
    for sway in _SWAYS_M:
        places = _places(start, ahead, right, angles[::3], sway)
        reached = np.array([footing.walk(start, tuple(place)) for place in places])
        if np.abs(reached - places)[:, [0, 2]].max() < _OFF_THE_WAY_M:
            return sway
    return 0.0


def _smooth(heights: list[float]) -> NDArray:
    """Return heights without steps, the last still the first."""
    around = np.array(heights[:-1])
    width = 7
    padded = np.concatenate([around[-(width // 2) :], around, around[: width // 2]])
    smooth = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    return np.append(smooth, smooth[0])


def _frames(asset: SplatAsset, is_wanted: Callable[[], bool]) -> Iterator[NDArray[np.uint8]]:
    from streaming.session import StreamedScene

    from .thin.asked import Asked
    from .thin.drawing import Drawing
    from .thin.scene import DrawnScene

    scene = DrawnScene(StreamedScene.prepare(asset, "loop", ""))
    drawing = Drawing(scene, Asked(LOOP_WIDTH, LOOP_HEIGHT))
    for pose in loop_poses(asset):
        if not is_wanted():
            raise _Unwanted
        yield drawing.pixels(pose)


def _encoded(
    frames: Iterable[NDArray[np.uint8]], quality: int, is_generated: bool, is_wanted: Callable[[], bool]
) -> bytes:
    import av

    # In a file, for the index moves to its beginning at the end, where who plays it looks for it first.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / LOOP_NAME
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            if is_generated:
                container.metadata["comment"] = _GENERATED
            stream = container.add_stream(
                "libvpx-vp9",
                rate=Fraction(_RATE),
                options={"crf": str(quality), "deadline": "good", "cpu-used": "4", "lag-in-frames": "12"},
            )
            stream.width, stream.height, stream.pix_fmt = LOOP_WIDTH, LOOP_HEIGHT, "yuv420p"
            stream.bit_rate = _MOST_BITS_S
            stream.codec_context.thread_count = 1
            for pixels in frames:
                if not is_wanted():
                    raise _Unwanted
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
        return path.read_bytes()
