"""One smooth camera through a built world: what a video model is asked to follow."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.errors import UnliftableInputError

from .procedural.world import World
from .trajectory import reachable_cells

_FIELD_OF_VIEW_DEG = 70.0
_STEP_M = 0.25
# A baseline of 0.5-2 % of the depth a frame, and the whole clip a walk of some metres.
_LONGEST_M, _SHORTEST_M = 9.0, 1.5
_HEADINGS = 24
_SWAY_M = 0.3  # to the side, so that what lies ahead has parallax too
_TURN_DEG = 7.0


def plan_glide(world: World, count: int, width: int, height: int) -> Cameras:
    """Return `count` cameras along the longest straight way over free ground, swaying and turning a little.

    The first one looks along the way, so its picture is the clip's first frame.

    Raises:
        UnliftableInputError: There is no way of 1.5 m.
    """
    start, heading, length_m = _longest_way(world)
    share = np.linspace(0.0, 1.0, count)
    ahead = np.array([-math.sin(heading), -math.cos(heading)])
    aside = np.array([math.cos(heading), -math.sin(heading)])
    sway = _SWAY_M * np.sin(2 * np.pi * share)
    places = start + np.outer(share * length_m, ahead) + np.outer(sway, aside)
    floor = np.asarray(world.ground_height(places[:, 0], places[:, 1]))
    # Eyes do not follow every tuft: a camera that bobs makes a clip that cannot be lifted.
    eye_y = uniform_filter1d(floor, max(3, count // 6), mode="nearest") + world.eye_height_m
    eyes = np.stack([places[:, 0], eye_y, places[:, 1]], axis=1)
    yaws = heading + math.radians(_TURN_DEG) * np.sin(2 * np.pi * share)
    targets = eyes + np.stack([-np.sin(yaws), np.full(count, -0.06), -np.cos(yaws)], axis=1)
    viewmats = np.stack([look_at_viewmat(eye, target) for eye, target in zip(eyes, targets, strict=True)])
    focal = width / 2 / math.tan(math.radians(_FIELD_OF_VIEW_DEG) / 2)
    Ks = np.repeat(intrinsics(focal, width, height)[None], count, axis=0)
    return Cameras(viewmats, Ks, width, height)


def _longest_way(world: World) -> tuple[NDArray[np.float64], float, float]:
    """Return start (x, z), heading in radians and length of the longest way towards what is of interest."""
    cells = reachable_cells(world, 0.5)
    cells = cells[:: max(1, len(cells) // 200)]
    best: tuple[float, NDArray[np.float64], float, float] | None = None
    steps = np.arange(0.0, _LONGEST_M + _STEP_M, _STEP_M)
    for heading in np.arange(_HEADINGS) * 2 * np.pi / _HEADINGS:
        ahead = np.array([-math.sin(heading), -math.cos(heading)])
        aside = np.array([math.cos(heading), -math.sin(heading)])
        free = np.ones((len(cells), len(steps)), bool)
        for side in (-_SWAY_M, 0.0, _SWAY_M):
            x = cells[:, :1] + steps * ahead[0] + side * aside[0]
            z = cells[:, 1:] + steps * ahead[1] + side * aside[1]
            free &= np.asarray(world.is_free(x.ravel(), z.ravel())).reshape(x.shape)
        lengths = (np.cumprod(free, axis=1).sum(axis=1) - 1) * _STEP_M
        scores = lengths + 2.0 * _interest(world, cells, ahead)
        scores[lengths < _SHORTEST_M] = -np.inf
        index = int(scores.argmax())
        if np.isfinite(scores[index]) and (best is None or scores[index] > best[0]):
            best = (float(scores[index]), cells[index], float(heading), float(lengths[index]))
    if best is None:
        raise UnliftableInputError(
            f"there is no straight way of {_SHORTEST_M:g} m for a camera to glide along",
            hint="Ask for a larger size or fewer things.",
        )
    return best[1], best[2], best[3]


def _interest(world: World, cells: NDArray, ahead: NDArray) -> NDArray[np.float64]:
    """Return how well [C] each place looks at what the prompt is about, 0 to 1."""
    if not world.points_of_interest:
        return np.zeros(len(cells))
    weights = np.array([point.weight for point in world.points_of_interest])
    positions = np.array([point.position for point in world.points_of_interest])[:, [0, 2]]
    away = positions - cells[:, None]
    cosine = (away @ ahead) / np.maximum(np.linalg.norm(away, axis=2), 1e-6)
    return (np.maximum(cosine, 0.0) ** 2 * weights).sum(axis=1) / weights.sum()
