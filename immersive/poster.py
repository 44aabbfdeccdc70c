"""The picture on a link's card: what a visitor sees first, drawn on the CPU when a scene is published."""

from __future__ import annotations

import io
import logging
import math
from pathlib import Path

import numpy as np

from reconstruction.errors import ImmersiveError
from streaming.asset import SplatAsset

from .catalog import Catalog, SceneRecord
from .home import write_private

POSTER_NAME = "poster.jpg"
# What OpenGraph cards are shown as; larger ones are scaled down, narrower ones cropped.
POSTER_WIDTH, POSTER_HEIGHT = 1200, 630
_FOV_X_DEG = 80.0
_JPEG_QUALITY = 85

_log = logging.getLogger(__name__)


def poster_path(catalog: Catalog, record: SceneRecord) -> Path:
    """Return where a scene's poster is, or would be: beside its pack, with which it goes.

    Raises:
        StoreError: The pack is missing.
    """
    return catalog.pack_folder(record) / POSTER_NAME


def ensure_poster(catalog: Catalog, record: SceneRecord) -> bool:
    """Draw a scene's poster unless it is there; return whether it is there now.

    A scene is as good without one, so one that cannot be drawn or kept is only logged.
    """
    try:
        path = poster_path(catalog, record)
        if not path.is_file():
            write_private(path, draw_poster(catalog.asset(record.id)))
    except (ImmersiveError, OSError) as error:
        _log.warning("scene %s has no poster: %s", record.id, error)
        return False
    return True


def draw_poster(asset: SplatAsset) -> bytes:
    """Return a JPEG of 1200 x 630: the scene from where visitors begin, eyes at their height.

    Raises:
        AssetFormatError: The splats cannot be read.
        MissingBackendError: The kernels are not compiled.
    """
    from PIL import Image

    from reconstruction.cameras import Cameras, intrinsics
    from reconstruction.conventions import look_at_viewmat
    from reconstruction.rasterizers.draw import draw_each
    from streaming.assemble import finest_cloud

    manifest = asset.manifest
    yaw = math.radians(manifest.spawn.yaw_deg)
    eye = np.array(manifest.spawn.position) + (0.0, manifest.eye_height_m, 0.0)
    forward = np.array([-math.sin(yaw), 0.0, -math.cos(yaw)])
    focal_px = POSTER_WIDTH / 2 / math.tan(math.radians(_FOV_X_DEG / 2))
    cameras = Cameras(
        look_at_viewmat(eye, eye + forward)[None],
        intrinsics(focal_px, POSTER_WIDTH, POSTER_HEIGHT)[None],
        POSTER_WIDTH,
        POSTER_HEIGHT,
    )
    picture = next(draw_each(finest_cloud(asset), cameras, background=manifest.background))
    pixels = (np.clip(picture.image, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return file.getvalue()
