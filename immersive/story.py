"""A story: several places made one after another and joined by doorways, behind one link."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reconstruction.errors import InvalidInputError, UnliftableInputError
from streaming.asset import Portal, SplatAsset
from streaming.limits import MAX_TITLE_CHARACTERS

from .brief import SceneBrief
from .catalog import Catalog, SceneRecord
from .generation.storyboard import Storyboard, plan_story
from .home import home_folder
from .moderating import moderate_text
from .pipeline import BuiltScene, build_scene, find_scene, plan_scene, publish_scene
from .progress import Reporter, Silent
from .request import CreateRequest
from .share import Links, ShareLink
from .stage_runner import StageRunner
from .stages import StageStore, stage_digest

if TYPE_CHECKING:
    from reconstruction.doorways import Doorway


@dataclass(frozen=True, slots=True)
class CreatedStory:
    """The places of a story in their order, and the link that begins in the first."""

    title: str
    records: tuple[SceneRecord, ...]
    briefs: tuple[SceneBrief, ...]
    link: ShareLink
    notes: tuple[str, ...]


def create_story(
    text: str | Sequence[str], *, home: Path | None = None, title: str | None = None, **options: Any
) -> CreatedStory:
    """Make the places of a story and join them by doorways; the one call for programs.

    Args:
        text: A paragraph, which is cut where it names another place, or one prompt for each place.
        home: Where scenes live. None: `IMMERSIVE_HOME`, else `~/.immersive`.
        title: None: the beginning of the text.
        options: Fields of `request.CreateRequest` for every place: `seed`, `size`, `quality`, `backend`; but
            `most_cost_usd` is for all places together.

    Raises:
        ImmersiveError: The text is no story, or a place cannot be made; `.hint` says what to do.
    """
    request = CreateRequest(prompt="a place", **options)
    home = home or home_folder()
    moderate_text("\n".join([text] if isinstance(text, str) else [*text]) + f"\n{title or ''}", request)
    story = plan_story(
        text,
        title=title,
        seed=request.seed,
        size=request.size,
        detail=request.quality,
        environment=os.environ,
        store=StageStore(home / "stages"),
    )
    return make_story(story, request, home=home)


def make_story(
    story: Storyboard, request: CreateRequest, *, home: Path, reporter: Reporter | None = None
) -> CreatedStory:
    """Make every place of a story, join neighbours by doorways both ways, and return the link to the first.

    An interrupted story goes on where it stopped, as its places keep their stages.

    Args:
        story: From `storyboard.plan_story`.
        request: How large and how good each place should be; its prompt, seed and title are not used. Its
            limit of cost is for all places together.
        home: Where scenes live.
        reporter: Told of each stage, with the place's number.

    Raises:
        TooDearError: The places together may cost more than the limit. Nothing was ordered.
        ImmersiveError: A place cannot be made, or has no room for its doorways; none is published then.
    """
    if request.image is not None:
        raise InvalidInputError("a picture begins one place, and a story has several", hint="Leave it out.")
    runner = StageRunner(StageStore(home / "stages"), _Numbered(reporter or Silent(), len(story.briefs)))
    share = _share_of(request, len(story.briefs))
    recipes = []
    for brief in story.briefs:
        place = replace(request, prompt=None, brief=brief, title=None, most_cost_usd=share)
        recipes.append(plan_scene(runner, place))
    digests = [
        stage_digest("story", [recipe.digest for recipe in recipes], place) for place in range(len(recipes))
    ]
    catalog = Catalog(home)
    try:
        known = [find_scene(catalog, digest) for digest in digests]
        records = [record for record in known if record is not None]
        notes: tuple[str, ...] = ()
        if len(records) < len(digests):
            _check_cost(request, len(recipes))
            built = []
            for place, recipe in enumerate(recipes):
                _tell_place(runner, place)
                built.append(build_scene(runner, recipe))
            joined = join_places(built, _names(story.briefs))
            notes = (*story.notes, *(note for scene in built for note in scene.notes))
            records = [
                publish_scene(runner, catalog, scene, digest)
                for scene, digest in zip(joined, digests, strict=True)
            ]
        connect_places(catalog, records)
        link = Links(catalog).create(records[0].id)
    finally:
        catalog.close()
    return CreatedStory(story.title, tuple(records), story.briefs, link, notes)


def _check_cost(request: CreateRequest, count: int) -> None:
    """Raise TooDearError where `count` places may cost more than a story's limit."""
    from .generation.backend import BackendSettings, about_usd, makes_splats, parse_backend
    from .generation.hosted.jobs import check_price

    name, model = parse_backend(request.backend)
    thing = "world" if makes_splats(name) else "clip"
    if request.most_cost_usd is not None:
        price = about_usd(name, BackendSettings(model))
        check_price(name, price, request.most_cost_usd, thing, count=count)


