"""From a request to posed frames: understand and render a prompt, or read and pose footage."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import immersive
from reconstruction.conventions import F32
from reconstruction.frames import FrameSequence
from reconstruction.posed_frames import PosedFrames

from .brief import SceneBrief
from .moderating import moderate_frames, moderate_world, sees_pictures
from .request import CreateRequest
from .stage_results import arrays_from_frames, frames_from_arrays
from .stage_runner import StageRunner, Update
from .stages import StageStore, stage_digest
from .world_source import WorldSource, read_world

if TYPE_CHECKING:
    from .generation.backend import BackendSettings

# Footage is told apart by its bytes; a folder by those of every picture in it.
_HASH_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """Frames as a backend made them, and what is to be told of them."""

    frames: FrameSequence
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Posed frames with whatever is known of their geometry."""

    frames: FrameSequence  # cameras are never None
    points: F32 | None  # [P, 3] metres; None where frames have depths
    colors: NDArray[np.uint8] | None  # [P, 3]
    is_indoor: bool
    title: str
    brief: SceneBrief | None
    notes: tuple[str, ...]
    film: Film | None = None  # where it may be filmed further


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """A source before the work: its digest names every result that follows from it."""

    digest: str
    brief: SceneBrief | None
    read: Callable[[StageRunner], Source | WorldSource]


def plan_source(request: CreateRequest, store: StageStore | None = None) -> PlannedSource:
    """Check the source of a request and name it; renders and decodes nothing.

    Args:
        request: What is asked for. Its brief, if it has one, is what is built.
        store: Keeps what a language model answers, so that the same prompt is asked once.

    Raises:
        InvalidInputError: The prompt, file or folder cannot be used.
    """
    if request.prompt is not None:
        from .prompt_brief import brief_of

        brief = request.brief or brief_of(
            request.prompt,
            seed=request.seed,
            size=request.size,
            detail=request.quality,
            environment=os.environ,
            store=store,
        )
        digest = stage_digest(
            "frames", brief.digest(), immersive.__version__, *_backend(request), *_image(request)
        )
        return PlannedSource(digest, brief, lambda runner: _generate(brief, request, digest, runner))
    path = request.video or request.images
    assert path is not None  # CreateRequest takes exactly one source
    digest = stage_digest(
        "frames",
        request.kind,
        _content_digest(path),
        request.quality,
        immersive.__version__,
        *_depth(request),
        *_height(request),
    )
    return PlannedSource(digest, None, lambda runner: _read_footage(path, request, digest, runner))


def _generate(
    brief: SceneBrief, request: CreateRequest, digest: str, runner: StageRunner
) -> Source | WorldSource:
    from .generation.backend import load_generator, makes_splats, parse_backend

    name, _ = parse_backend(request.backend)
    title = request.title or _title(brief.prompt)
    settings = backend_settings(request, runner)
    if makes_splats(name):
        made = read_world(name, settings, brief, title, digest, runner)
        moderate_world(request, runner, digest, made.world)
        return made

    def make(update: Update) -> Film:
        generator = load_generator(name, settings)
        return Film(generator.generate(brief, update), generator.notes)

    film = keep_film(runner, "Rendering frames", digest, make)
    moderate_frames(request, runner, digest, film.frames)
    source = posed_source(runner, digest, brief, title, film)
    return source if request.extend else replace(source, film=None)  # a clip at full size is 200 MB


def backend_settings(request: CreateRequest, runner: StageRunner) -> BackendSettings:
    """Return what a request's backend is told."""
    from .fitting_plan import plan_for
    from .generation.backend import BackendSettings, parse_backend

    growing = runner.growing
    return BackendSettings(
        parse_backend(request.backend)[1],
        request.most_cost_usd,
        journal=runner.store.folder.parent / "paid",
        image=request.image,
        extends=request.extend > 0,
        most_splats=plan_for(request).lift.splat_count,
        # What moderation is to look at is shown to nobody before.
        **({"show_frame": growing.show_frame} if growing and not sees_pictures(request) else {}),
    )


def keep_film(runner: StageRunner, label: str, digest: str, make: Callable[[Update], Film]) -> Film:
    """Return what `make` films, or what it filmed before under this digest."""
    return runner.run_kept("frames", label, digest, make, _arrays_from_film, _film_from_arrays)


