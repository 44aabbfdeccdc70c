"""Places joined by doorways, from built scenes to the catalog; the whole way is in tests/browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from immersive import pipeline, story
from immersive.catalog import Catalog
from immersive.generation.storyboard import plan_story
from immersive.pipeline import BuiltScene
from immersive.request import CreateRequest
from immersive.share import Links
from immersive.story import join_places, make_story
from reconstruction.errors import UnliftableInputError
from reconstruction.frames import Provenance
from reconstruction.fusion import Mesh, join
from reconstruction.reports import WalkabilityReport
from reconstruction.walkable_space import WalkableSpace
from streaming.assemble import build_asset
from tests.reconstruction.rooms import floor, l_room, walls_around
from tests.streaming.splat_clouds import lopsided_cloud


def place(title: str, mesh: Mesh, spawn: Sequence[float], yaw_deg: float) -> BuiltScene:
    report = WalkabilityReport(20.0, 0, 0.0, 0.0, "good", ())
    space = WalkableSpace(
        vertices=mesh.vertices,
        faces=mesh.faces,
        boundary_start=len(mesh.faces),
        floor_y=0.0,
        spawn_position=np.array(spawn, np.float32),
        spawn_yaw_deg=yaw_deg,
        bounds_min=mesh.vertices.min(axis=0),
        bounds_max=mesh.vertices.max(axis=0),
        metres_per_unit=1.0,
        eye_height_m=1.6,
        report=report,
    )
    provenance = Provenance("procedural", is_generated=True)
    asset = build_asset(lopsided_cloud(40), title=title, walkable=space, provenance=provenance)
    return BuiltScene(asset, [], "procedural", title, (f"note of {title}",))


def room(title: str) -> BuiltScene:
    return place(title, l_room(), (1.2, 0.0, 1.0), -160.0)


def meadow(title: str) -> BuiltScene:
    return place(title, floor(-15, 15, -12, 18), (0.5, 0.0, -1.0), 40.0)


def test_neighbours_are_joined_both_ways_and_nobody_else() -> None:
    first, second, third = join_places([room("A"), meadow("B"), room("C")], ["a", "b", "c"])

    assert [[p.title for p in scene.asset.manifest.portals] for scene in (first, second, third)] == [
        ["b"], ["c", "a"], ["b"],
    ]  # fmt: skip
    (on,), (_, back) = first.asset.manifest.portals, second.asset.manifest.portals
    # Who goes on comes out of the doorway that leads back, and stands before it.
    np.testing.assert_allclose(np.subtract(on.arrive_position, back.position)[1], 0, atol=0.3)
    assert np.linalg.norm(np.subtract(on.arrive_position, back.position)) == pytest.approx(1.5, abs=0.05)
    assert (on.arrive_yaw_deg - back.yaw_deg) % 360 == pytest.approx(180)
    assert np.linalg.norm(np.subtract(back.arrive_position, on.position)) == pytest.approx(1.5, abs=0.05)


def test_a_place_without_room_for_its_doorways_is_named() -> None:
    closet = join([floor(0, 1.6, 0, 1.4), walls_around([(0.0, 0.0), (1.6, 0.0), (1.6, 1.4), (0.0, 1.4)])])

    with pytest.raises(UnliftableInputError, match="in 'Closet' there is room for 0 of 1 doorways"):
        join_places([place("Closet", closet, (0.8, 0.0, 0.7), 0.0), room("B")], ["a", "b"])


def test_a_story_is_behind_one_link_and_is_made_once(tmp_path: Path, monkeypatch) -> None:
    built: list[str] = []

    def build(runner, recipe) -> BuiltScene:
        title = recipe.request.prompt
        built.append(f"{title} {recipe.planned.brief.time}")
        return room(title) if recipe.planned.brief.is_indoor else meadow(title)

    monkeypatch.setattr(story, "build_scene", build)  # frames and fits have tests of their own
    board = plan_story(["a meadow at dusk", "a living room"])
    request = CreateRequest(prompt="a place", quality="draft")

    made = make_story(board, request, home=tmp_path)
    again = make_story(board, request, home=tmp_path)

    assert built == ["a meadow at dusk dusk", "a living room dusk"]  # the light holds on
    assert [record.id for record in again.records] == [record.id for record in made.records]
    assert made.notes == ("note of a meadow at dusk", "note of a living room")
    catalog = Catalog(tmp_path)
    first, second = (record.id for record in made.records)
    assert catalog.portals(first) == {0: second} and catalog.portals(second) == {0: first}
    assert catalog.asset(first).manifest.portals[0].title == "Living room"
    assert len(catalog.list()) == 2
    for kept in (made.link, again.link):
        link = Links(catalog).open(kept.id, kept.secret or "")
        assert link.scene_id == first
    catalog.close()


def test_a_story_of_which_a_place_fails_publishes_nothing(tmp_path: Path, monkeypatch) -> None:
    def build(runner, recipe) -> BuiltScene:
        if recipe.planned.brief.is_indoor:
            raise UnliftableInputError("the room cannot be made")
        return meadow(recipe.request.prompt)

    monkeypatch.setattr(story, "build_scene", build)

    with pytest.raises(UnliftableInputError, match="the room cannot be made"):
        make_story(plan_story(["a meadow", "a living room"]), CreateRequest(prompt="x"), home=tmp_path)

    catalog = Catalog(tmp_path)
    assert catalog.list() == []
    catalog.close()
    assert pipeline.build_scene is not build
