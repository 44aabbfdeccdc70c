"""Pictures for people: held-out renders beside the truth, and the poster of a scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Pixels between the truth (left) and the render (right).
GAP_PX = 4


def write_pairs(folder: Path, pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> list[Path]:
    """Write truth | render pictures, [H, W, 3] sRGB each, as `held_out_00.png` and on; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, (truth, render) in enumerate(pairs):
        gap = np.full((truth.shape[0], GAP_PX, 3), 255, np.uint8)
        paths.append(folder / f"held_out_{index:02d}.png")
        Image.fromarray(np.concatenate([truth, gap, render], axis=1)).save(paths[-1])
    return paths


def write_poster(path: Path, image: NDArray[np.uint8]) -> None:
    """Write one picture [H, W, 3] as JPEG: the card shown before a scene is loaded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=85)
