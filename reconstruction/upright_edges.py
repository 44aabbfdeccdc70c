"""The direction in which most upright edges of a scene meet: door frames, walls, posts, trunks.

An edge in a picture and the camera's centre span a plane, and an upright edge lies in it. So up is at right
angles to the normals of more of these planes than any other direction near it. No lines are joined: each
pixel on an edge votes (as in Coughlan and Yuille 1999, Manhattan World).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .photos import resized

F64 = NDArray[np.float64]

_EDGE_PX = 400  # long edge of the pictures that are looked at; an edge's slope is as good at this size
_VOTES_PER_PICTURE = 1_500
_VOTES = 20_000
_COHERENCE = 0.9  # of the gradient's direction around an edge; corners and foliage have less
_LEAST_GRADIENT = 4.0  # grey levels a pixel; less is a shadow or noise
_WITHIN_DEG = 30.0  # of where up is expected
# (step, width of a vote) in degrees of the coarse and of the fine search
_COARSE_DEG, _FINE_DEG = (1.5, 1.5), (0.25, 0.8)
# The best direction has this many times the votes of the usual one: 8 on a street and 10 at a portal, where
# it is right; 2.3, 3.2 and 3.8 on rooms without edges, in a forest and over a table, where it is not.
_LEAST_PEAK = 4.5


def upright_direction(images: NDArray[np.uint8], cameras: Cameras, about: F64) -> F64 | None:
    """Return the unit direction [3] of upright edges within 30 degrees of `about`, or None if unclear.

    Args:
        images: [F, H, W, 3], of the size that `cameras` have.
        cameras: In any frame.
        about: [3] unit direction that is about up, in the same frame.
    """
    rng = np.random.default_rng(0)
    cast = [
        _edge_normals(image, K.astype(np.float64), rng) @ viewmat[:3, :3].astype(np.float64)
        for image, K, viewmat in zip(images, cameras.Ks, cameras.viewmats, strict=True)
    ]
    normals = np.concatenate(cast)
    if len(normals) < _VOTES_PER_PICTURE:
        return None
    if len(normals) > _VOTES:
        normals = normals[rng.choice(len(normals), _VOTES, replace=False)]
    coarse = _around(about, _WITHIN_DEG, _COARSE_DEG[0])
    votes = _votes(normals, coarse, _COARSE_DEG[1])
    best = coarse[votes.argmax()]
    is_at_border = best @ about < np.cos(np.radians(_WITHIN_DEG - 2 * _COARSE_DEG[0]))
    if is_at_border or votes.max() < _LEAST_PEAK * np.median(votes):
        return None
    fine = _around(best, _COARSE_DEG[0], _FINE_DEG[0])
    return fine[_votes(normals, fine, _FINE_DEG[1]).argmax()]


def _edge_normals(image: NDArray[np.uint8], K: F64, rng: np.random.Generator) -> F64:
    """Return unit normals [E, 3], in the camera, of the planes through its centre and edges of a picture."""
    from scipy.ndimage import gaussian_filter

    small = resized(image, _EDGE_PX)
    grey = gaussian_filter(small.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32), 1.0)
    down, across = np.gradient(grey)
    xx, xy, yy = (gaussian_filter(part, 2.0) for part in (across**2, across * down, down**2))
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy**2) / (xx + yy + 1e-6)
    strength = np.hypot(across, down)
    is_edge = (coherence > _COHERENCE) & (strength > max(_LEAST_GRADIENT, float(np.quantile(strength, 0.85))))
    border = np.zeros_like(is_edge)
    border[4:-4, 4:-4] = True  # the filters see past the picture's border
    v, u = np.nonzero(is_edge & border)
    if len(v) > _VOTES_PER_PICTURE:
        some = rng.choice(len(v), _VOTES_PER_PICTURE, replace=False)
        v, u = v[some], u[some]
    slope = 0.5 * np.arctan2(2 * xy[v, u], xx[v, u] - yy[v, u])  # of the gradient; the edge is across it
    along = np.stack([-np.sin(slope), np.cos(slope)], axis=1)
    scale = small.shape[1] / image.shape[1]
    focal, centre = K[[0, 1], [0, 1]] * scale, K[:2, 2] * scale
    ends = [np.stack([u + 0.5, v + 0.5], axis=1) + 20 * side * along for side in (-1, 1)]
    rays = [np.c_[(end - centre) / focal, np.ones(len(end))] for end in ends]
    normals = np.cross(*rays)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _around(middle: F64, half_deg: float, step_deg: float) -> F64:
    """Return unit directions [D, 3] in a square grid around one."""
    first = np.cross(middle, np.eye(3)[np.abs(middle).argmin()])
    first /= np.linalg.norm(first)
    second = np.cross(middle, first)
    tilts = np.tan(np.radians(np.arange(-half_deg, half_deg + 1e-9, step_deg)))
    a, b = np.meshgrid(tilts, tilts)
    found = middle + a.reshape(-1, 1) * first + b.reshape(-1, 1) * second
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _votes(normals: F64, directions: F64, width_deg: float) -> F64:
    """Return for each direction the share of normals at right angles to it, with a soft border."""
    limit = np.sin(np.radians(width_deg))
    return np.array([np.exp(-0.5 * (normals @ one / limit) ** 2).mean() for one in directions])
