"""Estimated paths are known up to a similarity; this takes it out."""

from __future__ import annotations

import numpy as np


def aligned(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return our positions after the best similarity onto theirs (Umeyama)."""
    a, b = ours - ours.mean(0), theirs - theirs.mean(0)
    left, values, right = np.linalg.svd(b.T @ a)
    sign = np.diag([1, 1, np.sign(np.linalg.det(left @ right))])
    scale = (values * np.diag(sign)).sum() / (a**2).sum()
    return scale * a @ (left @ sign @ right).T + theirs.mean(0)