def _share_of(request: CreateRequest, count: int) -> float | None:
    """Return the limit of cost of each of `count` places; together they are the story's.

    Equal shares: all places are made by one backend at one price, and a story that is interrupted and goes on
    stays within them without knowing what was paid before.
    """
    return None if request.most_cost_usd is None else request.most_cost_usd / count


def connect_places(catalog: Catalog, records: Sequence[SceneRecord]) -> None:
    """Say where the doorways of `join_places` lead."""
    for place, record in enumerate(records):
        catalog.connect(record.id, [records[other].id for other in _neighbours(place, len(records))])


def _neighbours(place: int, count: int) -> list[int]:
    """Return where the doorways of a place lead: on, then back."""
    return [other for other in (place + 1, place - 1) if 0 <= other < count]


def _names(briefs: Sequence[SceneBrief]) -> list[str]:
    """Return what is written over doorways: "Living room", or the prompt where several are of one kind."""
    spoken = [brief.setting.replace("_", " ").capitalize() for brief in briefs]
    return [
        name if spoken.count(name) == 1 else brief.prompt for name, brief in zip(spoken, briefs, strict=True)
    ]


def join_places(built: Sequence[BuiltScene], names: Sequence[str]) -> list[BuiltScene]:
    """Return the places with doorways to their neighbours, each with that to the next one first.

    `names` are written over the doorways to each place.

    Raises:
        UnliftableInputError: A place has no room for its doorways.
    """
    ways = [
        dict(zip(around, _doorways(scene.asset, len(around)), strict=True))
        for scene, around in ((scene, _neighbours(place, len(built))) for place, scene in enumerate(built))
    ]
    joined = []
    for place, scene in enumerate(built):
        portals = tuple(_portal(way, ways[other][place], names[other]) for other, way in ways[place].items())
        manifest = replace(scene.asset.manifest, portals=portals)
        joined.append(replace(scene, asset=replace(scene.asset, manifest=manifest)))
    return joined


def _portal(here: Doorway, there: Doorway, title: str) -> Portal:
    """Return the way through a doorway here that comes out of the one there."""
    from reconstruction.doorways import HEIGHT_M, WIDTH_M

    return Portal(
        position=here.position,
        yaw_deg=here.yaw_deg,
        width_m=WIDTH_M,
        height_m=HEIGHT_M,
        title=title[:MAX_TITLE_CHARACTERS],
        arrive_position=there.arrive_position,
        arrive_yaw_deg=there.arrive_yaw_deg,
    )


def _doorways(asset: SplatAsset, count: int) -> Sequence[Doorway]:
    from reconstruction.doorways import find_doorways
    from reconstruction.fusion import Collider, Mesh
    from streaming.assemble import collider_mesh

    found = collider_mesh(asset)
    if found is None:
        raise UnliftableInputError(f"in {asset.manifest.title!r} nobody can walk, so no doorway has a place")
    vertices, faces = found
    spawn = asset.manifest.spawn
    try:
        collider = Collider(Mesh(vertices, faces.astype(np.int32)))
        return find_doorways(collider, np.array(spawn.position), spawn.yaw_deg, count)
    except UnliftableInputError as error:
        raise UnliftableInputError(f"in {asset.manifest.title!r} {error}", hint=error.hint) from error


def _tell_place(runner: StageRunner, place: int) -> None:
    assert isinstance(runner.reporter, _Numbered)
    runner.reporter.place = place + 1


class _Numbered:
    """Puts the number of the place before the name of each stage."""

    def __init__(self, reporter: Reporter, count: int) -> None:
        self._reporter, self._count = reporter, count
        self.place: int | None = None

    def begin(self, stage: str, label: str) -> None:
        number = "" if self.place is None else f"{self.place}/{self._count} "
        self._reporter.begin(stage, number + label)

    def update(self, share: float, note: str = "") -> None:
        self._reporter.update(share, note)

    def end(self, cpu_seconds: float, note: str = "") -> None:
        self._reporter.end(cpu_seconds, note)
