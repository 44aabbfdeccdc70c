"""What feet and rays meet: ground, obstacles on it, and an invisible wall where the known world ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .fusion import Mesh, join, parts, simplify
from .ground import Ground, Mask

# Ground triangles may leave the height field by this much; feet do not feel a centimetre.
_GROUND_ERROR_M = 0.015
# Obstacles are met by shoulders, not soles.
_OBSTACLE_ERROR_M = 0.05
# Nobody reaches higher: eyes at 1.6 m, rays of a teleport arc and a ceiling included.
_OBSTACLE_TOP_M = 5.0
# Parts smaller than this are floaters and torn leaves; a chair leg of 4 cm x 40 cm still passes.
_SMALL_PART_M2 = 0.06
# Ground goes on behind the wall, so that no seam lies where feet can come.
_APRON_M = 0.6
# The wall begins below the ground and ends above every eye, so that no level ray passes over it.
_WALL_DEPTH_M, _WALL_TOP_M = 0.7, 3.0
# Smoothed ground rises this much beside open water.
_WET_M = 0.08
# A camera was carried where it is: this far around it the ground is believed even where grass hides it.
_CARRIED_M = 1.0

# The four sides of a cell: roll that brings the neighbour onto it, first and last corner. Seen from above
# (x to the right, z downwards) the cell lies on the left hand of whoever walks from first to last.
_SIDES = (
    ((1, 0), (0, 1), (0, 0)),
    ((-1, 0), (1, 0), (1, 1)),
    ((0, 1), (0, 0), (1, 0)),
    ((0, -1), (1, 1), (0, 1)),
)


@dataclass(frozen=True, slots=True, eq=False)
class ColliderParts:
    """A collider and where its boundary begins."""

    mesh: Mesh
    boundary_start: int  # faces[boundary_start:] are the invisible wall
    region: Mask  # [Z, X] cells inside the wall
    wall_length_m: float


def assemble(
    surface: Mesh, ground: Ground, region: Mask, *, clear_m: float, target_triangles: int
) -> ColliderParts:
    """Join ground, obstacles and boundary into one collider.

    Args:
        surface: Fused mesh; what lies below `clear_m` over the ground is replaced by the ground.
        ground: Height field over the whole rectangle.
        region: [Z, X] cells where people may walk.
        clear_m: Surfaces lower than this over the ground are no obstacles.
        target_triangles: For ground and obstacles together; met unless precision forbids it.
    """
    apron = _grown(region, _APRON_M / ground.cell_m)
    floor = simplify(ground.mesh(apron), target_triangles // 3, max_error_m=_GROUND_ERROR_M)
    obstacles = obstacles_on(surface, ground, apron, clear_m=clear_m)
    room_left = max(target_triangles - len(floor), target_triangles // 3)
    obstacles = simplify(obstacles, room_left, max_error_m=_OBSTACLE_ERROR_M)
    wall, length = boundary(ground, region)
    return ColliderParts(join([floor, obstacles, wall]), len(floor) + len(obstacles), region, length)


def obstacles_on(surface: Mesh, ground: Ground, cells: Mask, *, clear_m: float) -> Mesh:
    """Return the triangles that stand more than `clear_m` over the ground on `cells`, without small parts."""
    if not len(surface):
        return surface
    corners = surface.corners
    over = corners[..., 1] - ground.height_at(corners[..., 0], corners[..., 2])
    middle = corners.mean(axis=1)
    row, column = ground.cells(middle[:, 0], middle[:, 2])
    low, high = over.min(axis=1), over.max(axis=1)
    # Clipping to the grid puts far triangles on its edge, which the apron never reaches.
    kept = surface.subset((high > clear_m) & (low < _OBSTACLE_TOP_M) & cells[row, column])
    if not len(kept):
        return kept
    labels, areas = parts(kept)
    return kept.subset(areas[labels] >= _SMALL_PART_M2)


def walkable_region(
    ground: Ground,
    camera_positions: NDArray,
    *,
    known: Mask,
    margin_m: float,
    close_m: float,
    neck_m: float,
    grow_m: float,
    water_y: float | None = None,
) -> Mask:
    """Return the cells [Z, X] where people may walk: known ground around the cameras' path.

    Known means seen, or enclosed by what was seen, or right under a camera. Only the piece that holds most
    cameras is kept; a wall will stand around it.

    Args:
        ground: Height field.
        camera_positions: [F, 3]
        known: [Z, X] cells that were seen.
        margin_m: Farthest from the path.
        close_m: Gaps in what was seen are bridged up to this width.
        neck_m: Parts narrower than this are cut off.
        grow_m: The region is widened by this: walls that were seen should stop people before the boundary.
        water_y: Ground up to a hand above this height is under water or wet, and left out.
    """
    row, column = ground.cells(camera_positions[:, 0], camera_positions[:, 2])
    cameras = np.ones(ground.shape, bool)
    cameras[row, column] = False
    away_m = ndimage.distance_transform_edt(cameras) * ground.cell_m
    closed = _closed(known, close_m / 2 / ground.cell_m)
    region = (closed | (away_m < _CARRIED_M)) & (away_m < margin_m)
    region = ndimage.binary_fill_holes(region)
    if water_y is not None:
        region &= ground.heights > water_y + _WET_M
    neck = neck_m / 2 / ground.cell_m
    region = _grown(_shrunk(region, neck), neck + grow_m / ground.cell_m)
    # The rim stays free: the wall's apron needs ground to stand on.
    rim = int(np.ceil(_APRON_M / ground.cell_m)) + 1
    region[:rim] = region[-rim:] = region[:, :rim] = region[:, -rim:] = False
    labels, count = ndimage.label(region)
    if not count:  # too little was seen: a few square metres to stand on, and a report that says so
        return away_m <= max(_CARRIED_M, 1.5 * ground.cell_m)
    votes = np.bincount(labels[row, column], minlength=count + 1)
    votes[0] = 0
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    best = int(votes.argmax()) if votes.any() else int(sizes.argmax())
    kept = labels == best
    return kept if water_y is not None else ndimage.binary_fill_holes(kept)


def boundary(ground: Ground, region: Mask) -> tuple[Mesh, float]:
    """Return the wall around `region`, facing inwards, and its length in metres.

    The outline of the cells is a staircase; its corners are averaged along the loop so that a body slides
    along the wall instead of catching on steps.
    """
    low = float(ground.heights[region].min()) - _WALL_DEPTH_M if region.any() else 0.0
    top = float(ground.heights[region].max()) + _WALL_TOP_M if region.any() else 0.0
    pieces, length = [], 0.0
    for loop in _outlines(region):
        smooth = loop.astype(np.float64)
        for _ in range(6):
            smooth = 0.5 * smooth + 0.25 * (np.roll(smooth, 1, axis=0) + np.roll(smooth, -1, axis=0))
        smooth = smooth[:: 3 if len(smooth) > 12 else 1]
        x = ground.origin[0] + (smooth[:, 1] - 0.5) * ground.cell_m
        z = ground.origin[1] + (smooth[:, 0] - 0.5) * ground.cell_m
        count = len(smooth)
        feet = np.stack([x, np.full(count, low), z], axis=1)
        heads = np.stack([x, np.full(count, top), z], axis=1)
        here = np.arange(count, dtype=np.int32)
        after = np.roll(here, -1)
        faces = np.concatenate(
            [
                np.stack([here, here + count, after], 1),
                np.stack([after, here + count, after + count], 1),
            ]
        )
        pieces.append(Mesh(np.concatenate([feet, heads]).astype(np.float32), faces))
        length += float(np.linalg.norm(np.roll(smooth, -1, axis=0) - smooth, axis=1).sum()) * ground.cell_m
    if not pieces:
        return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)), 0.0
    return join(pieces), length


def _outlines(region: Mask) -> list[NDArray[np.int64]]:
    """Return the closed outlines of a mask as corners [L, 2] (row, column), region on the left hand.

    Corner (r, c) is the corner of cell (r, c) with the smallest row and column. Where two cells touch
    only diagonally the outline turns towards its own cell, so that loops never cross.
    """
    padded = np.pad(region, 1)
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for shift, begin, end in _SIDES:
        is_side = region & ~np.roll(padded, shift, axis=(0, 1))[1:-1, 1:-1]
        cells = np.argwhere(is_side)
        for start, stop in zip((cells + begin).tolist(), (cells + end).tolist(), strict=True):
            steps.setdefault(tuple(start), []).append(tuple(stop))
    loops = []
    while steps:
        start = next(iter(steps))
        loop, here, before = [start], start, None
        while True:
            choices = steps[here]
            end = choices[0] if len(choices) == 1 else _left_turn(before, here, choices)
            choices.remove(end)
            if not choices:
                del steps[here]
            if end == start:
                break
            loop.append(end)
            before, here = here, end
        loops.append(np.array(loop))
    return loops


def _left_turn(
    before: tuple[int, int] | None, here: tuple[int, int], choices: list[tuple[int, int]]
) -> tuple[int, int]:
    """Return the choice that turns towards the region, which lies on the left hand."""
    if before is None:
        return choices[0]
    came = (here[0] - before[0], here[1] - before[1])
    # Rows grow downwards on paper: a left turn there has this cross product positive.
    return max(choices, key=lambda end: came[1] * -(end[0] - here[0]) + came[0] * (end[1] - here[1]))


def _grown(mask: Mask, radius: float) -> Mask:
    return ndimage.distance_transform_edt(~mask) <= radius if mask.any() else mask


def _shrunk(mask: Mask, radius: float) -> Mask:
    return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > radius


def _closed(mask: Mask, radius: float) -> Mask:
    if not mask.any():
        return mask
    # Padding by the radius keeps the closing from leaking away at the rim.
    pad = int(np.ceil(radius)) + 1
    grown = _grown(np.pad(mask, pad), radius)
    return _shrunk(grown, radius)[pad:-pad, pad:-pad] | mask
