"""What a user may ask of `create`, checked before anything is read, allocated or written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from reconstruction.errors import InvalidInputError

from .brief import Detail, SceneBrief, Size

SourceKind = Literal["prompt", "video", "images"]

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
MOST_SPLATS = 4_000_000  # beyond it 4 GB of memory would not do
MOST_CLIPS_FURTHER = 8  # each drifts a little from the last; after a minute little is left of the place
SEED_LIMIT = 2**32  # what NumPy's generators take from every platform


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """One call of `create`: exactly one source, and how large and how good the scene should be.

    A brief is a prompt that is understood already; it brings its own prompt, seed, size and quality.
    """

    prompt: str | None = None
    brief: SceneBrief | None = None
    video: Path | None = None
    images: Path | None = None
    image: Path | None = None  # a picture that a prompt's place begins with, where the backend takes one
    seed: int = 0
    size: Size = "medium"
    quality: Detail = "draft"
    title: str | None = None  # None: made from the source
    backend: str = "procedural"  # what makes a prompt's frames: NAME or NAME=MODEL
    most_cost_usd: float | None = None  # of a hosted backend; None: no limit
    extend: int = 0  # most clips that are filmed further where little of the place can be walked
    budget_s: float | None = None  # CPU-seconds of fitting; None: what the quality allows
    enough_db: float | None = None  # PSNR of the pictures at which fitting may end early; None: never
    splats: int | None = None  # most splats; None: what the quality allows
    camera_height_m: float | None = None  # of footage, above the ground; None: the size is guessed
    depth: str | None = None  # a learned depth source for footage, NAME or NAME=WEIGHTS; None: stereo
    moderation: str | None = None  # off, words or http; None: IMMERSIVE_MODERATION, else as `is_shared` says
    is_shared: bool = False  # made for others than whoever runs this: somebody looks at it by default
    licence: str | None = None  # what others may do with the scene, one line
    credit: str | None = None  # who is to be named, one line

    def __post_init__(self) -> None:
        if self.brief is not None:
            if self.prompt not in (None, self.brief.prompt):
                raise InvalidInputError("a prompt and a brief were given", hint="Give one of them.")
            own = (("prompt", "prompt"), ("seed", "seed"), ("size", "size"), ("quality", "detail"))
            for name, of_brief in own:
                object.__setattr__(self, name, getattr(self.brief, of_brief))
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
        if self.budget_s is not None and not 1 <= self.budget_s <= 86_400:
            raise InvalidInputError(f"budget must be from 1 second to a day, got {self.budget_s:g} s")
        if self.enough_db is not None and not 10 <= self.enough_db <= 60:
            raise InvalidInputError(f"budget must be from 10 to 60 dB, got {self.enough_db:g} dB")
        if self.splats is not None and not 100 <= self.splats <= MOST_SPLATS:
            raise InvalidInputError(f"splats must be from 100 to {MOST_SPLATS:,}, got {self.splats:,}")
        for name in ("video", "images"):
            path = getattr(self, name)
            if path is not None and not path.exists():
                raise InvalidInputError(f"{name} not found: {path}", hint="Check the path.")
        if self.camera_height_m is not None:
            if self.prompt is not None:
                raise InvalidInputError(
                    "a camera height is for a video or images, a prompt's scene has its size"
                )
            from reconstruction.placement import check_camera_height

            check_camera_height(self.camera_height_m)
        if self.depth is not None:
            self._check_depth()
        self._check_backend()
        from .licensing import check_line

        check_line("licence", self.licence)
        check_line("credit", self.credit)
        from .generation.moderation import check_moderation

        check_moderation(self.moderation)

    def _check_backend(self) -> None:
        from .generation.backend import DEFAULT_BACKEND, is_paid, makes_splats, parse_backend

        name, _ = parse_backend(self.backend)
        if self.backend != DEFAULT_BACKEND and self.prompt is None:
            raise InvalidInputError("a backend is for a prompt, footage has its pictures already")
        if makes_splats(name) and (self.budget_s is not None or self.enough_db is not None):
            raise InvalidInputError(f"a budget is for fitting, and what {name} makes is fitted already")
        if self.image is not None:
            self._check_image(name)
        if self.extend:
            self._check_extend(name)
        if self.most_cost_usd is not None:
            if not 0 <= self.most_cost_usd <= 10_000:
                raise InvalidInputError(f"a cost limit must be from 0 to 10,000, got {self.most_cost_usd:g}")
            if not is_paid(name):
                raise InvalidInputError(f"a cost limit is for hosted backends, {name} costs nothing")

    def _check_image(self, backend: str) -> None:
        from reconstruction.photos import picture_size

        from .generation.backend import check_takes_image

        if self.prompt is None:
            raise InvalidInputError(
                "a picture to begin with needs a prompt", hint="Say in a few words what the place is."
            )
        check_takes_image(backend)
        if self.image is not None:
            picture_size(self.image)

    def _check_extend(self, backend: str) -> None:
        from .generation.backend import check_films_on

        if not 0 <= self.extend <= MOST_CLIPS_FURTHER:
            raise InvalidInputError(f"extend must be from 0 to {MOST_CLIPS_FURTHER} clips, got {self.extend}")
        if self.prompt is None:
            raise InvalidInputError("extend is for a prompt's place, footage ends where it ends")
        check_films_on(backend)

    def _check_depth(self) -> None:
        from reconstruction.learned.sources import depth_source_names

        if self.prompt is not None:
            raise InvalidInputError("depth is for a video or images, a prompt's scene has its own")
        name, weights = self.depth_source
        if name not in depth_source_names() or not weights:
            raise InvalidInputError(
                f"depth must be one of {', '.join(depth_source_names())}, got {self.depth!r}",
                hint="For example: --depth depth-anything, or --depth depth-anything=folder/of/weights.",
            )

    @property
    def depth_source(self) -> tuple[str, str]:
        """Name and weights of the learned depth source; the name's usual weights if none are given."""
        from reconstruction.learned.sources import DEFAULT_WEIGHTS

        name, separator, weights = (self.depth or "").partition("=")
        return name, weights if separator else DEFAULT_WEIGHTS.get(name, "")

    @property
    def kind(self) -> SourceKind:
        """Which of the three sources is given."""
        if self.prompt is not None:
            return "prompt"
        return "video" if self.video is not None else "images"


