"""A folder of posed pictures of a small room: real files that the product reads like any user's.

The room is the L-shaped one of `reconstruction.rooms`, painted so smoothly that splats can hold it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reconstruction.cameras import Cameras
from reconstruction.conventions import WORLD_FROM_Z_UP, opengl_c2w_from_viewmats

WIDTH_PX, HEIGHT_PX = 160, 90


def write_posed_room(folder: Path) -> Path:
    """Write pictures, transforms.json and inverse depths; returns the folder."""
    from tests.reconstruction.rooms import depths_of, l_room, room_cameras

    cameras = room_cameras(WIDTH_PX, HEIGHT_PX)
    depths = depths_of(l_room(), cameras)
    (folder / "images").mkdir(parents=True)
    frames = []
    z_up_from_world = np.linalg.inv(WORLD_FROM_Z_UP)
    for index, (c2w, picture) in enumerate(
        zip(opengl_c2w_from_viewmats(cameras.viewmats), painted_by_place(depths, cameras), strict=True)
    ):
        name = f"images/{index:03d}.png"
        Image.fromarray(picture).save(folder / name)
        frames.append({"file_path": name, "transform_matrix": (z_up_from_world @ c2w).tolist()})
    K = cameras.Ks[0]
    lens = {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "w": WIDTH_PX, "h": HEIGHT_PX}
    meta = {"camera_model": "PINHOLE", **{name: float(value) for name, value in lens.items()}}
    meta |= {"frames": frames, "test": [3, 10, 17, 24]}
    (folder / "transforms.json").write_text(json.dumps(meta), "utf-8")
    np.savez(folder / "inverse_depth_f16.npz", inverse_depth=(1 / depths).astype(np.float16))
    return folder


def painted_by_place(depths: NDArray, cameras: Cameras) -> NDArray[np.uint8]:
    """Colour every pixel by where its surface is: bands a metre wide, different along each axis."""
    v, u = np.mgrid[: cameras.height, : cameras.width] + 0.5
    pictures = []
    for depth, viewmat, K in zip(depths, cameras.viewmats, cameras.Ks, strict=True):
        x_cam = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
        x_world = (x_cam * depth[..., None] - viewmat[:3, 3]) @ viewmat[:3, :3]
        waves = np.sin(x_world * np.array([5.0, 3.0, 4.0]) + np.array([0.3, 1.1, 2.0]))
        colour = 0.5 + 0.18 * waves + 0.12 * waves[..., [2, 0, 1]] * waves[..., [1, 2, 0]]
        pictures.append(np.rint(255 * np.clip(colour, 0, 1)).astype(np.uint8))
    return np.stack(pictures)
