"""What a user may ask of `create`, checked before anything is read, allocated or written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from reconstruction.errors import InvalidInputError

from .brief import Detail, Size

SourceKind = Literal["prompt", "video", "images"]

SEED_LIMIT = 2**32  # what NumPy's generators take from every platform


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """One call of `create`: exactly one source, and how large and how good the scene should be."""

    prompt: str | None = None
    video: Path | None = None
    images: Path | None = None
    seed: int = 0
    size: Size = "medium"
    quality: Detail = "draft"
    title: str | None = None  # None: made from the source

    def __post_init__(self) -> None:
        given = [name for name in ("prompt", "video", "images") if getattr(self, name) is not None]
        if len(given) != 1:
            found = "none" if not given else " and ".join(given)
            raise InvalidInputError(
                f"a scene is made from one source: a prompt, a video or a folder of images; got {found}",
                hint='For example: immersive create "a cabin by a lake", or --video walk.mp4.',
            )
        if not 0 <= self.seed < SEED_LIMIT:
            raise InvalidInputError(
                f"seed must be from 0 to {SEED_LIMIT - 1}, got {self.seed}", hint="Any small number will do."
            )
        for name, choices in (("size", get_args(Size)), ("quality", get_args(Detail))):
            if getattr(self, name) not in choices:
                raise InvalidInputError(
                    f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}"
                )
        for name in ("video", "images"):
            path = getattr(self, name)
            if path is not None and not path.exists():
                raise InvalidInputError(f"{name} not found: {path}", hint="Check the path.")

    @property
    def kind(self) -> SourceKind:
        """Which of the three sources is given."""
        if self.prompt is not None:
            return "prompt"
        return "video" if self.video is not None else "images"
