"""What every source of frames offers, and the table that finds one by name.

A new generator is a module in this folder and one line in `_BACKENDS`. On the command line a backend is
NAME or NAME=MODEL, where MODEL is a folder of weights, a name on a model hub, or a hosted model's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from immersive.brief import SceneBrief
from reconstruction.errors import InvalidInputError
from reconstruction.frames import FrameSequence

from .made_world import MadeWorld

# Called with the share done, 0..1, and one short phrase for the terminal. Raises CancelledError to stop.
Progress = Callable[[float, str], None]


class Generator(Protocol):
    """Turns a brief into pictures of one place."""

    name: str
    notes: tuple[str, ...]  # of the last call, one sentence each, shown to the user

    def generate(self, brief: SceneBrief, progress: Progress) -> FrameSequence:
        """Return frames in the world frame (`reconstruction.conventions`).

        The same brief gives the same frames. Backends that know their cameras and depths fill them
        and choose `held_out` views, some of them >= 0.75 m from every training camera. A video model
        that knows no cameras leaves them None; they are then found as a clip's are.
        """
        ...


class ExtendingGenerator(Generator, Protocol):
    """A generator that can go on from a picture."""

    def film_on(
        self, brief: SceneBrief, picture: NDArray[np.uint8], number: int, progress: Progress
    ) -> FrameSequence:
        """Return a clip that begins with `picture` [H, W, 3] and whose camera goes on forward.

        `number` counts the clips before it. Cameras, if the model was told them, begin at the origin.
        """
        ...


class WorldGenerator(Protocol):
    """Turns a brief into splats at once; no pictures are filmed and nothing is fitted."""

    name: str
    notes: tuple[str, ...]  # as above

    def make_world(self, brief: SceneBrief, progress: Progress) -> MadeWorld:
        """Return a place in metres and the world frame, seen from an eye at the origin."""
        ...


ShowFrame = Callable[[NDArray[np.uint8]], object]


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """What a backend may be told; none of it is needed by the procedural one."""

    model: str | None = None  # folder of weights, name on a hub, or hosted model; None: the backend's usual
    most_cost_usd: float | None = None  # hosted: refuse before a call that would cost more; None: ask nothing
    journal: Path | None = None  # folder in which paid jobs are noted, so that a resumed call pays once
    device: str | None = None  # "cuda", "cpu", ...; None: the best there is
    image: Path | None = None  # a picture to begin with
    extends: bool = False  # will be asked to film on from a picture
    most_splats: int | None = None  # of a backend that makes splats and offers several sizes
    show_frame: ShowFrame = lambda image: (
        None
    )  # given frames [H, W, 3] sRGB as they are made, by some backends


@dataclass(frozen=True, slots=True)
class _Backend:
    module: str  # has `create(name, settings) -> Generator`; imported only when asked for
    is_paid: bool = False
    makes_splats: bool = False  # a `WorldGenerator`
    takes_image: bool = False  # can begin with a user's picture; of diffusion, some models can


_HOSTED = "immersive.generation.hosted.generator"
_BACKENDS: dict[str, _Backend] = {
    "procedural": _Backend("immersive.generation.procedural.generator"),
    "diffusion": _Backend("immersive.generation.diffusion.generator", takes_image=True),
    **{
        name: _Backend(_HOSTED, is_paid=True, takes_image=True)
        for name in ("videos", "gemini-omni", "veo", "runway")
    },
    "luma": _Backend(_HOSTED, is_paid=True),  # wants a picture's public address, which we have not
    "worlds": _Backend(
        "immersive.generation.hosted.worlds", is_paid=True, makes_splats=True, takes_image=True
    ),
}
DEFAULT_BACKEND = "procedural"


def parse_backend(text: str) -> tuple[str, str | None]:
    """Return name and model of NAME or NAME=MODEL.

    Raises:
        InvalidInputError: No backend has that name, or the model is empty.
    """
    name, separator, model = text.partition("=")
    if name not in _BACKENDS:
        raise InvalidInputError(
            f"unknown backend {name!r}", hint=f"Choose one of {', '.join(sorted(_BACKENDS))}."
        )
    if separator and not model:
        raise InvalidInputError(
            f"{text!r} names no model", hint=f"Write --backend {name}=MODEL, or leave it."
        )
    return name, model or None


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends."""
    return tuple(_BACKENDS)


def is_paid(name: str) -> bool:
    """Whether a call of this backend may cost money."""
    return _BACKENDS[name].is_paid


def makes_splats(name: str) -> bool:
    """Whether this backend is a `WorldGenerator`; the others are `Generator`s."""
    return _BACKENDS[name].makes_splats


def check_takes_image(name: str) -> None:
    """Raise InvalidInputError unless this backend can begin with a user's picture."""
    if not _BACKENDS[name].takes_image:
        others = ", ".join(other for other in _BACKENDS if _BACKENDS[other].takes_image)
        raise InvalidInputError(
            f"{name} makes places of words alone, it takes no picture to begin with",
            hint=f"Choose --backend {others}; or give a folder of photos of one place with --images.",
        )


def check_films_on(name: str) -> None:
    """Raise InvalidInputError unless this backend can go on from the last picture of a clip."""
    backend = _BACKENDS[name]
    if backend.takes_image and not backend.makes_splats:
        return
    others = [other for other, found in _BACKENDS.items() if found.takes_image and not found.makes_splats]
    if name == DEFAULT_BACKEND:
        hint = "Its places are as large as --size says: small, medium or large."
    else:
        hint = f"Choose --backend {', '.join(others)}; or leave out --extend."
    raise InvalidInputError(
        f"{name} goes on from no picture, so what it makes cannot be filmed further", hint=hint
    )


def load_generator(name: str, settings: BackendSettings | None = None) -> Generator:
    """Import and construct the backend called `name`.

    Raises:
        InvalidInputError: No backend has that name.
        MissingBackendError: Its packages are not installed.
    """
    generator: Generator = _load(name, settings)
    return generator


def load_extending_generator(name: str, settings: BackendSettings) -> ExtendingGenerator:
    """Import and construct the backend called `name`, one that passed `check_films_on`.

    Raises:
        InvalidInputError: Its model takes no picture.
        MissingBackendError: Its packages are not installed, or something that it needs is not set.
    """
    generator: ExtendingGenerator = _load(name, settings)
    return generator


def load_world_generator(name: str, settings: BackendSettings | None = None) -> WorldGenerator:
    """Import and construct the backend called `name`, one that makes splats.

    Raises:
        InvalidInputError: No backend has that name.
        MissingBackendError: Something that it needs is not set or installed.
    """
    generator: WorldGenerator = _load(name, settings)
    return generator


def about_usd(name: str, settings: BackendSettings) -> float | None:
    """Return about what one clip or world of this backend costs; None if it is not known.

    Raises:
        MissingBackendError: Something that it needs is not set or installed.
    """
    if not is_paid(name):
        return 0.0
    price: float | None = _load(name, settings).about_usd
    return price


def _load(name: str, settings: BackendSettings | None) -> Any:
    parse_backend(name)
    return import_module(_BACKENDS[name].module).create(name, settings or BackendSettings())
