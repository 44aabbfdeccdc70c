"""The whole way: a request becomes frames, splats, reports, an asset, and a scene behind a link.

Every costly stage is kept under the digest of what it reads, so an interrupted call resumes where it
stopped and an equal request finds its scene in the catalog.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import immersive
from reconstruction.audio import AudioTrack
from reconstruction.frames import FrameSequence, Landmark, Provenance
from reconstruction.reports import QualityReport
from reconstruction.splats import SplatCloud
from reconstruction.walkable_space import WalkableSpace, WalkSettings
from streaming.asset import SoundLoop, SplatAsset

from .brief import SceneBrief
from .camera_path import camera_path
from .catalog import Catalog, SceneRecord
from .drafts import Drafts
from .growing import Growing
from .home import home_folder
from .licensing import with_terms
from .moderating import moderate_prompt, sees_pictures
from .pictures import write_pairs
from .poster import ensure_poster
from .progress import Reporter, Silent
from .request import CreateRequest
from .share import Links, ShareLink
from .sources import PlannedSource, Source, plan_source
from .stage_results import (
    FittedScene,
    arrays_from_fit,
    arrays_from_space,
    fit_from_arrays,
    space_from_arrays,
)
from .stage_runner import StageRunner, StageTime, Update
from .stages import StageStore, stage_digest
from .world_source import WorldSource, make_walkable

if TYPE_CHECKING:
    from reconstruction.optimize import FitProgress

    from .extension import LiftedScene
    from .fitting_plan import FittingPlan


@dataclass(frozen=True, slots=True)
class SceneRecipe:
    """What a scene will be made from and how; its digest finds an equal scene in the catalog."""

    request: CreateRequest
    planned: PlannedSource
    plan: FittingPlan
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class BuiltScene:
    """A finished scene that is not yet in the catalog."""

    asset: SplatAsset
    pairs: list[NDArray[np.uint8]]  # truth | render of the held-out frames
    backend: str
    prompt: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreatedScene:
    """A finished scene and what this call took."""

    record: SceneRecord
    link: ShareLink
    brief: SceneBrief | None  # None: made from a clip or photos
    notes: tuple[str, ...]  # what was guessed or lost on the way, one sentence each
    stages: tuple[StageTime, ...]
    cpu_seconds: float
    wall_seconds: float
    peak_memory_bytes: int
    pictures: Path  # folder of held-out truth | render pictures


def create(prompt: str | None = None, *, home: Path | None = None, **options: Any) -> SceneRecord:
    """Make a scene and return its record; the one call for programs.

    Args:
        prompt: One or more sentences. Give `video=` or `images=` (a path) instead for footage, or `image=`
            with it, a picture that the place begins with.
        home: Where scenes live. None: `IMMERSIVE_HOME`, else `~/.immersive`.
        options: Fields of `request.CreateRequest`: `seed`, `size`, `quality`, `title`.

    Raises:
        ImmersiveError: The input cannot become a scene; `.hint` says what to do.
    """
    paths = {name: Path(options[name]) for name in ("video", "images", "image") if options.get(name)}
    request = CreateRequest(prompt=prompt, **options | paths)
    return create_scene(request, home=home or home_folder()).record


def create_scene(
    request: CreateRequest,
    *,
    home: Path,
    reporter: Reporter | None = None,
    on_link: Callable[[ShareLink], object] = lambda link: None,
) -> CreatedScene:
    """Make a scene, store it in the catalog of `home` and give it a private link.

    Args:
        request: What is asked for.
        home: The data folder.
        reporter: Told what is being done.
        on_link: Given the link as soon as it opens, which is before there is anything of the scene.

    Raises:
        ImmersiveError: The input cannot become a scene. Nothing of it is left in the catalog.
    """
    wall, cpu = time.monotonic(), time.process_time()
    runner = StageRunner(StageStore(home / "stages"), reporter or Silent())
    recipe = plan_scene(runner, request)
    catalog = Catalog(home)
    try:
        links: list[ShareLink] = []

        def linked(scene_id: str) -> None:
            links.append(Links(catalog).create(scene_id))
            on_link(links[0])

        record, notes = make_record(runner, catalog, recipe, linked)
        link = replace(links[0], scene_id=record.id)  # an equal scene takes over the links of a new one
    finally:
        catalog.close()
    return CreatedScene(
        record=record,
        link=link,
        brief=recipe.planned.brief,
        notes=notes,
        stages=tuple(runner.times),
        cpu_seconds=time.process_time() - cpu,
        wall_seconds=time.monotonic() - wall,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        pictures=pictures_folder(home, record),
    )


def make_record(
    runner: StageRunner,
    catalog: Catalog,
    recipe: SceneRecipe,
    on_id: Callable[[str], object] = lambda scene_id: None,
) -> tuple[SceneRecord, tuple[str, ...]]:
    """Make a scene and publish it, or find the one that an equal recipe made; with what was noted.

    Args:
        runner: Runs the stages.
        catalog: Where the scene goes, and where it grows meanwhile.
        recipe: What is made.
        on_id: Given the scene's id before anything is made.

    Raises:
        ImmersiveError: The input cannot become a scene. Nothing of it is left in the catalog.
    """
    record = find_scene(catalog, recipe.digest)
    if record is not None:
        on_id(record.id)
        return record, ()
    request = recipe.request
    growing = Growing.begin(
        catalog,
        recipe_digest=recipe.digest,
        title=request.title or request.prompt or "A scene",
        prompt=request.prompt,
    )
    on_id(growing.scene_id)
    runner.show(growing)
    try:
        with growing.worked_on():
            built = build_scene(runner, recipe)
            return publish_scene(runner, catalog, built, recipe.digest), built.notes
    except Exception:  # and not when interrupted: the next call goes on with it
        growing.abandon()
        raise


def pictures_folder(home: Path, record: SceneRecord) -> Path:
    """Return where a scene's held-out pictures are."""
    return home / "pictures" / record.id


