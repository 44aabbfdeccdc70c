"""Pictures for people: held-out renders beside the truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_pairs(folder: Path, pairs: Iterable[NDArray[np.uint8]]) -> list[Path]:
    """Write truth | render pictures [H, 2 W, 3] sRGB as `held_out_00.png` and on; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, pair in enumerate(pairs):
        paths.append(folder / f"held_out_{index:02d}.png")
        Image.fromarray(pair).save(paths[-1])
    return paths
