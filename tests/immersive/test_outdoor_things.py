"""Things outdoors: they stand on their feet, keep to their room, and look as they are described."""

from __future__ import annotations

import numpy as np
import pytest

from immersive.brief import Element, SceneBrief
from immersive.generation.procedural.generator import build_world
from immersive.generation.procedural.look import PAINTS, Look
from immersive.generation.procedural.mesh import Mesh, label_of
from immersive.generation.procedural.outdoor_things import THINGS
from immersive.generation.procedural.outdoor_vocabulary import OUTDOOR_KINDS, SITE_KINDS, THING_KINDS
from immersive.generation.procedural.palette import SLOT
from immersive.generation.procedural.shapes import arch, gable_roof, lathe, plate, slab_between
from immersive.generation.procedural.sites import FOOTPRINTS
from immersive.generation.procedural.things import crossings, vehicles, yard
from immersive.generation.procedural.waters import Lake, River, line_distance


def _make(kind: str, attributes: tuple[str, ...] = (), seed: int = 3) -> Mesh:
    return THINGS[kind].make(np.random.default_rng(seed), Look(attributes))


def _volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("kind", THINGS)
def test_a_thing_stands_on_the_ground_within_its_room_and_faces_outwards(kind: str) -> None:
    mesh = _make(kind)
    reach = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 2])

    assert -0.5 < mesh.vertices[:, 1].min() < 0.06
    assert reach[mesh.vertices[:, 1] < 1.0].max() <= 1.45 * THINGS[kind].radius
    assert _volume(mesh) > 0


def test_the_tables_of_things_and_sites_hold_the_vocabulary() -> None:
    assert set(THINGS) == set(THING_KINDS)
    assert set(FOOTPRINTS) == set(SITE_KINDS)
    assert len(OUTDOOR_KINDS) >= 60


@pytest.mark.parametrize(
    ("kind", "colour"), [("car", "blue"), ("torii", "teal"), ("beehive", "yellow"), ("kiosk", "purple")]
)
def test_a_colour_that_is_asked_for_is_painted(kind: str, colour: str) -> None:
    painted = _make(kind, (colour,)).tints
    usual = _make(kind).tints

    def share(tints: np.ndarray) -> float:
        """Return how many vertices have the colour's hue."""
        wanted = np.array(PAINTS[colour])
        alike = (tints @ wanted) / (np.linalg.norm(tints, axis=1) * np.linalg.norm(wanted) + 1e-9)
        return float((alike > 0.999).mean())

    assert share(painted) > 0.15
    assert share(painted) > share(usual) + 0.1


def test_an_upright_column_is_taller_than_a_broken_one() -> None:
    tall = _make("column", ("tall",)).vertices[:, 1].max()
    stump = _make("column", ("broken",)).vertices[:, 1].max()

    assert tall > 5.0 > 3.2 > stump


def test_a_turned_profile_has_the_volume_that_pappus_gives_it() -> None:
    profile = [(0.0, 0.0), (0.5, 0.0), (0.8, 1.2), (0.3, 2.0), (0.0, 2.0)]

    solid = lathe(profile, 180, 0)

    frustum = np.pi * 1.2 / 3 * (0.25 + 0.64 + 0.4) + np.pi * 0.8 / 3 * (0.64 + 0.09 + 0.24)
    assert _volume(solid) == pytest.approx(frustum, rel=1e-3)


def test_a_person_fits_through_an_arch() -> None:
    mesh = arch(1.2, 2.3, 0.4, 0.5, 0)
    x, y = mesh.vertices[:, 0], mesh.vertices[:, 1]

    assert np.abs(x).min() >= 0 and not ((np.abs(x) < 0.59) & (y < 1.7)).any()
    assert y.max() == pytest.approx(2.3 + 0.4, abs=1e-3)


def test_a_plate_and_a_slab_have_the_volume_of_their_outline() -> None:
    corner = plate([[0, 0], [2, 0], [0, 1.5]], 0.2, 0)
    board = slab_between([1, 0, 0], [1, 3, 4], 0.5, 0.1, 0)

    assert _volume(corner) == pytest.approx(0.3, rel=1e-5)
    assert _volume(board) == pytest.approx(5 * 0.5 * 0.1, rel=1e-5)
    assert board.vertices[:, 1].max() == pytest.approx(3.0, abs=0.06)


