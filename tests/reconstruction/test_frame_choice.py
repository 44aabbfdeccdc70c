from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import laplace, map_coordinates

from reconstruction.frame_choice import STEP_OVER_WIDTH, Look, choose, motion
from tests.reconstruction.clips import blurred, texture

HEIGHT, WIDTH = 90, 160
_WALL = texture(300, 900, seed=4)


def _view(x: float, y: float = 40.0) -> NDArray[np.float32]:
    """A window of the wall with its corner at (x, y), which need not be whole pixels."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return map_coordinates(_WALL.mean(axis=2), [v + y, u + x], order=1).astype(np.float32)


def _looks(places: list[float], out_of_focus: tuple[int, ...] = ()) -> list[Look]:
    looks = []
    for index, x in enumerate(places):
        thumb = _view(x)
        if index in out_of_focus:
            thumb = blurred(np.repeat(thumb[..., None], 3, axis=2))[..., 0].astype(np.float32)
        looks.append(Look(10 + index, thumb, float(laplace(thumb).var())))
    return looks


@pytest.mark.parametrize(("x", "y"), [(0, 0), (5, 0), (0, -7), (-3, 11), (2.5, 1.25), (0.3, 0)])
def test_motion_is_how_far_the_window_moved(x: float, y: float) -> None:
    found = motion(_view(100, 60), _view(100 + x, 60 + y)) * WIDTH

    # A tile's own sliding border pulls towards no motion, the more the further.
    assert found == pytest.approx(np.hypot(x, y), abs=0.1 + 0.05 * np.hypot(x, y))


def test_a_blank_wall_does_not_move() -> None:
    blank = np.full((HEIGHT, WIDTH), 80, np.float32)

    assert motion(blank, blank + np.random.default_rng(0).normal(size=blank.shape).astype(np.float32)) == 0


def test_a_thumbnail_smaller_than_a_tile_is_compared_too() -> None:
    assert motion(_view(100)[:20, :28], _view(103)[:20, :28]) * 28 == pytest.approx(3, abs=0.5)


def test_where_the_camera_rests_few_frames_are_kept() -> None:
    rest, walk = 40, 20
    looks = _looks([3.0 + 0.05 * i for i in range(rest)] + [5.0 + 4.0 * i for i in range(walk)])

    kept = [index - 10 for index in choose(looks, usual=12, most=12)]

    assert sum(index < rest for index in kept) <= 3
    assert np.diff([index for index in kept if index >= rest]).max() <= 3


def test_a_longer_way_gets_more_frames_up_to_the_most() -> None:
    looks = _looks([4.0 * i for i in range(100)])  # 2.5 widths of the picture

    assert len(choose(looks, usual=8, most=100)) == pytest.approx(99 * 4 / WIDTH / STEP_OVER_WIDTH, abs=3)
    assert len(choose(looks, usual=8, most=17)) == 17


def test_a_short_way_gets_the_usual_number() -> None:
    assert len(choose(_looks([0.5 * i for i in range(60)]), usual=20, most=100)) == 20


def test_a_blurred_frame_is_left_out_where_every_frame_would_be_kept() -> None:
    looks = _looks([3.0 * i for i in range(12)], out_of_focus=(0, 5, 8))

    assert choose(looks, usual=40, most=100) == [10 + i for i in range(12) if i not in (0, 5, 8)]


def test_a_blurred_frame_stays_where_it_would_leave_a_gap() -> None:
    hop = 0.15 * WIDTH  # two of them share too little
    looks = _looks([min(i, 5) * 1.0 + max(0, min(i - 5, 2)) * hop + max(0, i - 7) for i in range(13)], (6,))

    assert 16 in choose(looks, usual=40, most=100)


def test_half_of_the_frames_are_kept_however_blurred() -> None:
    looks = _looks([2.0 * i for i in range(14)], out_of_focus=tuple(range(1, 14, 2)))

    assert len(choose(looks, usual=40, most=100)) >= 7
