"""Where the shared test data is; the only place that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared(path: str) -> Path:
    """Return a file or folder of the shared data, or skip the test with the reason."""
    found = _DATA / path
    if not found.exists():
        pytest.skip(f"shared test data is not beside this checkout: {path}")
    return found
