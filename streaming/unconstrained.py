"""Splats as trainers store them (logarithms of scales, quaternions of any length) become a cloud, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from .errors import AssetFormatError
from .transform import unit_quats

# Logits beyond +-16 are 0 and 1 in float32; files use them for splats that are wholly clear or solid.
MAX_LOGIT = 16.0
MAX_LOG_SCALE = 20.0  # 485 000 km; below -20 a disc is as thin as any float can show


def cloud_from_logs(
    means: NDArray, quats: NDArray, log_scales: NDArray, opacities: NDArray, sh: NDArray
) -> SplatCloud:
    """Return a cloud of activated values in the frame that the arrays are in.

    Args:
        means: [N, 3].
        quats: [N, 4] w first, of any length but zero.
        log_scales: [N, 3] natural logarithms; -inf means as thin as can be.
        opacities: [N] in 0..1, activated.
        sh: [N, K, 3].

    Raises:
        AssetFormatError: A value is not finite, a scale absurd, or a rotation zero.
    """
    log_scales = np.where(np.isneginf(log_scales), -MAX_LOG_SCALE, log_scales)
    # What float32 cannot hold, and what comes as infinite, is named below.
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(quats, axis=1)
        means, sh = means.astype(np.float32), sh.astype(np.float32)
    for name, values in (
        ("positions", means),
        ("scales", log_scales),
        ("rotations", lengths),
        ("colours", sh),
    ):
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if bad.any():
            raise AssetFormatError(
                f"splat {name} must be finite, got {int(bad.sum())} of {len(bad)} splats that are not",
                hint="Clean the file with the tool that made it, for example its NaN filter.",
            )
    if not np.isfinite(opacities).all():
        raise AssetFormatError("splat opacities must be finite")
    if (log_scales > MAX_LOG_SCALE).any():
        raise AssetFormatError(
            f"splat scales must be logarithms up to {MAX_LOG_SCALE}, got {log_scales.max():.3g}"
        )
    if (lengths < 1e-6).any():
        raise AssetFormatError("splat rotations must not be zero")
    return SplatCloud(
        means,
        unit_quats(quats),
        np.exp(np.maximum(log_scales, -MAX_LOG_SCALE)).astype(np.float32),
        opacities.astype(np.float32),
        sh,
    )
