"""Depth Pro from transformers: metric depth of one picture, and the field of view where the lens is unknown.

Source: transformers 5.24.0, models/depth_pro/image_processing_depth_pro.py: the network gives canonical
inverse depth, which becomes 1 / metres when multiplied by picture width / focal length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import DepthProForDepthEstimation

from ..cameras import Cameras
from ..errors import ModelFailedError
from .sources import DepthPrediction, Progress, SourceSettings
from .transformers_depth import at_size, load_model, prepared, require_finite, run_batches

NAME = "depth-pro"
_MEAN = _DEVIATION = np.full(3, 0.5, np.float32)
# 1 / metres; the model's own limits.
_FARTHEST, _NEAREST = 1e-4, 1e4


class DepthPro:
    """A loaded model; see `DepthSource`."""

    def __init__(self, model: Any, batch: int) -> None:
        self._model, self._batch = model, batch

    def __call__(
        self, images: NDArray[np.uint8], cameras: Cameras | None, progress: Progress | None = None
    ) -> DepthPrediction:
        height, width = images.shape[1:3]
        config = self._model.config
        edge = round(int(config.patch_size) / min(config.scaled_images_ratios))  # 1536 as published
        inverse = np.empty(images.shape[:3], np.float32)
        focal_px = np.empty(len(images), np.float32)

        def infer(some: NDArray[np.uint8]) -> tuple[torch.Tensor, torch.Tensor | None]:
            shape = (edge, edge, _MEAN, _DEVIATION, Image.Resampling.BILINEAR)
            pixels = np.stack([prepared(image, *shape) for image in some])
            answer = self._model(torch.from_numpy(pixels).to(self._model.device))
            return answer.predicted_depth, answer.field_of_view

        for start, (values, fov_deg) in run_batches(NAME, images, self._batch, infer, progress):
            canonical = at_size(values, height, width)
            require_finite(NAME, canonical, start)
            stop = start + len(canonical)
            if cameras is not None:
                focal_px[start:stop] = cameras.Ks[start:stop, 0, 0]
            else:
                focal_px[start:stop] = _focal_px(fov_deg, width, start)
            scaled = canonical * (width / focal_px[start:stop])[:, None, None]
            inverse[start:stop] = np.clip(scaled, _FARTHEST, _NEAREST)
        return DepthPrediction(inverse, "metric", focal_px=focal_px)


def _focal_px(fov_deg: torch.Tensor | None, width: int, first: int) -> NDArray[np.float64]:
    if fov_deg is None:
        raise ModelFailedError(
            "'depth-pro' needs the focal length of the pictures: these weights cannot guess it",
            hint="Pass pictures with cameras, or weights with a field-of-view head.",
        )
    degrees = fov_deg.double().cpu().numpy()
    wrong = ~((degrees > 1) & (degrees < 179))
    if wrong.any():
        index = int(wrong.argmax())
        raise ModelFailedError(
            f"field of view must be 1 to 179 degrees, got {degrees[index]:.3g} in picture {first + index}",
            hint="Pass pictures with cameras.",
        )
    return 0.5 * width / np.tan(0.5 * np.radians(degrees))


def load(settings: SourceSettings) -> DepthPro:
    """Return the model of `settings`; raises as `load_depth_source` says."""
    return DepthPro(load_model(NAME, DepthProForDepthEstimation, settings), settings.batch)
