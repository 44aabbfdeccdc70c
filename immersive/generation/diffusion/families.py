"""Which pipelines of diffusers film places, and what each wants: sizes, counts, inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# text: words. image: words and a first frame. path: those and our cameras. depth: words and depth pictures.
Needs = Literal["text", "image", "path", "depth"]


@dataclass(frozen=True, slots=True)
class Family:
    """How one pipeline class is called."""

    needs: Needs
    width: int
    height: int
    frames: int
    multiple: int  # of which width and height must be
    stride: int  # frame counts are a multiple of it, plus one
    steps: int
    has_negative: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    has_audio: bool = False
    # A frame batch of one clip stands first, except where the pipeline returns the clip alone.
    is_batched: bool = True
    has_callback: bool = True  # told of its steps by `callback_on_step_end`
    takes_size: bool = True  # width and height; without, a clip is as large as its first frame
    packages: tuple[str, ...] = ()  # that it wants besides those of every pipeline

    def sized(self, width: int, height: int, frames: int, steps: int) -> dict[str, int]:
        """Return the nearest size, count and steps of a clip."""
        return {
            "width": max(self.multiple, round(width / self.multiple) * self.multiple),
            "height": max(self.multiple, round(height / self.multiple) * self.multiple),
            "num_frames": max(1, round((frames - 1) / self.stride)) * self.stride + 1,
            "num_inference_steps": steps,
        }


_LTX2 = {"frame_rate": 24.0}
FAMILIES: dict[str, Family] = {
    "SanaWMPipeline": Family("path", 1280, 704, 161, 32, 8, 60, is_batched=False),
    "WanPipeline": Family("text", 832, 480, 81, 16, 4, 50, extra={"guidance_scale": 5.0}),
    "WanImageToVideoPipeline": Family("image", 832, 480, 81, 16, 4, 50, extra={"guidance_scale": 5.0}),
    "WanVACEPipeline": Family("depth", 832, 480, 81, 16, 4, 50, extra={"guidance_scale": 5.0}),
    "LTXPipeline": Family("text", 704, 512, 121, 32, 8, 50, extra={"guidance_scale": 3.0}),
    "LTXImageToVideoPipeline": Family("image", 704, 512, 121, 32, 8, 50, extra={"guidance_scale": 3.0}),
    "LTX2Pipeline": Family("text", 768, 512, 121, 32, 8, 40, extra=_LTX2, has_audio=True),
    "LTX2ImageToVideoPipeline": Family("image", 768, 512, 121, 32, 8, 40, extra=_LTX2, has_audio=True),
    "HunyuanVideo15Pipeline": Family("text", 848, 480, 121, 16, 4, 50, has_callback=False),
    "HunyuanVideo15ImageToVideoPipeline": Family(
        "image", 848, 480, 121, 16, 4, 50, has_callback=False, takes_size=False
    ),
    "CogVideoXPipeline": Family("text", 720, 480, 49, 16, 4, 50, extra={"guidance_scale": 6.0}),
    "CogVideoXImageToVideoPipeline": Family("image", 720, 480, 49, 16, 4, 50, extra={"guidance_scale": 6.0}),
    "Cosmos2VideoToWorldPipeline": Family(
        "image",
        1280,
        704,
        93,
        16,
        4,
        35,
        extra={"guidance_scale": 7.0},
        packages=("cosmos_guardrail", "torchvision"),
    ),
}