def seconds_from(name: str, text: str) -> int:
    """Return the seconds of a span such as 90s, 30m, 12h, 7d or 2w.

    Raises:
        InvalidInputError: It is not one; `name` says what was asked for.
    """
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip())
    if match is None or int(match[1]) == 0:
        raise InvalidInputError(
            f"{name} must be a span such as 90s, 30m, 12h, 7d or 2w, got {text!r}",
            hint=f"For example: --{name} 30m",
        )
    return int(match[1]) * _UNITS_S[match[2]]


def bytes_from(name: str, text: str) -> int:
    """Return the bytes of a size such as 8MB, 800KB, 1.5MiB or 500000; KB is 1000, KiB is 1024.

    Raises:
        InvalidInputError: It is not one, or less than a byte; `name` says what was asked for.
    """
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?) ?(?:([kmg])(i?)b|b)?", text.strip(), re.IGNORECASE)
    size = 0
    if match is not None:
        base = 1024 if match[3] else 1000
        size = int(float(match[1]) * base ** " kmg".index((match[2] or " ").lower()))
    if size < 1:
        raise InvalidInputError(
            f"{name} must be a size such as 8MB, 800KB or 1.5MiB, got {text!r}",
            hint=f"For example: --{name} 8MB",
        )
    return size


def spoken_bytes(size: int) -> str:
    """Return bytes as people say them, in powers of ten."""
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} KB"


def budget_from(text: str) -> tuple[int | None, float | None]:
    """Return the seconds, or the decibels, of a budget such as 30s, 10m or 28dB; the other is None.

    Raises:
        InvalidInputError: It is neither.
    """
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,2})?) ?db", text.strip(), re.IGNORECASE)
    if match is not None:
        return None, float(match[1])
    try:
        return seconds_from("budget", text), None
    except InvalidInputError as error:
        raise InvalidInputError(
            f"budget must be CPU time such as 30s or 10m, or a quality such as 28dB, got {text!r}",
            hint="For example: --budget 30s",
        ) from error
