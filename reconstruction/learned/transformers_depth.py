"""What the depth models of transformers share: safe loading, the way of pictures in and of depths out.

Pictures are prepared here with Pillow and NumPy, because the image processors of transformers want
torchvision, whose builds must match torch's to the letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers.utils import logging

from ..conventions import F32
from ..errors import InvalidInputError, MissingBackendError, ModelFailedError
from .sources import Progress, SourceSettings


def choose_device(name: str, wanted: str) -> torch.device:
    """Return the device for `wanted`, where ``auto`` is CUDA if there is any.

    Raises:
        MissingBackendError: The device is not on this machine.
        InvalidInputError: torch knows no such device.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise InvalidInputError(f"device must be 'auto', 'cpu' or 'cuda', got {wanted!r}") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise MissingBackendError(name, f"needs {wanted}, {found} CUDA devices are here", "Use device 'cpu'.")
    return device


def load_model(name: str, model_class: Any, settings: SourceSettings, **options: Any) -> Any:
    """Return the model with every weight loaded, ready to run on its device.

    Raises:
        InvalidInputError: The weights are missing, damaged, or of another model.
        MissingBackendError: The device is not on this machine.
    """
    device = choose_device(name, settings.device)
    logging.disable_progress_bar()  # callers show progress of their own
    where = {"local_files_only": settings.is_offline}
    wanted = model_class.config_class.model_type
    hint = "Pass a folder with config.json and model.safetensors, or a name on the model hub."
    try:
        config, _ = model_class.config_class.get_config_dict(settings.weights, **where)
        if not config:
            raise OSError("there is no config.json")
        # transformers would fill what it cannot find with random numbers and only warn.
        if config.get("model_type") != wanted:
            raise InvalidInputError(
                f"weights of {name!r} must be of type {wanted!r}, got {config.get('model_type')!r}", hint=hint
            )
        model, loading = model_class.from_pretrained(
            settings.weights, output_loading_info=True, dtype=torch.float32, **where, **options
        )
    except InvalidInputError:
        raise
    except Exception as error:  # hub, file and safetensors errors share no base class
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InvalidInputError(
            f"weights of {name!r} cannot be loaded from {settings.weights!r}: {reason}", hint=hint
        ) from error
    lacking = sorted(loading["missing_keys"])
    if lacking:
        raise InvalidInputError(
            f"weights of {name!r} must hold every layer, {len(lacking)} lack, first {lacking[0]!r}", hint=hint
        )
    return model.to(device).eval()


def prepared(
    image: NDArray[np.uint8], height: int, width: int, mean: F32, deviation: F32, resample: Image.Resampling
) -> F32:
    """Return one picture [H, W, 3] as the network's input [3, height, width]."""
    if image.shape[:2] != (height, width):
        image = np.asarray(Image.fromarray(image).resize((width, height), resample))
    return ((image.astype(np.float32) / 255 - mean) / deviation).transpose(2, 0, 1)


def run_batches(
    name: str,
    images: NDArray[np.uint8],
    batch: int,
    infer: Callable[[NDArray[np.uint8]], tuple[Any, ...]],
    progress: Progress | None,
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Yield the first index and the answer of `infer` for every `batch` pictures.

    Raises:
        ModelFailedError: The device is out of memory.
    """
    if batch < 1:
        raise InvalidInputError(f"batch must be positive, got {batch}")
    for start in range(0, len(images), batch):
        if progress is not None:
            progress(start / len(images), "guessing depth")
        try:
            with torch.inference_mode():
                found = infer(images[start : start + batch])
        except torch.OutOfMemoryError as error:
            raise ModelFailedError(
                f"{name!r} ran out of memory on {min(batch, len(images))} pictures at once",
                hint="Use a smaller batch, smaller pictures or device 'cpu'.",
            ) from error
        yield start, found
    if progress is not None:
        progress(1.0, "guessing depth")


def at_size(values: torch.Tensor, height: int, width: int) -> F32:
    """Return maps [B, h, w] resampled to [B, height, width]; outer edges coincide."""
    full = torch.nn.functional.interpolate(
        values[:, None].float(), (height, width), mode="bilinear", align_corners=False
    )
    return np.ascontiguousarray(full[:, 0].cpu().numpy())


def require_finite(name: str, values: F32, first: int) -> None:
    """Refuse maps [B, H, W] that hold NaN or an infinity; `first` is the index of the first picture.

    Raises:
        ModelFailedError: Naming the picture.
    """
    bad = ~np.isfinite(values).all(axis=(1, 2))
    if bad.any():
        index = int(bad.argmax())
        count = int(np.count_nonzero(~np.isfinite(values[index])))
        raise ModelFailedError(
            f"{name!r} must give finite depths, got {count} that are not in picture {first + index}",
            hint="The weights are damaged or the model overflows; try device 'cpu'.",
        )