def posed_source(runner: StageRunner, digest: str, brief: SceneBrief, title: str, film: Film) -> Source:
    """Return a film with its cameras, in the world frame; `digest` names the film.

    Raises:
        UnliftableInputError: The frames do not overlap or show too little parallax.
    """
    from .generation.clip import pose_generated

    frames = film.frames
    if frames.depths is not None:
        seen = frames.in_world_frame()
        return Source(seen, None, None, brief.is_indoor, title, brief, film.notes, film)
    # Kept apart from the frames: a clip that was waited or paid for is not lost when it cannot be lifted.
    posed = runner.run_kept(
        "pose",
        "Finding cameras",
        stage_digest("pose", digest, immersive.__version__),
        lambda update: pose_generated(frames, update),
        _take_apart,
        _put_together,
    )
    seen = replace(posed.frames, audio=frames.audio)
    notes = (*film.notes, *posed.report.notes)
    return Source(seen, posed.points, posed.colors, brief.is_indoor, title, brief, notes, film)


def _read_footage(path: Path, request: CreateRequest, digest: str, runner: StageRunner) -> Source:
    from .generation.clip import load_clip, load_photos

    load = load_clip if request.kind == "video" else load_photos

    def read(update: Update) -> PosedFrames:
        depths = None
        if request.depth is not None:
            from reconstruction.learned.sources import SourceSettings, load_depth_source

            name, weights = request.depth_source
            depths = load_depth_source(name, SourceSettings(weights))  # fails before minutes of matching
        return load(path, depths=depths, camera_height_m=request.camera_height_m, progress=update)

    posed = runner.run_kept(
        "frames",
        "Finding cameras",
        digest,
        read,
        _take_apart,
        _put_together,
    )
    moderate_frames(request, runner, digest, posed.frames)
    return Source(
        frames=posed.frames,
        points=posed.points,
        colors=posed.colors,
        is_indoor=False,
        title=request.title or _title(path.stem.replace("_", " ").replace("-", " ")),
        brief=None,
        notes=posed.report.notes,
    )


def _arrays_from_film(film: Film) -> tuple[dict[str, NDArray], dict[str, Any]]:
    arrays, facts = arrays_from_frames(film.frames)
    return arrays, facts | {"notes": list(film.notes)}


def _film_from_arrays(arrays: dict[str, NDArray], facts: dict[str, Any]) -> Film:
    return Film(frames_from_arrays(arrays, facts), tuple(facts.get("notes", ())))


def _take_apart(posed: PosedFrames) -> tuple[dict[str, NDArray], dict[str, Any]]:
    arrays, facts = arrays_from_frames(posed.frames)
    figures = posed.report.figures
    report = {**asdict(posed.report), "figures": None if figures is None else asdict(figures)}
    return arrays | {"points": posed.points, "colors": posed.colors}, facts | {"report": report}


def _put_together(arrays: dict[str, NDArray], facts: dict[str, Any]) -> PosedFrames:
    from reconstruction.posed_frames import ParallaxFigures, PoseReport

    report = dict(facts["report"])
    if report["figures"] is not None:
        report["figures"] = ParallaxFigures(**report["figures"])
    report["notes"] = tuple(report["notes"])
    frames = frames_from_arrays(arrays, facts)
    return PosedFrames(frames, arrays["points"], arrays["colors"], PoseReport(**report))


def _title(text: str) -> str:
    """Return a prompt or file name as a title: one line, first letter large, at most 80 characters."""
    line = " ".join(text.split())
    short = line if len(line) <= 80 else line[:79].rsplit(" ", 1)[0] + "…"
    return short[:1].upper() + short[1:]


def _backend(request: CreateRequest) -> tuple[str, ...]:
    """Return what names a backend other than the usual in a digest, and the bytes of its own weights."""
    from .generation.backend import DEFAULT_BACKEND, makes_splats, parse_backend

    name, model = parse_backend(request.backend)
    if name == DEFAULT_BACKEND:
        return ()
    is_folder = model is not None and Path(model).exists()
    named = name, _content_digest(Path(model)) if is_folder and model else str(model)
    return (*named, f"at most {request.splats} splats") if makes_splats(name) and request.splats else named


def _image(request: CreateRequest) -> tuple[str, ...]:
    """Return what names the picture to begin with in a digest: its bytes, whatever it is called."""
    if request.image is None:
        return ()
    return ("begins with", hashlib.sha256(request.image.read_bytes()).hexdigest())


def _depth(request: CreateRequest) -> tuple[str, ...]:
    """Return what names the depth model and its weights in a digest; nothing without one."""
    if request.depth is None:
        return ()
    name, weights = request.depth_source
    return name, _content_digest(Path(weights)) if Path(weights).exists() else weights


def _height(request: CreateRequest) -> tuple[str, ...]:
    return () if request.camera_height_m is None else (f"camera at {request.camera_height_m!r} m",)


def _content_digest(path: Path) -> str:
    files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.relative_to(path.parent).as_posix().encode())
        with file.open("rb") as stream:
            while block := stream.read(_HASH_BLOCK):
                whole.update(block)
    return whole.hexdigest()
