"""The ground as a height field: seen where pictures show it, estimated where they do not.

A height field has no holes by construction, so a person who stays inside its region cannot fall through.
Where a height was estimated is kept, so that the report can say how much was invented.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from .conventions import F32
from .fusion import Collider, Mesh

Mask = NDArray[np.bool_]

# A surface whose normal leans further than this from up is a wall, not ground.
_UPWARD = np.cos(np.radians(60.0))
# Neighbouring cells of one surface differ by less than this slope allows (63 degrees).
_CONTINUOUS_SLOPE = 2.0
# Patches below this area are specks: a stray surface under the floor or a stone that feet step over.
_SPECK_M2 = 0.3
# A patch that lies this far above the ground around it is furniture, a rock or a roof, not ground ...
_RAISED_M = 0.3
# ... plus what the land may rise on the way there from the nearest known ground.
_RISE = 0.35
# Cameras are carried between these heights above the ground that is under them.
_CARRIED_M = (0.4, 3.0)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Heights on a square grid in the XZ plane; [row, column] is [z, x]."""

    origin: F32  # [2] x, z of the centre of cell [0, 0], metres
    cell_m: float
    heights: F32  # [Z, X] metres; finite everywhere
    is_seen: Mask  # [Z, X] measured rather than estimated

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (along z) and columns (along x)."""
        return self.heights.shape[0], self.heights.shape[1]

    def centres(self) -> tuple[F32, F32]:
        """Return x and z [Z, X] of the cell centres."""
        rows, columns = self.shape
        x = self.origin[0] + np.arange(columns, dtype=np.float32) * self.cell_m
        z = self.origin[1] + np.arange(rows, dtype=np.float32) * self.cell_m
        return tuple(np.meshgrid(x, z))  # type: ignore[return-value]

    def cells(self, x: NDArray, z: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return row and column of positions, clipped to the grid."""
        rows, columns = self.shape
        row = np.rint((np.asarray(z) - self.origin[1]) / self.cell_m).astype(np.int64)
        column = np.rint((np.asarray(x) - self.origin[0]) / self.cell_m).astype(np.int64)
        return np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)

    def height_at(self, x: NDArray, z: NDArray) -> F32:
        """Return bilinear heights at positions [...], not scalars; beyond the grid its edge goes on."""
        row = (np.asarray(z) - self.origin[1]) / self.cell_m
        column = (np.asarray(x) - self.origin[0]) / self.cell_m
        return ndimage.map_coordinates(self.heights, np.stack([row, column]), order=1, mode="nearest")

    def mesh(self, cells: Mask) -> Mesh:
        """Return the surface over all squares that touch a cell of `cells` [Z, X]."""
        squares = cells[:-1, :-1] | cells[1:, :-1] | cells[:-1, 1:] | cells[1:, 1:]
        index = np.arange(self.heights.size, dtype=np.int32).reshape(self.shape)
        near, far = index[:-1, :-1][squares], index[1:, :-1][squares]
        near_right, far_right = index[:-1, 1:][squares], index[1:, 1:][squares]
        faces = np.concatenate(
            [np.stack([near, far, near_right], 1), np.stack([near_right, far, far_right], 1)]
        )
        x, z = self.centres()
        vertices = np.stack([x, self.heights, z], axis=-1).reshape(-1, 3).astype(np.float32)
        return Mesh(vertices, faces).subset(np.ones(len(faces), bool))


def estimate_ground(
    surface: Mesh,
    camera_positions: NDArray,
    *,
    low: NDArray,
    high: NDArray,
    cell_m: float,
    grass_m: float = 0.0,
) -> Ground:
    """Find the ground in a fused surface and complete it over a rectangle.

    Ground is what is under the cameras, and every other upward surface that continues it about level or
    lies below it; raised surfaces (tables, rocks, roofs) are left out and the ground goes on beneath them.

    Args:
        surface: Fused mesh; may be empty.
        camera_positions: [F, 3]
        low: [2] x, z of the rectangle.
        high: [2] x, z of the rectangle.
        cell_m: Edge of a cell.
        grass_m: Width of the tufts that are smoothed away; 0 keeps steps sharp.
    """
    columns, rows = (int(np.ceil((b - a) / cell_m)) + 1 for a, b in zip(low, high, strict=True))
    blank = np.zeros((rows, columns), np.float32)
    frame = Ground(np.asarray(low, np.float32), cell_m, blank, blank > 0)
    lowest = _lowest_upward_surface(surface, frame)
    patches = _patches(lowest, cell_m)
    is_ground = _patch_under_cameras(lowest, patches, frame, camera_positions)
    if not is_ground.any():
        # Nothing was seen underfoot: a level plane at the height at which cameras are carried.
        level = float(np.median(camera_positions[:, 1])) - 1.6
        return Ground(frame.origin, cell_m, np.full_like(blank, level), is_ground)
    for _ in range(4):
        filled = complete(lowest, is_ground)
        grown = _joined(lowest, patches, is_ground, filled, cell_m)
        if (grown == is_ground).all():
            break
        is_ground = grown
    heights = _smoothed(lowest, is_ground, cell_m=cell_m, grass_m=grass_m)
    return Ground(frame.origin, cell_m, heights, is_ground)


