"""Depth Anything (V1, V2) from transformers: relative inverse depth, or metres from its metric variants.

Source: transformers 5.24.0, models/depth_anything/modeling_depth_anything.py (a ReLU gives relative
*inverse* depth, a sigmoid times `max_depth` gives metric *depth*) and models/dpt/image_processing_dpt.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import DepthAnythingForDepthEstimation

from ..cameras import Cameras
from ..conventions import F32
from .sources import DepthPrediction, Progress, SourceSettings
from .transformers_depth import at_size, load_model, prepared, require_finite, run_batches

NAME = "depth-anything"
# The size that the published weights were trained at.
INPUT_PX = 518
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_NEAREST_M = 1e-3  # a sigmoid can underflow to 0 metres


class DepthAnything:
    """A loaded model; see `DepthSource`."""

    def __init__(self, model: Any, batch: int) -> None:
        self._model, self._batch = model, batch

    def __call__(
        self, images: NDArray[np.uint8], cameras: Cameras | None, progress: Progress | None = None
    ) -> DepthPrediction:
        height, width = images.shape[1:3]
        inner = input_size(height, width, int(self._model.config.patch_size))
        is_metric = self._model.config.depth_estimation_type == "metric"
        inverse = np.empty(images.shape[:3], np.float32)

        def infer(some: NDArray[np.uint8]) -> tuple[torch.Tensor]:
            pixels = np.stack(
                [prepared(i, *inner, _MEAN, _DEVIATION, Image.Resampling.BICUBIC) for i in some]
            )
            return (self._model(torch.from_numpy(pixels).to(self._model.device)).predicted_depth,)

        for start, (values,) in run_batches(NAME, images, self._batch, infer, progress):
            found: F32 = at_size(values, height, width)
            require_finite(NAME, found, start)
            inverse[start : start + len(found)] = 1 / np.maximum(found, _NEAREST_M) if is_metric else found
        return DepthPrediction(inverse, "metric" if is_metric else "relative")


def input_size(height: int, width: int, patch: int, edge_px: int = INPUT_PX) -> tuple[int, int]:
    """Return height and width of the network's input: the edge that changes least becomes `edge_px`.

    Both are multiples of `patch`, so a picture is stretched by half a patch at most.
    """
    by_height, by_width = edge_px / height, edge_px / width
    scale = by_width if abs(1 - by_width) < abs(1 - by_height) else by_height
    return max(patch, round(scale * height / patch) * patch), max(patch, round(scale * width / patch) * patch)


def load(settings: SourceSettings) -> DepthAnything:
    """Return the model of `settings`; raises as `load_depth_source` says."""
    return DepthAnything(load_model(NAME, DepthAnythingForDepthEstimation, settings), settings.batch)
