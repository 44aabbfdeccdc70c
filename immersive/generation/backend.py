"""What every source of frames offers, and the table that finds one by name.

A new generator is a module in this folder and one line in `_BACKENDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from immersive.brief import SceneBrief
from reconstruction.errors import InvalidInputError
from reconstruction.frames import FrameSequence

# Called with the share done, 0..1, and one short phrase for the terminal. Raises CancelledError to stop.
Progress = Callable[[float, str], None]


class Generator(Protocol):
    """Turns a brief into pictures of one place."""

    name: str

    def generate(self, brief: SceneBrief, progress: Progress) -> FrameSequence:
        """Return frames in the world frame (`reconstruction.conventions`).

        The same brief gives the same frames. Backends that know their cameras and depths fill them
        and choose `held_out` views, some of them >= 0.75 m from every training camera.
        """
        ...


_BACKENDS = {"procedural": "immersive.generation.procedural.generator"}


def load_generator(name: str) -> Generator:
    """Import and construct the backend called `name`.

    Raises:
        InvalidInputError: No backend has that name.
    """
    module = _BACKENDS.get(name)
    if module is None:
        raise InvalidInputError(
            f"unknown generator {name!r}", hint=f"Choose one of {', '.join(sorted(_BACKENDS))}."
        )
    generator: Generator = import_module(module).create()
    return generator
