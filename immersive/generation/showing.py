"""What the prompt named has to be seen: views that show it take the place of views that add the least.

The number of views stays the same, as does the first. A kind counts as shown when >= 0.1 % of >= 3 pictures
is of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from immersive.generation.coverage import SHOWN_SHARE, coverage_of
from immersive.generation.procedural.mesh import Mesh, label_of
from immersive.generation.procedural.world import World
from immersive.generation.sight import Sight, View
from reconstruction.conventions import F32

SHOWN_FRAMES = 3

# What the first, second, ... view of the same point is worth; the fifth adds little that fitting can use.
WORTH = np.array([1.0, 0.8, 0.55, 0.3, 0.15, 0.08, 0.04, 0.02, 0.0])

_AIM_SHARE = 0.002  # what is looked for: the grid of rays may err by half of it
_ENOUGH_SHARE = 0.03  # a view that shows more of a thing is not better
_TARGETS = 48  # places on a kind that are aimed at
_TRIED = 20  # views of a kind that rays are cast for
_MOST_EYES = 500
_STEEPEST_DEG = 40.0
_SPREAD = np.cos(np.radians(18.0))  # targets that near to each other are seen together
_NEAR_M = {True: 1.3, False: 2.5}  # indoors, outdoors: coming nearer makes a view no better
_APART_M = {True: 0.5, False: 1.2}  # between the eyes of views that show the same
_SAME_EYE_M, _SAME_HEADING = 0.3, np.cos(np.radians(8.0))  # nearer to a held-out view than this is cheating


class Showing:
    """Brings what was named into the training views of a place."""

    def __init__(self, world: World, sight: Sight, eyes: NDArray, held_out: Sequence[View]) -> None:
        """Views may be taken from `eyes` [E, 3], but not alike any that is held out."""
        self._world, self._sight, self._held_out = world, sight, held_out
        self._eyes = eyes[:: 1 + len(eyes) // _MOST_EYES]

    def show(
        self, kinds: Sequence[str], views: Sequence[View], points: NDArray, weights: NDArray
    ) -> tuple[list[View], tuple[str, ...]]:
        """Return as many views, some of them others, and the kinds that too few of them show.

        Args:
            kinds: What was named.
            views: The training views; the first one stays.
            points: What visitors see [P, 3], by which the use of a view is judged.
            weights: What each point counts [P].
        """
        chosen = list(views)
        wanted = list(dict.fromkeys(kinds))
        if not wanted:
            return chosen, ()
        shares = self._shares(chosen, wanted)
        seen: NDArray[np.bool_] | None = None
        for column, kind in enumerate(wanted):
            if self._frames_shown(shares, column, _AIM_SHARE) >= SHOWN_FRAMES:
                continue
            for view in self._views_of(kind, [chosen[i] for i in np.flatnonzero(shares[:, column] > 0)]):
                if self._frames_shown(shares, column, _AIM_SHARE) >= SHOWN_FRAMES:
                    break
                row = self._shares([view], wanted)[0]
                if row[column] <= np.sort(shares[:, column])[-SHOWN_FRAMES]:
                    continue  # three views show it as well already
                if seen is None:
                    seen = np.stack([self._seen(old, points) for old in chosen])
                victim = self._least_useful(chosen, shares, seen, weights)
                chosen[victim], shares[victim], seen[victim] = view, row, self._seen(view, points)
        too_few = [
            kind
            for column, kind in enumerate(wanted)
            if self._frames_shown(shares, column, SHOWN_SHARE) < SHOWN_FRAMES
        ]
        return chosen, tuple(too_few)

    @staticmethod
    def _frames_shown(shares: F32, column: int, share: float) -> int:
        return int((shares[:, column] >= share).sum())

    def _shares(self, views: Sequence[View], kinds: Sequence[str]) -> F32:
        """Return how much of each view [V] is of each kind [K]."""
        coverage = coverage_of(self._world, self._sight.scene, self._sight.cameras(views))
        return np.stack([coverage.share_of(kind) for kind in kinds], axis=1)

    def _seen(self, view: View, points: NDArray) -> NDArray[np.bool_]:
        return self._sight.frames(view, points) & self._sight.sees(view.eye[None], points)[0]

    def _least_useful(
        self, views: Sequence[View], shares: F32, seen: NDArray[np.bool_], weights: NDArray
    ) -> int:
        """Return the view without which least is lost: not the first, nor one that shows what few show."""
        times = seen.sum(axis=0)
        # A point that its view is the n-th to see is worth what the n-th view is.
        worth = WORTH[np.clip(times - 1, 0, len(WORTH) - 1)] * weights
        loss = seen @ worth
        best = np.argsort(-shares, axis=0, kind="stable")[:SHOWN_FRAMES]
        needed = np.zeros(len(views), np.bool_)
        for column in range(shares.shape[1]):
            needed[best[:, column][shares[best[:, column], column] > 0]] = True
        needed[0] = True
        # Where only one view was taken, it is the only one with that parallax.
        places = np.stack([view.eye for view in views]).round(3)
        _, which, counts = np.unique(places, axis=0, return_inverse=True, return_counts=True)
        is_alone = counts[which.ravel()] == 1
        return int((loss + np.where(is_alone, 1e6, 0.0) + np.where(needed, 1e12, 0.0)).argmin())

    def _views_of(self, kind: str, there: Sequence[View]) -> list[View]:
        """Return views that show a kind, the best first and apart from each other and from those `there`."""
        targets = _places_on(self._world.mesh, kind)
        if len(targets) == 0 or len(self._eyes) == 0:
            return []
        near, apart = _NEAR_M[self._world.is_indoor], _APART_M[self._world.is_indoor]
        towards = targets[None] - self._eyes[:, None]
        distances = np.linalg.norm(towards, axis=2)
        gains = self._sight.sees(self._eyes, targets) / np.maximum(distances, near) ** 2
        heads = towards / np.maximum(distances, 1e-6)[..., None]
        together = heads @ heads.transpose(0, 2, 1) > _SPREAD
        scores = np.einsum("ept,et->ep", together, gains) * (gains > 0)
        aims, best = scores.argmax(axis=1), scores.max(axis=1)
        tried: list[View] = []
        for index in np.argsort(-best, kind="stable"):
            if best[index] <= 0 or len(tried) == _TRIED:
                break
            eye = self._eyes[index]
            view = View.at(eye, targets[aims[index]], _STEEPEST_DEG)
            crowded = any(np.linalg.norm(eye - other.eye) < apart for other in [*there, *tried])
            if not crowded and not self._is_held_out(view):
                tried.append(view)
        if not tried:
            return []
        shares = np.minimum(self._shares(tried, [kind])[:, 0], _ENOUGH_SHARE)
        return [tried[i] for i in np.argsort(-shares, kind="stable") if shares[i] > 0]

    def _is_held_out(self, view: View) -> bool:
        return any(
            np.linalg.norm(view.eye - other.eye) < _SAME_EYE_M
            and view.forward @ other.forward > _SAME_HEADING
            for other in self._held_out
        )


def _places_on(mesh: Mesh, kind: str) -> NDArray[np.float64]:
    """Return middles [P, 3] of some triangles of a kind, more where its surface is larger."""
    faces = mesh.faces[mesh.face_labels == label_of(kind)]
    if len(faces) == 0:
        return np.zeros((0, 3))
    corners = mesh.vertices[faces].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    # Evenly spaced along the surface, so that no number is drawn and every part has its turn.
    along = (np.arange(_TARGETS) + 0.5) / _TARGETS * areas.sum()
    which = np.unique(np.minimum(np.searchsorted(np.cumsum(areas), along), len(faces) - 1))
    return corners[which].mean(axis=1)
