"""Moving a whole cloud: the frames of other formats are left at the door, here."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import WORLD_FROM_RDF, multiply_quats, quats_from_rotmats, rotmats_from_quats
from reconstruction.spherical_harmonics import basis, rotate
from reconstruction.splats import SplatCloud

from .errors import AssetFormatError

_LEAST_SCALE = np.float32(1e-12)


def transform(cloud: SplatCloud, world_from_local: NDArray) -> SplatCloud:
    """Return `cloud` moved by an affine map [4, 4]: turns, shifts and positive scales, as glTF allows.

    Raises:
        AssetFormatError: The map mirrors or flattens, which KHR_gaussian_splatting forbids, or leads further
            than float32 does.
    """
    if np.array_equal(world_from_local, np.eye(4)):
        return cloud
    with np.errstate(over="ignore", invalid="ignore"):
        return _transform(cloud, world_from_local)


def _transform(cloud: SplatCloud, world_from_local: NDArray) -> SplatCloud:
    linear = np.asarray(world_from_local, np.float64)[:3, :3]
    determinant = np.linalg.det(linear)
    factors = np.linalg.norm(linear, axis=0)
    # Lengths below 1e-154 square to nothing, also where the other axes keep the determinant up.
    if not 0 < determinant < np.inf or not factors.all():
        raise AssetFormatError(f"a splat node must not mirror or flatten, got determinant {determinant:.3g}")
    means = cloud.means @ linear.T + world_from_local[:3, 3]
    rotation = linear / factors
    if np.allclose(factors, factors[0], rtol=1e-5):
        quats = multiply_quats(quats_from_rotmats(rotation), cloud.quats.astype(np.float64))
        scales = cloud.scales * factors[0]
    else:
        # Unequal scales bend the principal axes: take them from the covariance itself.
        axes = linear @ (rotmats_from_quats(cloud.quats.astype(np.float64)) * cloud.scales[:, None, :])
        vectors, spread, _ = np.linalg.svd(axes)
        vectors[np.linalg.det(vectors) < 0, :, 0] *= -1
        quats, scales = quats_from_rotmats(vectors), spread
    means, scales = means.astype(np.float32), scales.astype(np.float32)
    if not (np.isfinite(means).all() and np.isfinite(quats).all() and np.isfinite(scales).all()):
        raise AssetFormatError("a splat node must keep its splats finite")
    sh = rotate(cloud.sh, rotation).astype(np.float32)
    # What a node shrinks to nothing stays as thin as the smallest size that is read.
    return SplatCloud(means, unit_quats(quats), np.maximum(scales, _LEAST_SCALE), cloud.opacities, sh)


# A unit vector where no function of the basis is zero.
_GENERIC = np.array([0.36, 0.48, 0.8])

# Right, down, forward (INRIA, COLMAP) <-> right, up, back (ours).
RDF_SIGNS = tuple(int(sign) for sign in np.diag(WORLD_FROM_RDF)[:3])


def flip_axes(cloud: SplatCloud, signs: tuple[int, ...]) -> SplatCloud:
    """Return `cloud` with axes negated where `signs` is -1; an odd number of them mirrors the scene.

    A mirrored Gaussian is still a Gaussian: its rotation R becomes S R S, which is a rotation again. Each
    function of the SH basis is even or odd in each axis, so its coefficient changes sign and nothing rounds.
    """
    x, y, z = signs
    parity = np.sign(basis(_GENERIC, cloud.sh_degree) * basis(_GENERIC * np.array(signs), cloud.sh_degree))
    return SplatCloud(
        cloud.means * np.array(signs, np.float32),
        cloud.quats * np.array([1, y * z, x * z, x * y], np.float32),
        cloud.scales,
        cloud.opacities,
        cloud.sh * parity.astype(np.float32)[:, None],
    )


def join_clouds(clouds: Iterable[SplatCloud]) -> SplatCloud:
    """Return at least one cloud end to end, SH padded with zeros to the highest degree among them."""
    clouds = list(clouds)
    bases = max(cloud.sh.shape[1] for cloud in clouds)
    sh = [np.pad(c.sh, ((0, 0), (0, bases - c.sh.shape[1]), (0, 0))) for c in clouds]
    return SplatCloud(
        np.concatenate([c.means for c in clouds]),
        np.concatenate([c.quats for c in clouds]),
        np.concatenate([c.scales for c in clouds]),
        np.concatenate([c.opacities for c in clouds]),
        np.concatenate(sh),
    )


def unit_quats(quats: NDArray) -> NDArray[np.float32]:
    """Return quaternions [N, 4], none of them zero, at unit length; neither huge nor tiny ones overflow."""
    quats = np.asarray(quats, np.float64)
    quats = quats / np.abs(quats).max(axis=1, keepdims=True)
    return (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32)
