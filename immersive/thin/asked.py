"""What a device asks its pictures to be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streaming.errors import ProtocolError
from streaming.messages import PICTURE_KINDS

PictureKind = Literal["jpeg", "webp"]  # of `PICTURE_KINDS`
MEDIA_TYPES = {"jpeg": "image/jpeg", "webp": "image/webp"}

LEAST_SIDE_PX, MOST_SIDE_PX = 64, 1280
MOST_PIXELS = 1280 * 720  # 40 CPU-ms; head-up displays have 360,000
DEFAULT_SIZE = (600, 600)  # of the glasses that show web pages
# The cone that holds the picture, as everywhere on the wire: 52 degrees from side to side of a square.
DEFAULT_FOV_DEG = 70.0
LEAST_FOV_DEG, MOST_FOV_DEG = 20.0, 120.0
EYES_APART_M = 0.063


@dataclass(frozen=True, slots=True)
class Asked:
    """One device's wishes.

    `stereo` is two eyes side by side in a picture of `width`. `additive` is for displays that add light to
    what one sees through them: black is clear, so there is no sky, and what is dim is made brighter.
    """

    width: int = DEFAULT_SIZE[0]
    height: int = DEFAULT_SIZE[1]
    kind: PictureKind = "jpeg"
    stereo: bool = False
    additive: bool = False

    def __post_init__(self) -> None:
        sides = (self.width, self.height)
        if not all(LEAST_SIDE_PX <= side <= MOST_SIDE_PX for side in sides) or math.prod(sides) > MOST_PIXELS:
            raise ProtocolError(
                f"size must be {LEAST_SIDE_PX} to {MOST_SIDE_PX} pixels a side and at most {MOST_PIXELS:,} "
                f"in all, got {self.width}x{self.height}"
            )
        if self.stereo and self.width % 2:
            raise ProtocolError(f"size of two eyes must be even in width, got {self.width}")
        if self.kind not in PICTURE_KINDS:
            raise ProtocolError(f"kind must be one of {', '.join(PICTURE_KINDS)}, got {self.kind!r:.40}")

    @property
    def eye_width(self) -> int:
        """Pixels of one eye's picture."""
        return self.width // 2 if self.stereo else self.width


def asked_in(query: Mapping[str, str]) -> Asked:
    """Return what a query asks for: `size=600x600`, `kind=jpeg`, `stereo=1`, `additive=1`.

    Raises:
        ProtocolError: A parameter is not what it should be.
    """
    width, height = _size(query.get("size", f"{DEFAULT_SIZE[0]}x{DEFAULT_SIZE[1]}"))
    kind = query.get("kind", "jpeg")
    if kind not in PICTURE_KINDS:
        raise ProtocolError(f"kind must be one of {', '.join(PICTURE_KINDS)}, got {kind!r:.40}")
    return Asked(width, height, kind, stereo=_flag(query, "stereo"), additive=_flag(query, "additive"))


def _size(text: str) -> tuple[int, int]:
    parts = text.split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 5 for part in parts):
        raise ProtocolError(f"size must look like 600x600, got {text!r:.40}")
    return int(parts[0]), int(parts[1])


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "0")
    if value not in ("0", "1"):
        raise ProtocolError(f"{name} must be 0 or 1, got {value!r:.40}")
    return value == "1"
