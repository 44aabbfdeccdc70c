"""Films a place further along its path while little of it can be walked, and keeps the larger scene.

A further clip begins with the last picture of the one before. All clips are lifted together as one sequence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import immersive
from reconstruction.cameras import Cameras
from reconstruction.errors import ModelFailedError, UnliftableInputError
from reconstruction.frames import FrameSequence
from reconstruction.posed_frames import choose_held_out
from reconstruction.reports import QualityReport
from reconstruction.walkability import REACHABLE_INDOORS_M2, REACHABLE_OUTDOORS_M2
from reconstruction.walkable_space import WalkableSpace

from .errors import RefusedError, TooDearError
from .moderating import moderate_frames
from .request import CreateRequest
from .sources import Film, Source, backend_settings, keep_film, posed_source
from .stage_results import FittedScene
from .stage_runner import StageRunner, Update
from .stages import stage_digest

if TYPE_CHECKING:
    from .generation.backend import ExtendingGenerator

# Of all clips together, as many as of one: matching and fitting take time in proportion.
MOST_FRAMES = 100


@dataclass(frozen=True, slots=True, eq=False)
class LiftedScene:
    """A source that became splats, and how good and how walkable they are."""

    source: Source
    digest: str  # names the source and what follows from it
    fitted: FittedScene
    quality: QualityReport
    pairs: list[NDArray[np.uint8]]
    space: WalkableSpace

    @property
    def area_m2(self) -> float:
        """How much can be reached on foot."""
        return self.space.report.reachable_m2

    @property
    def rank(self) -> tuple[bool, float]:
        """Compares scenes: more ground is better, but not of a poor scene."""
        return "poor" not in (self.quality.verdict, self.space.report.verdict), self.area_m2


Lift = Callable[[str, Source], LiftedScene]  # of a source and its digest


def extended(runner: StageRunner, request: CreateRequest, first: LiftedScene, lift: Lift) -> LiftedScene:
    """Return the best scene of at most `request.extend` clips more; its notes say what happened.

    A clip that costs too much, shows nothing or what moderation refuses, or cannot be joined to the others
    ends it; so does one that makes the scene no better.

    Raises:
        HostedError: A service failed. The same call goes on with what was ordered.
    """
    source = first.source
    assert source.brief is not None  # requests without a prompt are not extended
    # What the report on walkability wants: of less, it complains.
    wanted_m2 = REACHABLE_INDOORS_M2 if source.is_indoor else REACHABLE_OUTDOORS_M2
    if first.area_m2 >= wanted_m2:
        enough = f"{_m2(first)} can be walked, {wanted_m2:g} are enough: nothing was filmed further"
        return _told(first, enough)
    best, clips, end = first, 0, ""
    further = _film_further(runner, request, first)
    while clips < request.extend and best.area_m2 < wanted_m2 and not end:
        try:
            digest, film = next(further)
            clips += 1
            posed = posed_source(runner, digest, source.brief, source.title, film)
            scene = lift(digest, posed)
        except TooDearError as error:
            end = str(error)
        except ModelFailedError as error:
            end = f"another clip came to nothing, as {error}"
        except RefusedError as error:
            end = f"another clip was not used: {error}"
        except UnliftableInputError as error:
            end = f"the last clip could not be joined: {error}"
        else:
            if scene.rank > best.rank:
                best = scene
            else:
                end = f"the last clip was left out, {_m2(scene)} could be walked with it"
    return _told(best, _sentence(first, best, clips, end))


def _sentence(first: LiftedScene, best: LiftedScene, clips: int, end: str) -> str:
    filmed = f"filmed {clips or 'no'} {'clip' if clips == 1 else 'clips'} further"
    grew = f"{_m2(first)} stay as they were" if best is first else f"{_m2(first)} became {_m2(best)}"
    return f"{filmed}: {grew}{f'; {end}' if end else ''}"


def _m2(scene: LiftedScene) -> str:
    return f"{scene.area_m2:.0f} m2"


def _told(scene: LiftedScene, note: str) -> LiftedScene:
    return replace(scene, source=replace(scene.source, notes=(*scene.source.notes, note)))


def _film_further(
    runner: StageRunner, request: CreateRequest, first: LiftedScene
) -> Iterator[tuple[str, Film]]:
    """Yield the whole film with one clip more each time, and its digest; without end."""
    digest, brief, whole = first.digest, first.source.brief, first.source.film
    assert brief is not None and whole is not None
    loaded: list[ExtendingGenerator] = []
    for number in count(1):
        picture = whole.frames.images[-1]
        shown = hashlib.sha256(picture.tobytes()).hexdigest()
        digest = stage_digest("further", digest, shown, immersive.__version__)

        def make(update: Update, picture: NDArray[np.uint8] = picture, number: int = number) -> Film:
            from .generation.backend import load_extending_generator, parse_backend

            if not loaded:  # a large model takes minutes to load
                name, _ = parse_backend(request.backend)
                loaded.append(load_extending_generator(name, backend_settings(request, runner)))
            frames = loaded[0].film_on(brief, picture, number, update)
            return Film(frames, loaded[0].notes)

        clip = keep_film(runner, f"Filming on {number}/{request.extend}", digest, make)
        moderate_frames(request, runner, digest, clip.frames)
        whole = Film(joined(whole.frames, clip.frames), (*whole.notes, *clip.notes))
        yield digest, replace(whole, frames=thinned(whole.frames))


def joined(film: FrameSequence, clip: FrameSequence) -> FrameSequence:
    """Return a film and the clip that began with its last picture as one sequence, that picture once.

    Sound and provenance are the film's; a clip of another size is cut to the film's. Cameras and depths are
    known where they are of both.
    """
    from .generation.start_picture import cut_to

    height, width = film.images.shape[1:3]
    added = [cut_to(image, width, height) for image in clip.images[1:]]
    images = np.concatenate([film.images, np.stack(added)]) if added else film.images
    cameras = None
    if film.cameras is not None and clip.cameras is not None:
        own = clip.cameras.resized(width, height)
        # The clip's first camera is the film's last one.
        seen = np.linalg.inv(film.cameras.viewmats[-1].astype(np.float64)) @ own.viewmats[0]
        moved = own.moved(seen).subset(range(1, len(own)))
        cameras = Cameras(
            np.concatenate([film.cameras.viewmats, moved.viewmats]),
            np.concatenate([film.cameras.Ks, moved.Ks]),
            width,
            height,
        )
    depths = None
    if film.depths is not None and clip.depths is not None and clip.depths.shape[1:] == (height, width):
        depths = np.concatenate([film.depths, clip.depths[1:]])
    held_out = () if cameras is None else choose_held_out(len(images))
    return replace(film, images=images, cameras=cameras, depths=depths, held_out=held_out)


def thinned(film: FrameSequence) -> FrameSequence:
    """Return at most `MOST_FRAMES` frames, evenly spread, the first and the last among them."""
    if len(film) <= MOST_FRAMES:
        return film
    kept = np.rint(np.linspace(0, len(film) - 1, MOST_FRAMES)).astype(int).tolist()
    few = film.subset(kept)
    return replace(few, held_out=() if few.cameras is None else choose_held_out(len(few)))
