"""Where a visit begins: the place and direction from which most of what was asked for is seen at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from immersive.generation.coverage import coverage_of
from immersive.generation.procedural.world import World
from immersive.generation.sight import Sight, View

_HEADINGS = 20
_PITCH_DEG = -3.0
_MOST_EYES = 24
_COLUMNS = 32  # rays across a picture that is judged
_ENOUGH_SHARE = 0.06  # of a picture: what fills more of it is not seen any better
_CLOSE_M = {True: 0.8, False: 1.8}  # indoors, outdoors: what is nearer than this stands in the way
_HALF_WIDTH = 0.5  # of the picture, around its middle, where things look meant


def opening_view(world: World, sight: Sight, eyes: NDArray, named: Sequence[str]) -> View:
    """Return the view to begin with.

    Args:
        world: The place.
        sight: The lens, and the rays against the world.
        eyes: Where one may stand [E, 3], metres.
        named: The kinds that the prompt names; where it names none, all that the place is known by.
    """
    kinds = list(dict.fromkeys(named)) or _best_known(world)
    tried = [
        View.towards(eye, 360.0 * heading / _HEADINGS, _PITCH_DEG)
        for eye in eyes[:: 1 + (len(eyes) - 1) // _MOST_EYES]
        for heading in range(_HEADINGS)
    ]
    cameras = sight.cameras(tried)
    coverage = coverage_of(world, sight.scene, cameras, _COLUMNS)
    score = np.zeros(len(tried))
    for kind in kinds:
        score += np.sqrt(np.minimum(coverage.share_of(kind) / _ENOUGH_SHARE, 1.0))
    score += 0.4 * _middles(world, tried, kinds)
    score -= 4.0 * np.array([_blocked(sight, view, _CLOSE_M[world.is_indoor]) for view in tried])
    return tried[int(score.argmax())]


def _best_known(world: World) -> list[str]:
    """Return what a place is known by: its points of interest of the greatest weight."""
    points = world.points_of_interest
    most = max((point.weight for point in points), default=0.0)
    return list(dict.fromkeys(point.name for point in points if point.weight == most))


def _middles(world: World, views: Sequence[View], named: Sequence[str]) -> NDArray[np.float64]:
    """Return the share of the named things that are near the middle of each view, whether hidden or not."""
    spots = np.array([point.position for point in world.points_of_interest if point.name in named])
    if len(spots) == 0:
        return np.zeros(len(views))
    found = np.zeros(len(views))
    for index, view in enumerate(views):
        towards = spots - view.eye
        towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-9)
        found[index] = (towards @ view.forward > np.cos(np.radians(70.0 / 2 * _HALF_WIDTH))).mean()
    return found


def _blocked(sight: Sight, view: View, close_m: float) -> float:
    """Return the share of a view's middle that something right before it fills."""
    right = np.cross(view.forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, view.forward)
    x, y = np.meshgrid(np.linspace(-0.6, 0.6, 12), np.linspace(-0.15, 0.3, 6))
    heads = view.forward + x.reshape(-1, 1) * right + y.reshape(-1, 1) * up
    heads /= np.linalg.norm(heads, axis=1, keepdims=True)
    return float((sight.cast(view.eye, heads) < close_m).mean())
