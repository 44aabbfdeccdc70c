"""A prompt becomes a walkable scene behind a link."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it; imported on first use so that `import immersive` stays light.
_PUBLIC = {
    "create": "immersive.pipeline",
    "create_story": "immersive.story",
    "SceneRecord": "immersive.catalog",
}
__all__ = ["SceneRecord", "__version__", "create", "create_story"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'immersive' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
