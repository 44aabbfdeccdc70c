"""The one array check that constructors and public functions share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import InvalidArrayError


def check_array(
    name: str,
    array: NDArray,
    *,
    shape: Sequence[int | str],
    dtype: DTypeLike,
    finite: bool = True,
) -> dict[str, int]:
    """Check `array` against a rule and return the sizes of its named dimensions.

    Args:
        name: What the array is called in messages.
        array: The array.
        shape: One entry per dimension: an int must match, a string names a free size.
        dtype: Required element type, never converted.
        finite: Refuse NaN and infinities.

    Raises:
        InvalidArrayError: The first rule that is broken.
    """
    if not isinstance(array, np.ndarray):
        raise InvalidArrayError(name, f"must be a NumPy array, got {type(array).__name__}")
    wanted = f"[{', '.join(str(size) for size in shape)}]"
    if array.ndim != len(shape):
        raise InvalidArrayError(name, f"must have shape {wanted}, got {list(array.shape)}")
    sizes: dict[str, int] = {}
    for size, rule in zip(array.shape, shape, strict=True):
        if isinstance(rule, str):
            if sizes.setdefault(rule, size) == size:
                continue
        elif rule == size:
            continue
        raise InvalidArrayError(name, f"must have shape {wanted}, got {list(array.shape)}")
    if array.dtype != np.dtype(dtype):
        raise InvalidArrayError(name, f"must be {np.dtype(dtype)}, got {array.dtype}")
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise InvalidArrayError(name, f"must be finite, got {bad} of {array.size} values that are not")
    return sizes
