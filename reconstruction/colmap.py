"""The one door to pycolmap: quiet, and after the libraries that it would break."""

from __future__ import annotations

import zlib  # noqa: F401 (must be loaded before pycolmap, see below)
from typing import Any

import PIL.Image  # noqa: F401 (the same)

THREADS = 2
SEED = 0


def load_pycolmap() -> Any:
    """Import pycolmap and silence its log.

    pycolmap 4.2.1 publishes the symbols of a zlib of its own. A library that loads zlib after it mixes
    both and corrupts the heap: `import pycolmap, zlib; zlib.compress(b"...")` aborts the interpreter.
    Loaded first, Python's and Pillow's keep theirs.
    """
    import pycolmap

    # Everything that it logs, it also raises or returns; four is above its own highest level, FATAL.
    pycolmap.logging.minloglevel = 4
    return pycolmap
