"""Doorways in places whose walls are known."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.doorways import ARRIVE_M, WIDTH_M, find_doorways
from reconstruction.errors import UnliftableInputError
from reconstruction.fusion import Collider, join
from reconstruction.navigation import Body, is_clear
from tests.reconstruction.rooms import floor, l_room, wall, walls_around

START = np.array([1.2, 0.0, 1.0])


def test_every_doorway_of_a_room_is_walked_to_in_a_straight_line() -> None:
    collider = Collider(l_room())

    doorways = find_doorways(collider, START, -160.0, 3)

    for doorway in doorways:
        place = np.array(doorway.position)
        line = START + np.linspace(0, 1, 60)[:, None] * (place - START)
        line[:, 1] = collider.ground_below((line + [0, 0.35, 0]).astype(np.float32))[0]
        assert is_clear(collider, line.astype(np.float32), Body()).all()
        assert np.linalg.norm(place - START) > 1.8
        yaw = np.radians(doorway.yaw_deg)
        toward = (place - START)[[0, 2]] / np.linalg.norm((place - START)[[0, 2]])
        np.testing.assert_allclose([-np.sin(yaw), -np.cos(yaw)], toward, atol=1e-6)
        posts = place + np.outer([-0.5, 0.5], [WIDTH_M * np.cos(yaw), 0, -WIDTH_M * np.sin(yaw)])
        assert collider.distance((posts + [0, 1.0, 0]).astype(np.float32)).min() > 0.1
    apart = [
        np.linalg.norm(np.subtract(a.position, b.position)) for a in doorways for b in doorways if a != b
    ]
    assert min(apart) >= 2.0


def test_who_comes_out_of_a_doorway_stands_before_it_and_has_it_behind() -> None:
    (doorway,) = find_doorways(Collider(l_room()), START, -160.0, 1)

    back = np.subtract(doorway.position, doorway.arrive_position)
    yaw = np.radians(doorway.arrive_yaw_deg)

    assert np.linalg.norm(back) == pytest.approx(ARRIVE_M, abs=0.01)
    assert np.dot(back[[0, 2]], [-np.sin(yaw), -np.cos(yaw)]) == pytest.approx(-ARRIVE_M, abs=0.01)


def test_a_doorway_is_rather_ahead_than_behind() -> None:
    open_ground = Collider(floor(-20, 20, -20, 20))
    for heading in (0.0, 70.0, -155.0):
        (doorway,) = find_doorways(open_ground, np.array([0.5, 0.0, -1.0]), heading, 1)
        assert doorway.yaw_deg == pytest.approx(heading)
        assert np.hypot(doorway.position[0] - 0.5, doorway.position[2] + 1.0) > 8.0


def test_a_doorway_stands_before_a_ditch_and_not_in_it() -> None:
    ditched = join([floor(-20, 20, -4, 20), floor(-20, 20, -20, -4, y=-1.5)])

    (doorway,) = find_doorways(Collider(ditched), np.zeros(3), 0.0, 1)

    assert doorway.position[1] == pytest.approx(0.0, abs=1e-5)
    assert doorway.position[2] > -4.0


def test_a_closet_has_no_room_for_doorways() -> None:
    corners = [(0.0, 0.0), (1.6, 0.0), (1.6, 1.4), (0.0, 1.4)]
    closet = join([floor(0, 1.6, 0, 1.4), walls_around(corners), wall((0.8, 0.0), (0.8, 0.3))])

    with pytest.raises(UnliftableInputError, match="room for 0 of 2 doorways"):
        find_doorways(Collider(closet), np.array([0.4, 0.0, 0.8]), 0.0, 2)
