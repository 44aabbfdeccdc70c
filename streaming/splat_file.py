"""The `.splat` file of antimatter15's viewer: 32 bytes per splat, no header, colour of degree 0.

float32 x 3 position, float32 x 3 linear scale, u8 x 4 RGBA, u8 x 4 quaternion w first (q * 128 + 128).
Positions keep the frame of the PLY they came from: right, down, forward.

Source: antimatter15/splat, convert.py.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from reconstruction.spherical_harmonics import dc_from_rgb, rgb_from_dc
from reconstruction.splats import SplatCloud

from .errors import AssetFormatError
from .limits import MAX_SPLATS_PER_FILE
from .transform import RDF_SIGNS, flip_axes, unit_quats

ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("quat", "u1", 4)])

Frame = Literal["auto", "rub", "rdf"]


def encode(cloud: SplatCloud) -> bytes:
    """Return the rows of `cloud`; colour above degree 0 is left out.

    Largest errors: colour and opacity 1/510, rotation 1/256 per component (1/128 for the value 1).
    """
    source = flip_axes(cloud, RDF_SIGNS)
    rows = np.zeros(len(source), ROW)
    rows["mean"], rows["scale"] = source.means, source.scales
    rows["rgba"][:, :3] = np.rint(rgb_from_dc(source.sh[:, 0]) * 255).clip(0, 255)
    rows["rgba"][:, 3] = np.rint(source.opacities * 255).clip(0, 255)
    rows["quat"] = np.rint(source.quats * 128 + 128).clip(0, 255)
    return rows.tobytes()


def decode(data: bytes, *, frame: Frame = "auto") -> SplatCloud:
    """Return the cloud of a `.splat` file in our world frame.

    Raises:
        AssetFormatError: Not whole rows, or values that no splat can have.
    """
    if not data or len(data) % ROW.itemsize:
        raise AssetFormatError(
            f"a .splat file must be whole rows of {ROW.itemsize} bytes, got {len(data)} bytes"
        )
    if len(data) // ROW.itemsize > MAX_SPLATS_PER_FILE:
        raise AssetFormatError(f"a .splat file must hold at most {MAX_SPLATS_PER_FILE} splats")
    rows = np.frombuffer(data, ROW)
    # There is no magic number: impossible values are the only sign of another kind of file.
    if not (np.isfinite(rows["mean"]).all() and np.isfinite(rows["scale"]).all()):
        raise AssetFormatError("positions and scales of a .splat file must be finite")
    if (rows["scale"] < 0).any():
        raise AssetFormatError("scales of a .splat file must not be negative")
    quats = (rows["quat"].astype(np.float64) - 128) / 128
    if (np.linalg.norm(quats, axis=1) < 1e-6).any():
        raise AssetFormatError("rotations of a .splat file must not be zero")
    rgba = rows["rgba"] / 255
    cloud = SplatCloud(
        rows["mean"].copy(),
        unit_quats(quats),
        np.maximum(rows["scale"], np.float32(1e-9)),
        rgba[:, 3].astype(np.float32),
        dc_from_rgb(rgba[:, None, :3]).astype(np.float32),
    )
    return cloud if frame == "rub" else flip_axes(cloud, RDF_SIGNS)
