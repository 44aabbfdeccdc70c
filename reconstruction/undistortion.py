"""Pictures of lenses with distortion become pinhole pictures of the same size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .conventions import F32

# A lens bends the border by a few per cent; beyond twice the focal length half the picture would be lost.
_MAX_ZOOM = 2.0


def undistort(images: NDArray[np.uint8], camera: Any) -> tuple[NDArray[np.uint8], F32]:
    """Return pinhole pictures [F, H, W, 3] and their K [3, 3].

    The focal length grows by the least factor that leaves no pixel without a source, so nothing black is
    ever trained on. Pixels are read bilinearly.

    Args:
        images: [F, H, W, 3], all taken with `camera`.
        camera: A `pycolmap.Camera` of any perspective model, of the images' size.
    """
    from scipy.ndimage import map_coordinates

    count, height, width = images.shape[:3]
    fx, fy = float(camera.focal_length_x), float(camera.focal_length_y)
    cx, cy = float(camera.principal_point_x), float(camera.principal_point_y)
    v, u = np.mgrid[0.5:height, 0.5:width]
    zoom = 1.0
    while True:
        rays = np.stack([(u - cx) / (fx * zoom), (v - cy) / (fy * zoom), np.ones_like(u)], axis=-1)
        source = camera.img_from_cam(rays.reshape(-1, 3)).reshape(height, width, 2)
        is_inside = ((source >= 0.5) & (source <= (width - 0.5, height - 0.5))).all()
        if is_inside or zoom > _MAX_ZOOM:
            break
        zoom *= 1.005
    at = [source[..., 1] - 0.5, source[..., 0] - 0.5]
    out = np.empty_like(images)
    for f in range(count):
        for c in range(3):
            out[f, ..., c] = np.rint(
                map_coordinates(images[f, ..., c], at, np.float32, order=1, mode="nearest")
            )
    K = np.array([[fx * zoom, 0, cx], [0, fy * zoom, cy], [0, 0, 1]], np.float32)
    return out, K
