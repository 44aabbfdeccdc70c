"""A user's picture as the view that a place begins with: read once, cut to shape, packed for the wire."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reconstruction.photos import read_picture, resized

_LONG_EDGE_PX = 2048  # no service or model looks at more
_QUALITY = 92


def read_start(path: Path) -> NDArray[np.uint8]:
    """Return a picture [H, W, 3] sRGB, upright.

    Raises:
        InvalidInputError: It is no picture, damaged or too large.
    """
    return read_picture(path, long_edge_px=_LONG_EDGE_PX)


def cut_to(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the largest middle part of the wanted shape, at the wanted size [height, width, 3]."""
    rows, columns = picture.shape[:2]
    across, down = min(columns, rows * width / height), min(rows, columns * height / width)
    left, top = (columns - across) / 2, (rows - down) / 2
    box = (left, top, left + across, top + down)
    image = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS, box=box)
    return np.asarray(image, np.uint8)


def with_origin(detail: str, image: Path | None) -> str:
    """Return a provenance's detail that also says whether a user's picture was the beginning."""
    return detail if image is None else f"{detail}, begun with a picture"


def jpeg_of(picture: NDArray[np.uint8], long_edge_px: int = _LONG_EDGE_PX) -> bytes:
    """Return a picture as JPEG, shrunk to `long_edge_px`; it carries no EXIF."""
    data = io.BytesIO()
    Image.fromarray(resized(picture, long_edge_px)).save(data, "JPEG", quality=_QUALITY)
    return data.getvalue()
