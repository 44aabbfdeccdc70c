"""Results of finished stages, kept under the digest of their inputs.

This is why an interrupted `create` resumes and a repeated one costs nothing. An entry is written beside
its name and renamed into place, so a reader finds a whole result or none.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Frames and depths of a draft take 80 MB; this keeps the last score of runs.
KEPT_BYTES = 2 << 30


class StageStore:
    """Arrays and plain facts of finished stages, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, digest: str) -> tuple[dict[str, NDArray], dict[str, Any]] | None:
        """Return the arrays and facts stored under `digest`, or None. A damaged entry counts as none."""
        entry = self.folder / digest
        try:
            facts = json.loads((entry / "facts.json").read_text("utf-8"))
            arrays = {path.stem: np.load(path, allow_pickle=False) for path in sorted(entry.glob("*.npy"))}
        except (OSError, ValueError):
            return None
        if sorted(arrays) != facts["arrays"]:
            return None
        (entry / "facts.json").touch()  # the eldest by use leave first
        return arrays, facts["facts"]

    def save(self, digest: str, arrays: Mapping[str, NDArray], facts: Mapping[str, Any]) -> None:
        """Store a finished stage, then drop the least recently used ones beyond `KEPT_BYTES`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
        try:
            for name, array in arrays.items():
                np.save(fresh / f"{name}.npy", array, allow_pickle=False)
            text = json.dumps({"arrays": sorted(arrays), "facts": dict(facts)})
            (fresh / "facts.json").write_text(text, "utf-8")
            shutil.rmtree(self.folder / digest, ignore_errors=True)
            fresh.rename(self.folder / digest)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        self._make_room(keep=digest)

    def forget(self, digest: str) -> None:
        """Remove a stage's result, if it is there."""
        shutil.rmtree(self.folder / digest, ignore_errors=True)

    def _make_room(self, keep: str) -> None:
        entries = []
        for facts in self.folder.glob("*/facts.json"):
            size = sum(path.stat().st_size for path in facts.parent.iterdir())
            entries.append((facts.stat().st_mtime, size, facts.parent))
        total = sum(size for _, size, _ in entries)
        for _, size, entry in sorted(entries):
            if total <= KEPT_BYTES:
                return
            if entry.name != keep:
                shutil.rmtree(entry, ignore_errors=True)
                total -= size


def stage_digest(stage: str, *inputs: Any) -> str:
    """Return the name of a stage's result: hex sha256 of the stage and of everything it reads."""
    text = json.dumps([stage, *inputs], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]