def complete(heights: F32, known: Mask) -> F32:
    """Fill unknown cells with the membrane that is stretched between the known ones.

    The membrane's edge is free, so the ground goes on level where nothing bounds it.

    Args:
        heights: [Z, X] read only where known.
        known: [Z, X], at least one cell.
    """
    unknown = ~known
    if not unknown.any():
        return heights.astype(np.float32)
    number = np.full(heights.shape, -1, np.int64)
    number[unknown] = np.arange(int(unknown.sum()))
    count = int(unknown.sum())
    degree, right_side = np.zeros(count), np.zeros(count)
    rows, columns = [], []
    for axis in (0, 1):
        ahead, behind = _pairs(number, axis)
        value_ahead, value_behind = _pairs(heights, axis)
        for own, other, value in ((behind, ahead, value_ahead), (ahead, behind, value_behind)):
            inside = own >= 0
            np.add.at(degree, own[inside], 1.0)
            fixed = inside & (other < 0)
            np.add.at(right_side, own[fixed], value[fixed])
            free = inside & (other >= 0)
            rows.append(own[free])
            columns.append(other[free])
    row, column = np.concatenate(rows), np.concatenate(columns)
    pull = sparse.coo_matrix((-np.ones(len(row)), (row, column)), shape=(count, count))
    filled = heights.astype(np.float32).copy()
    filled[unknown] = spsolve((pull + sparse.diags(degree)).tocsc(), right_side)
    return filled


def _pairs(grid: NDArray, axis: int) -> tuple[NDArray, NDArray]:
    """Return every cell's next neighbour along an axis, and the cell itself, flattened."""
    if axis == 0:
        return grid[1:].ravel(), grid[:-1].ravel()
    return grid[:, 1:].ravel(), grid[:, :-1].ravel()


def _lowest_upward_surface(surface: Mesh, frame: Ground) -> F32:
    """Return the height [Z, X] of the lowest surface if it looks up, else NaN.

    Rays come from below; a first surface that looks down is the underside of something that hangs.
    """
    heights = np.full(frame.shape, np.nan, np.float32)
    if not len(surface):
        return heights
    x, z = frame.centres()
    below = float(surface.vertices[:, 1].min()) - 1.0
    origins = np.stack([x.ravel(), np.full(x.size, below), z.ravel()], axis=1)
    distances, triangles = Collider(surface).cast(origins, np.array([0.0, 1.0, 0.0]))
    upward = (triangles >= 0) & (surface.normals[triangles, 1] > _UPWARD)
    heights.reshape(-1)[upward] = below + distances[upward]
    return heights


def _patches(heights: F32, cell_m: float) -> NDArray[np.int32]:
    """Label [Z, X] the surfaces that are continuous from cell to cell; 0 is no surface, or a speck."""
    index = np.arange(heights.size).reshape(heights.shape)
    rows, columns = [], []
    for axis in (0, 1):
        ahead, behind = _pairs(heights, axis)
        linked = np.abs(ahead - behind) < _CONTINUOUS_SLOPE * cell_m
        index_ahead, index_behind = _pairs(index, axis)
        rows.append(index_ahead[linked])
        columns.append(index_behind[linked])
    row, column = np.concatenate(rows), np.concatenate(columns)
    links = sparse.coo_matrix((np.ones(len(row), bool), (row, column)), shape=(heights.size,) * 2)
    labels = sparse.csgraph.connected_components(links, directed=False)[1]
    sizes = np.bincount(labels)
    large = sizes * cell_m**2 >= _SPECK_M2
    order = np.where(large, np.cumsum(large), 0)
    return np.where(np.isfinite(heights), order[labels].reshape(heights.shape), 0).astype(np.int32)


def _patch_under_cameras(heights: F32, patches: NDArray, frame: Ground, positions: NDArray) -> Mask:
    """Mark the patch that lies as far below cameras as cameras are carried, else the largest below them."""
    row, column = frame.cells(positions[:, 0], positions[:, 2])
    reach = max(1, round(0.5 / frame.cell_m))
    votes: dict[int, int] = {}
    for r, c, y in zip(row, column, positions[:, 1], strict=True):
        window = np.s_[max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1]
        drop = y - heights[window]
        for label in np.unique(patches[window][(drop > _CARRIED_M[0]) & (drop < _CARRIED_M[1])]):
            votes[int(label)] = votes.get(int(label), 0) + 1
    votes.pop(0, None)
    sizes = np.bincount(patches.ravel())
    sizes[0] = 0
    if votes:  # a camera over a table votes for the table: the largest of the chosen wins
        return patches == max(votes, key=lambda label: votes[label] * sizes[label])
    below = float(np.median(positions[:, 1]))
    for label in np.argsort(-sizes):
        if sizes[label] and np.nanmedian(heights[patches == label]) < below:
            return patches == label
    return np.zeros(patches.shape, bool)


def _joined(heights: F32, patches: NDArray, is_ground: Mask, filled: F32, cell_m: float) -> Mask:
    """Add the patches that continue the known ground about level or lie below it."""
    away_m = ndimage.distance_transform_edt(~is_ground).astype(np.float32) * cell_m
    height_over = heights - filled - _RISE * away_m
    others = np.unique(patches[(patches > 0) & ~is_ground])
    if not len(others):
        return is_ground
    raised = ndimage.median(height_over, patches, others)
    return is_ground | np.isin(patches, others[np.asarray(raised) < _RAISED_M])


def _smoothed(heights: F32, is_ground: Mask, *, cell_m: float, grass_m: float) -> F32:
    """Return ground heights without the roughness of fused surfaces, and without tufts up to `grass_m` wide.

    Tufts stand on the ground, so a low quantile finds it between them; the mean over 3x3 cells takes the
    half voxel by which fused surfaces are rough.
    """
    smooth = complete(heights, is_ground)
    width = round(grass_m / cell_m) | 1
    if width > 1:
        smooth = ndimage.percentile_filter(smooth, 25, size=width, mode="nearest")
        smooth = ndimage.gaussian_filter(smooth, width / 4, mode="nearest")
    return ndimage.uniform_filter(smooth, 3, mode="nearest").astype(np.float32)
