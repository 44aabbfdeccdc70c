"""Small clips and pictures, made on the spot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom


def texture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return a picture [H, W, 3] with detail at every scale."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cell in (2, 5, 13, 31):
        coarse = rng.normal(size=(height // cell + 2, width // cell + 2, 3))
        total += zoom(coarse, (cell, cell, 1), order=1)[:height, :width] * cell**0.5
    total = (total - total.min()) / (total.max() - total.min())
    return (total * 255).astype(np.uint8)


def sliding(count: int, height: int = 96, width: int = 128, seed: int = 0) -> NDArray[np.uint8]:
    """Return frames [F, H, W, 3] of a window that slides over a texture by 3 pixels a frame."""
    wide = texture(height, width + 3 * count, seed)
    return np.stack([wide[:, 3 * i : 3 * i + width] for i in range(count)])


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture out of focus."""
    return gaussian_filter(image.astype(float), (2.5, 2.5, 0)).astype(np.uint8)


def write_clip(path: Path, frames: NDArray[np.uint8]) -> Path:
    """Encode frames as VP9, or as Motion JPEG for mov; both encoders are free to use."""
    with av.open(str(path), "w") as container:
        if path.suffix == ".mov":
            stream = container.add_stream("mjpeg", rate=25, options={"q:v": "2"})
            stream.pix_fmt = "yuvj420p"
        else:
            options = {"crf": "12", "b": "0", "cpu-used": "8"}
            stream = container.add_stream("libvpx-vp9", rate=25, options=options)
            stream.pix_fmt = "yuv420p"
        stream.height, stream.width = frames.shape[1:3]
        stream.codec_context.time_base = Fraction(1, 25)
        for image in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
