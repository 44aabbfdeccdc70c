"""Camera plans: inside the free space, seeing all of it, with held-out views far from training."""

from __future__ import annotations

import numpy as np
import pytest

from immersive.brief import SceneBrief
from immersive.generation.procedural.mesh import box, concatenate, quad
from immersive.generation.procedural.world import (
    Atmosphere,
    Extent,
    Lighting,
    Material,
    PointOfInterest,
    Sky,
    Texture,
    World,
)
from immersive.generation.trajectory import DETAIL, OFF_PATH_M, CameraPlan, plan_path, reachable_cells
from reconstruction.errors import UnliftableInputError

_EYE_M = 1.55
_SKY = Sky((0.2, 0.3, 0.6), (0.6, 0.7, 0.8), (0.6, 0.7, 0.8))


def _world(*, is_indoor: bool = True, half_x: float = 3.1, half_z: float = 2.3, slope: float = 0.0) -> World:
    """A lopsided room (or field) with a block in one corner and one thing of interest."""
    height = 2.7
    corners = [[-half_x, 0, half_z], [half_x, 0, half_z], [half_x, 0, -half_z], [-half_x, 0, -half_z]]
    ground = np.array(corners, float)
    ground[:, 1] = slope * ground[:, 0]
    parts = [quad(ground, 0), box([half_x - 0.6, 0.9, -half_z + 0.5], [1.2, 1.8, 1.0], 0)]
    if is_indoor:
        for x in (-half_x, half_x):
            parts.append(box([x, height / 2, 0], [0.02, height, 2 * half_z], 0))
        for z in (-half_z, half_z):
            parts.append(box([0, height / 2, z], [2 * half_x, height, 0.02], 0))
        parts.append(box([0, height, 0], [2 * half_x, 0.02, 2 * half_z], 0))

    def is_free(x, z):
        beside = (x > half_x - 1.2 - 0.4) & (z < -half_z + 1.0 + 0.4)
        return (np.abs(x) < half_x - 0.4) & (np.abs(z) < half_z - 0.4) & ~beside

    return World(
        mesh=concatenate(parts),
        materials=(Material(Texture.PLAIN),),
        lighting=Lighting(_SKY),
        atmosphere=Atmosphere(),
        is_indoor=is_indoor,
        ground_height=lambda x, z: slope * np.asarray(x, float),
        is_free=is_free,
        extent=Extent(-half_x, half_x, -half_z, half_z),
        points_of_interest=(PointOfInterest("thing", (-half_x + 0.4, 0.8, 1.1), 3.0),),
        eye_height_m=_EYE_M,
    )


@pytest.fixture(scope="module")
def room() -> World:
    return _world()


@pytest.fixture(scope="module")
def room_plan(room) -> CameraPlan:
    return plan_path(room, SceneBrief("a room", is_indoor=True), 480, 270, 5)


@pytest.fixture(scope="module")
def field() -> World:
    return _world(is_indoor=False, half_x=9.0, half_z=7.0, slope=0.1)


@pytest.fixture(scope="module")
def field_plan(field) -> CameraPlan:
    return plan_path(field, SceneBrief("a field"), 480, 270, 5)


@pytest.fixture(params=["room", "field"])
def planned(request) -> tuple[World, CameraPlan]:
    return request.getfixturevalue(request.param), request.getfixturevalue(f"{request.param}_plan")


def _training(plan: CameraPlan) -> np.ndarray:
    hidden = set(plan.held_out)
    return np.array([index for index in range(len(plan.cameras)) if index not in hidden])


def test_there_are_as_many_views_as_the_detail_says(planned):
    _, plan = planned
    budget = DETAIL["draft"]

    assert len(_training(plan)) == budget.training
    assert len(plan.held_out) == budget.held_out
    assert (plan.cameras.width, plan.cameras.height) == (budget.width, budget.height)


def test_every_camera_stands_in_the_free_space_at_eye_height(planned):
    world, plan = planned
    x, y, z = plan.cameras.positions.T.astype(float)

    assert world.is_free(x, z).all()
    np.testing.assert_allclose(y - world.ground_height(x, z), _EYE_M, atol=1e-4)


def test_some_held_out_views_are_off_the_path(planned):
    _, plan = planned
    positions = plan.cameras.positions
    training = positions[_training(plan)]
    nearest = np.array([np.linalg.norm(training - positions[i], axis=1).min() for i in plan.held_out])

    assert (nearest >= OFF_PATH_M).sum() >= 4
    assert (nearest < 0.01).sum() >= 2  # and some look between the headings of a stop


def test_held_out_views_are_none_of_the_training_views(planned):
    _, plan = planned
    training = plan.cameras.viewmats[_training(plan)]

    for index in plan.held_out:
        assert np.abs(training - plan.cameras.viewmats[index]).max(axis=(1, 2)).min() > 0.02


def test_nearly_all_walkable_ground_is_seen_by_three_views(planned):
    _, plan = planned

    assert plan.coverage > 0.95


def test_the_walk_is_level_and_looks_all_around(planned):
    _, plan = planned
    forwards = plan.cameras.forwards
    headings = np.degrees(np.arctan2(-forwards[:, 0], -forwards[:, 2])) % 360
    rights = plan.cameras.viewmats[:, 0, :3]

    assert np.abs(rights[:, 1]).max() < 1e-5  # no roll
    assert np.histogram(headings, bins=6, range=(0, 360))[0].min() >= 3


def test_views_stand_in_many_places(planned):
    _, plan = planned
    places = np.unique(plan.cameras.positions[_training(plan)].round(3), axis=0)

    assert len(places) >= 12


def test_the_first_view_looks_at_what_is_most_interesting(planned):
    world, plan = planned
    target = np.array(world.points_of_interest[0].position)
    towards = target - plan.cameras.positions[0]
    towards[1] = 0
    forward = plan.cameras.forwards[0].copy()
    forward[1] = 0

    cosine = towards @ forward / np.linalg.norm(towards) / np.linalg.norm(forward)
    assert cosine > np.cos(np.radians(25))  # in the middle part of the picture
    assert 0 not in plan.held_out


def test_the_same_seed_gives_the_same_plan_and_another_seed_another(room, room_plan):
    brief = SceneBrief("a room", is_indoor=True)

    again, other = plan_path(room, brief, 480, 270, 5), plan_path(room, brief, 480, 270, 6)

    np.testing.assert_array_equal(again.cameras.viewmats, room_plan.cameras.viewmats)
    assert again.held_out == room_plan.held_out
    assert not np.array_equal(other.cameras.viewmats, room_plan.cameras.viewmats)


def test_cameras_stay_on_one_connected_part():
    world = _world(half_x=6.0)

    def split(x, z):
        return (np.abs(z) < 1.9) & (np.abs(x) < 5.6) & (np.abs(x - 1.0) > 0.6)

    from dataclasses import replace

    cells = reachable_cells(replace(world, is_free=split), 0.2)

    assert (cells[:, 0] < 1.0).all()  # the larger part


def test_a_place_without_room_is_refused():
    world = _world()

    from dataclasses import replace

    tight = replace(world, is_free=lambda x, z: (np.abs(x) < 0.7) & (np.abs(z) < 0.7))

    with pytest.raises(UnliftableInputError, match="at least 3 m2") as caught:
        plan_path(tight, SceneBrief("a room", is_indoor=True), 480, 270, 0)
    assert caught.value.hint