def test_a_gable_roof_covers_its_walls() -> None:
    roof = gable_roof(3.0, 2.0, 2.5, 1.8, 0, 1)
    low, high = roof.vertices.min(axis=0), roof.vertices.max(axis=0)

    assert low[0] < -3.0 and high[0] > 3.0 and low[2] < -2.0 and high[2] > 2.0
    assert high[1] == pytest.approx(2.5 + 1.8 + 0.2, abs=0.1)


@pytest.mark.parametrize("attributes", [(), ("stone",), ("rope",)])
def test_a_bridge_reaches_from_end_to_end(attributes: tuple[str, ...]) -> None:
    mesh = crossings.bridge(np.random.default_rng(1), Look(attributes), 8.0)
    deck = mesh.vertices[np.abs(mesh.vertices[:, 0]) < 1.3]

    assert deck[:, 2].min() < -3.9 and deck[:, 2].max() > 3.9
    materials = {SLOT["stones"]} if attributes == ("stone",) else {SLOT["plank_wood"]}
    assert materials <= set(mesh.materials.tolist())


def test_a_bridge_of_a_plan_stands_over_its_water() -> None:
    for water in ("river", "lake"):
        brief = SceneBrief(
            "x", seed=6, setting="meadow", elements=(Element(water, None, ("small",)), Element("bridge"))
        )
        world = build_world(brief)
        faces = world.mesh.face_labels == label_of("bridge")
        bridge = world.mesh.vertices[np.unique(world.mesh.faces[faces])]
        wet = world.mesh.vertices[np.unique(world.mesh.faces[world.mesh.face_labels == label_of(water)])]
        under = [
            np.hypot(wet[:, 0] - x, wet[:, 2] - z).min() < 0.8
            and world.ground_height(np.array(x), np.array(z)) < 0.0
            for x, _, z in bridge[:: max(1, len(bridge) // 200)]
        ]
        assert 0.35 < np.mean(under) < 1.0


def test_a_river_has_two_banks_and_runs_past_the_walk() -> None:
    river = River(((-6.0, -90.0), (-7.0, 0.0), (-5.0, 90.0)), 3.0, 5)
    z = np.linspace(-60, 60, 80)

    middle = np.interp(z, [-90, 0, 90], [-6, -7, -5])
    assert (river.shore_distance(middle, z) < -2.5).all()
    for side in (-1, 1):
        assert (river.shore_distance(middle + side * 4.5, z) > 0.9).all()
    assert river.x == -7.0 and not river.is_sea


def test_a_lakes_crossing_spans_water_between_two_dry_ends() -> None:
    lake = Lake(9.0, -4.0, 5.0, 3)

    near, far = lake.crossing()

    assert (lake.shore_distance(*np.stack([near, far], 1)) > -1.2).all()
    assert lake.shore_distance(*((near + far) / 2)) < -2.0
    assert np.hypot(*((near + far) / 2)) < np.hypot(9.0, 4.0)  # on the side of the walk


def test_line_distance_is_that_of_the_nearest_segment() -> None:
    line = ((0.0, 0.0), (4.0, 0.0), (4.0, 3.0))

    found = line_distance(line, [2.0, 6.0, -3.0], [1.5, 2.0, -4.0])

    assert found == pytest.approx([1.5, 2.0, 5.0])


def test_a_wheel_turns_about_its_axle_and_pumpkins_differ() -> None:
    wheel = vehicles.spoked_wheel(0.5, 8)
    assert np.hypot(wheel.vertices[:, 1], wheel.vertices[:, 2]).max() == pytest.approx(0.555, abs=0.02)
    assert np.abs(wheel.vertices[:, 0]).max() < 0.13

    rng = np.random.default_rng(1)
    sizes = [yard.pumpkin(rng, Look()).vertices[:, 1].max() for _ in range(4)]
    assert max(sizes) > 1.1 * min(sizes)
