"""How kernels are compiled: cached on disk, without the GIL, and never from a stale cache.

Import this module, not numba, wherever a kernel is written. The cache lies under `IMMERSIVE_HOME`
unless numba was already told otherwise.
"""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path

import numba


def _cache_folder() -> Path:
    # numba looks for changes only in the file of the outermost kernel, so a change in `noise` would leave
    # `materials` with the old code inlined. A folder named after all the sources cannot be stale.
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    home = Path(os.environ.get("IMMERSIVE_HOME") or Path.home() / ".immersive")
    return home / "cache" / "kernels" / digest.hexdigest()[:16]


if not numba.config.CACHE_DIR:
    numba.config.CACHE_DIR = str(_cache_folder())

# Not `fastmath=True`: that would assume there are no infinities, and the sky is infinitely far.
_FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}

kernel = partial(numba.njit, cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
inlined = partial(numba.njit, inline="always", nogil=True, fastmath=_FAST, error_model="numpy")