def plan_scene(runner: StageRunner, request: CreateRequest) -> SceneRecipe:
    """Read what is asked for; renders and decodes nothing.

    Raises:
        InvalidInputError: The prompt, file or folder cannot be used.
        RefusedError: Moderation refuses the prompt.
    """
    from .fitting_plan import plan_for  # torch comes with it

    plan = plan_for(request)
    moderate_prompt(request)
    planned = runner.run("understand", "Understanding", lambda update: plan_source(request, runner.store))
    # A scene whose pictures nobody looked at is no answer to a request that wants them looked at.
    looked_at = ["looked at"] if sees_pictures(request) else []
    further = [f"{request.extend} clips further"] if request.extend else []
    terms = [request.licence, request.credit] if request.licence or request.credit else []
    digest = stage_digest("scene", planned.digest, asdict(plan), request.title, *looked_at, *further, *terms)
    return SceneRecipe(request, planned, plan, digest)


def find_scene(catalog: Catalog, recipe_digest: str) -> SceneRecord | None:
    """Return the scene that was made by this recipe, or None."""
    same = [record for record in catalog.list() if record.recipe_digest == recipe_digest]
    return same[0] if same else None


def build_scene(runner: StageRunner, recipe: SceneRecipe) -> BuiltScene:
    """Make a scene, or take from its kept stages what is there.

    Raises:
        ImmersiveError: The input cannot become a scene.
    """
    from streaming.assemble import build_asset

    request, planned, plan = recipe.request, recipe.planned, recipe.plan
    source = planned.read(runner)
    if runner.growing is not None and isinstance(source, Source):
        runner.growing.show_frames(source.frames.images[list(source.frames.train)])
    if isinstance(source, WorldSource):
        return _build_of_world(runner, recipe, source)
    scene = _lift(runner, planned.digest, source, plan)
    if request.extend:
        from .extension import extended

        scene = extended(runner, request, scene, lambda digest, more: _lift(runner, digest, more, plan))
        source = scene.source
    frames = source.frames
    facts = _facts(request, planned, frames.provenance)
    sounds = runner.run(
        "sound", "Making sounds", lambda update: _sounds(source.brief, frames.audio, frames.landmarks)
    )
    asset = runner.run(
        "pack",
        "Packing",
        lambda update: build_asset(
            scene.fitted.cloud,
            title=source.title,
            walkable=scene.space,
            quality=scene.quality,
            recipe=facts,
            provenance=frames.provenance,
            camera_path=camera_path(frames),
            sounds=sounds,
        ),
    )
    asset = with_terms(asset, licence=request.licence, credit=request.credit)
    return BuiltScene(asset, scene.pairs, frames.provenance.source, request.prompt, source.notes)


def _build_of_world(runner: StageRunner, recipe: SceneRecipe, source: WorldSource) -> BuiltScene:
    """Make a scene of splats that came as such: there is no truth to measure them against."""
    from streaming.assemble import build_asset

    world, planned = source.world, recipe.planned
    space, path, told = make_walkable(runner, planned.digest, source)
    facts = _facts(recipe.request, planned, world.provenance)
    sounds = runner.run("sound", "Making sounds", lambda update: _sounds(source.brief, None, ()))
    asset = runner.run(
        "pack",
        "Packing",
        lambda update: build_asset(
            world.cloud,
            title=source.title,
            walkable=space,
            recipe=facts,
            provenance=world.provenance,
            camera_path=path,
            sounds=sounds,
        ),
    )
    asset = with_terms(asset, licence=recipe.request.licence, credit=recipe.request.credit)
    return BuiltScene(asset, [], world.provenance.source, recipe.request.prompt, (*source.notes, *told))


