"""A walk through a room, and its pictures with something painted in that the other pictures contradict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import F32, look_at_viewmat
from reconstruction.frames import FrameSequence, Provenance
from tests.posed_room import painted_by_place
from tests.reconstruction.rooms import depths_of, l_room, points_of

Masks = NDArray[np.bool_]  # [F, H, W] where a picture shows what is not there


def room_walk(
    count: int = 24, width: int = 160, height: int = 90
) -> tuple[FrameSequence, F32, NDArray[np.uint8]]:
    """Return frames of a walk along the room, one of six held out, and 3,000 points [P, 3] with colours."""
    K = intrinsics(0.7 * width, width, height)
    viewmats = []
    for t in np.linspace(0, 1, count):
        eye = np.array([1.0 + 3.6 * t, 1.5 + 0.1 * np.sin(6 * t), 3.5 - 0.3 * t])
        viewmats.append(look_at_viewmat(eye, np.array([2.2 + 1.9 * t, 1.15, 0.4])))
    cameras = Cameras(np.stack(viewmats), np.repeat(K[None], count, axis=0), width, height)
    depths = depths_of(l_room(), cameras)
    images = painted_by_place(depths, cameras)
    held_out = tuple(range(3, count, 6))
    frames = FrameSequence(images, Provenance("clip", is_generated=False), cameras, held_out=held_out)
    picked = np.random.default_rng(2).choice(images[..., 0].size, 3000, replace=False)
    points = points_of(depths, cameras).reshape(-1, 3)[picked].astype(np.float32)
    return frames, points, images.reshape(-1, 3)[picked]


def with_walker(frames: FrameSequence, first: int, last: int) -> tuple[FrameSequence, Masks]:
    """Paint a striped box that walks from right to left through the training frames `first` to `last`."""
    count, height, width = frames.images.shape[:3]
    images, masks = frames.images.copy(), np.zeros((count, height, width), bool)
    for index in range(first, last + 1):
        if index in frames.held_out:
            continue
        progress = (index - first) / max(1, last - first)
        left, top = round(width * (0.8 - 0.65 * progress)), round(height * (0.3 + 0.1 * np.sin(5 * progress)))
        box = slice(top, top + round(0.4 * height)), slice(left, left + round(0.14 * width))
        stripes = (np.arange(width)[box[1]] - left) // 4 % 3 == 0
        images[index][box] = np.where(stripes[None, :, None], (240, 60, 20), (40, 30, 120))
        masks[index][box] = True
    return replace(frames, images=images), masks


def with_wrong_frame(frames: FrameSequence, wrong: int, source: int) -> tuple[FrameSequence, Masks]:
    """Show another frame, mirrored, in place of one."""
    images, masks = frames.images.copy(), np.zeros(frames.images.shape[:3], bool)
    images[wrong] = frames.images[source][:, ::-1]
    masks[wrong] = True
    return replace(frames, images=images), masks


def with_flicker(frames: FrameSequence, flickering: tuple[int, ...], gain: float) -> FrameSequence:
    """Show some frames brighter or darker."""
    images = frames.images.copy()
    for index in flickering:
        images[index] = np.rint(images[index] * gain).clip(0, 255)
    return replace(frames, images=images)
