"""Coordinate frames. No other module may negate or permute an axis.

World   right-handed, +Y up, metres. The first camera stands at the origin and looks along -Z.
        This is the glTF, three.js and WebXR frame, so an asset needs no rotation on the way out.
Camera  OpenCV: +X right, +Y down, +Z forward. `viewmats` are world -> camera, [..., 4, 4].
Pixel   +X right, +Y down; the centre of the top-left pixel is (0.5, 0.5).
Quats   wxyz everywhere in Python. glTF and three.js want xyzw; convert at the file boundary.
Depth   along the camera's +Z, never along the ray.

Names say the direction: `cam_from_world @ x_world == x_cam`. A `viewmat` is a `cam_from_world`;
a `c2w` is its inverse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

# An OpenGL camera (+Y up, -Z forward) and an OpenCV camera differ by half a turn about X.
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])

# Right, down, forward (COLMAP, INRIA PLY) -> right, up, back (ours): the same half turn, on the world side.
WORLD_FROM_RDF = np.diag([1.0, -1.0, -1.0, 1.0])

# Z-up right-handed (nerfstudio, Blender) -> Y-up: a quarter turn about X.
WORLD_FROM_Z_UP = np.array(
    [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)

UP = np.array([0.0, 1.0, 0.0])


def viewmats_from_opengl_c2w(c2w: NDArray) -> F32:
    """Turn OpenGL camera-to-world matrices [..., 4, 4] into OpenCV `viewmats` [..., 4, 4].

    The flip acts on the camera side, so it multiplies from the left of the inverse.
    """
    return (_OPENCV_FROM_OPENGL @ np.linalg.inv(np.asarray(c2w, np.float64))).astype(np.float32)


def opengl_c2w_from_viewmats(viewmats: NDArray) -> F32:
    """Turn OpenCV `viewmats` [..., 4, 4] into OpenGL (three.js, WebXR) camera-to-world matrices."""
    return np.linalg.inv(_OPENCV_FROM_OPENGL @ np.asarray(viewmats, np.float64)).astype(np.float32)


def look_at_viewmat(eye: NDArray, target: NDArray, up: NDArray = UP) -> F32:
    """Return the `viewmat` [4, 4] of a camera at `eye` [3] that looks at `target` [3].

    Raises:
        ValueError: `eye` and `target` coincide, or the line of sight is parallel to `up`.
    """
    eye = np.asarray(eye, np.float64)
    forward = np.asarray(target, np.float64) - eye
    right = np.cross(forward, np.asarray(up, np.float64))
    if np.linalg.norm(forward) < 1e-9 or np.linalg.norm(right) < 1e-9:
        raise ValueError("a camera needs a line of sight that is not parallel to up")
    forward /= np.linalg.norm(forward)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    viewmat = np.eye(4)
    viewmat[:3, :3] = np.stack([right, down, forward])
    viewmat[:3, 3] = -viewmat[:3, :3] @ eye
    return viewmat.astype(np.float32)


def xyzw_from_wxyz(quats: NDArray) -> NDArray:
    """Reorder quaternions [..., 4] for glTF and three.js."""
    return np.roll(quats, -1, axis=-1)


def wxyz_from_xyzw(quats: NDArray) -> NDArray:
    """Reorder quaternions [..., 4] read from glTF."""
    return np.roll(quats, 1, axis=-1)


def rotmats_from_quats(quats: NDArray) -> NDArray:
    """Return rotation matrices [..., 3, 3] of quaternions [..., 4] wxyz, which need not be unit length."""
    q = np.asarray(quats)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quats_from_rotmats(rotmats: NDArray) -> NDArray:
    """Return unit quaternions [..., 4] wxyz, w >= 0, of rotation matrices [..., 3, 3].

    Source: Shepperd's method in the form of Bar-Itzhack (2000): the eigenvector of a symmetric 4x4
    matrix, which has no branch that loses precision.
    """
    m = np.asarray(rotmats, np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    k = np.empty((*m.shape[:-2], 4, 4))
    k[..., 0, 0] = xx + yy + zz
    k[..., 1, 1] = xx - yy - zz
    k[..., 2, 2] = yy - xx - zz
    k[..., 3, 3] = zz - xx - yy
    k[..., 0, 1] = k[..., 1, 0] = m[..., 2, 1] - m[..., 1, 2]
    k[..., 0, 2] = k[..., 2, 0] = m[..., 0, 2] - m[..., 2, 0]
    k[..., 0, 3] = k[..., 3, 0] = m[..., 1, 0] - m[..., 0, 1]
    k[..., 1, 2] = k[..., 2, 1] = m[..., 1, 0] + m[..., 0, 1]
    k[..., 1, 3] = k[..., 3, 1] = m[..., 0, 2] + m[..., 2, 0]
    k[..., 2, 3] = k[..., 3, 2] = m[..., 2, 1] + m[..., 1, 2]
    quats = np.linalg.eigh(k)[1][..., -1]
    return np.where(quats[..., :1] < 0, -quats, quats)


def quats_facing(normals: NDArray) -> NDArray:
    """Return the shortest turns [N, 4] wxyz that bring +Z onto unit vectors [N, 3]; none for zero vectors."""
    x, y, z = np.moveaxis(np.asarray(normals), -1, 0)
    quats = np.stack([1 + z, -y, x, np.zeros_like(z)], -1)
    quats[1 + z < 1e-4] = (0, 1, 0, 0)  # half a turn; any axis across would do
    return quats / np.linalg.norm(quats, axis=-1, keepdims=True)


def multiply_quats(a: NDArray, b: NDArray) -> NDArray:
    """Return the Hamilton product a * b of quaternions [..., 4] wxyz: first turn by b, then by a."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def world_from_first_camera(viewmat: NDArray) -> NDArray:
    """Return the rigid map [4, 4] that brings a Y-up scene into our world frame.

    The camera `viewmat` [4, 4] comes to stand at the origin with its level heading along -Z; only a
    turn about +Y and a shift, so up stays up. A camera that looks straight up or down keeps its heading.
    """
    c2w = np.linalg.inv(np.asarray(viewmat, np.float64))
    x, _, z = c2w[:3, 2]
    length = float(np.hypot(x, z))
    cos, sin = (-z / length, x / length) if length > 1e-6 else (1.0, 0.0)
    turn = np.eye(4)
    turn[0, 0], turn[0, 2], turn[2, 0], turn[2, 2] = cos, sin, -sin, cos
    shift = np.eye(4)
    shift[:3, 3] = -c2w[:3, 3]
    return turn @ shift
