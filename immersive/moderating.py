"""Where moderation is asked in the course of a creation; who is asked, `generation.moderation` decides.

What is refused leaves nothing: results of the stages that it came from are forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reconstruction.frames import FrameSequence

from .errors import RefusedError
from .request import CreateRequest
from .stage_runner import StageRunner

if TYPE_CHECKING:
    from .generation.made_world import MadeWorld
    from .generation.moderation import Moderator

Pictures = list[NDArray[np.uint8]]


def moderate_prompt(request: CreateRequest) -> None:
    """Return if a scene may be made of prompt, title and first picture of a request.

    Raises:
        RefusedError: It may not.
        HostedError: Nobody could look.
    """
    moderate_text("\n".join(part for part in (request.prompt, request.title) if part), request)
    moderator = _moderator(request)
    if request.image is not None and moderator is not None and moderator.sees_pictures:
        from .generation.start_picture import read_start

        moderator.check_pictures([read_start(request.image)])


def moderate_text(text: str, request: CreateRequest) -> None:
    """Return if places may be made of a text, by the rules of a request. Raises as `moderate_prompt`."""
    moderator = _moderator(request)
    if moderator is not None and text.strip():
        moderator.check_prompt(text)


def sees_pictures(request: CreateRequest) -> bool:
    """Whether somebody looks at the pictures that come of a request."""
    moderator = _moderator(request)
    return moderator is not None and moderator.sees_pictures


def moderate_frames(request: CreateRequest, runner: StageRunner, digest: str, frames: FrameSequence) -> None:
    """Return if frames may be shown; else forget the stage that made them and raise as `moderate_prompt`."""
    from .generation.moderation import few_of

    _moderate(request, runner, digest, lambda: few_of(frames.images))


def moderate_world(request: CreateRequest, runner: StageRunner, digest: str, world: MadeWorld) -> None:
    """Return if a made world may be shown, as `moderate_frames` does."""

    def draw() -> Pictures:
        from reconstruction.look_around import views_around
        from reconstruction.rasterizers.draw import draw_each

        return [
            np.rint(255 * np.clip(picture.image, 0.0, 1.0)).astype(np.uint8)
            for picture in draw_each(world.cloud, views_around())
        ]

    _moderate(request, runner, digest, draw)


def _moderate(
    request: CreateRequest, runner: StageRunner, digest: str, pictures: Callable[[], Pictures]
) -> None:
    moderator = _moderator(request)
    if moderator is None or not moderator.sees_pictures:
        return
    try:
        runner.run("moderate", "Looking at the pictures", lambda update: moderator.check_pictures(pictures()))
    except RefusedError:  # not where nobody could look: what took minutes is looked at by the next call
        runner.store.forget(digest)
        raise


def _moderator(request: CreateRequest) -> Moderator | None:
    from .generation.moderation import moderator_for

    return moderator_for(request.moderation, os.environ, is_shared=request.is_shared)