def publish_scene(
    runner: StageRunner, catalog: Catalog, built: BuiltScene, recipe_digest: str
) -> SceneRecord:
    """Put a scene and its held-out pictures where they are found."""

    def publish(update: Update) -> SceneRecord:
        if runner.growing is not None:
            record = runner.growing.finish(built.asset, backend=built.backend, recipe_digest=recipe_digest)
        else:
            record = catalog.publish(
                built.asset, prompt=built.prompt, backend=built.backend, recipe_digest=recipe_digest
            )
        write_pairs(pictures_folder(catalog.home, record), built.pairs)
        ensure_poster(catalog, record)
        return record

    return runner.run("publish", "Publishing", publish)


def _lift(runner: StageRunner, digest: str, source: Source, plan: FittingPlan) -> LiftedScene:
    from .extension import LiftedScene

    fitted = _fit(runner, digest, source, plan)
    quality, pairs = runner.run("quality", "Checking quality", lambda update: _assess(fitted, source.frames))
    space = _make_walkable(runner, digest, source, fitted.cloud, plan)
    return LiftedScene(source, digest, fitted, quality, pairs, space)


def _fit(runner: StageRunner, source_digest: str, source: Source, plan: FittingPlan) -> FittedScene:
    """Return fitted and cleaned splats, and what disagreed and what the clean-up did in sentences."""

    def work(update: Update) -> FittedScene:
        from reconstruction.lifting import lift, lift_points
        from reconstruction.optimize import fit
        from reconstruction.quality import cleanup_effect

        update(0.0, "first splats")
        if source.frames.depths is not None:
            first = lift(source.frames, plan.lift)
        else:
            first = lift_points(source.points, source.colors, source.frames.cameras, plan.lift)
        drafts = Drafts(runner.growing, source)
        drafts.show(lambda: first, 0.0)

        def progress(now: FitProgress) -> None:
            drafts.show(now.snapshot, now.fraction)
            update(now.fraction, f"{now.splat_count:,} splats, {now.psnr_db:.1f} dB")

        result = fit(source.frames, first, plan.fit, progress=progress)
        disagreements = result.consistency.sentences if result.consistency else ()
        assert result.before_cleanup is not None and result.cleanup is not None
        effect = cleanup_effect(
            result.before_cleanup, result.cloud, source.frames, result.cleanup, result.exposures
        )
        return FittedScene(result.cloud, result.exposures, (*disagreements, effect))

    return runner.run_kept(
        "fit",
        "Fitting splats",
        stage_digest("fit and clean", source_digest, asdict(plan), immersive.__version__),
        work,
        arrays_from_fit,
        fit_from_arrays,
    )


def _assess(fitted: FittedScene, frames: FrameSequence) -> tuple[QualityReport, list[NDArray[np.uint8]]]:
    from reconstruction.quality import assess, held_out_pairs

    cloud, exposures = fitted.cloud, fitted.exposures
    pairs = [pair for _, pair in held_out_pairs(cloud, frames, exposures=exposures)]
    return assess(cloud, frames, exposures=exposures, notes=fitted.notes), pairs


def _make_walkable(
    runner: StageRunner, source_digest: str, source: Source, cloud: SplatCloud, plan: FittingPlan
) -> WalkableSpace:
    settings = WalkSettings(is_indoor=source.is_indoor, water_y=source.frames.water_y)

    def work(update: Update) -> WalkableSpace:
        from reconstruction.walkable import build

        train = source.frames.subset(source.frames.train)
        return build(
            None, train.cameras, cloud=cloud, settings=settings, progress=lambda share: update(share, "")
        )

    return runner.run_kept(
        "walk",
        "Making it walkable",
        stage_digest("walk", source_digest, asdict(plan), asdict(settings), immersive.__version__),
        work,
        arrays_from_space,
        space_from_arrays,
    )


def _facts(request: CreateRequest, planned: PlannedSource, provenance: Provenance) -> dict[str, Any]:
    return {
        "source": request.kind,
        "backend": provenance.source,
        "prompt": request.prompt,
        "seed": request.seed,
        "size": request.size,
        "quality": request.quality,
        "source_digest": planned.digest,
        **({"extend": request.extend} if request.extend else {}),
        **({} if planned.brief is None else {"brief": planned.brief.built()}),
        "versions": {"immersive": immersive.__version__, "numpy": np.__version__},
    }


def _sounds(
    brief: SceneBrief | None, audio: AudioTrack | None, landmarks: tuple[Landmark, ...]
) -> tuple[SoundLoop, ...]:
    """Return what is heard: a clip's own sound where it has one, else what the brief lets one expect."""
    from .sound.ambience import bed_of_clip, make_loops, plan_sounds

    if audio is not None:
        return (bed_of_clip(audio),)
    if brief is None:
        return ()
    return make_loops(plan_sounds(brief, landmarks), brief.seed)
