"""What was ordered from providers, on disk: a second call goes on with the first one's job, and pays once."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Providers throw what they made away within days; a note about one that is gone helps nobody.
_KEPT_S = 14 * 86_400.0


@dataclass(frozen=True, slots=True)
class PaidJob:
    """A job that was ordered and perhaps paid for."""

    provider: str
    job: str  # the provider's id
    ordered_at: float  # seconds since 1970
    about_usd: float | None


class PaidJobs:
    """Notes in one folder, one file a job; what was fetched lies beside them until it is stored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def key(*facts: Any) -> str:
        """Return the name of an order: equal orders have equal names, whoever repeats them."""
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:40]

    def find(self, key: str) -> PaidJob | None:
        """Return the job of an order, or None. A damaged note counts as none."""
        try:
            return PaidJob(**json.loads(self._note(key).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def note(self, key: str, job: PaidJob) -> None:
        """Write down a job; it is on the disk when this returns."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep()
        fresh = self._note(key).with_suffix(".new")
        fresh.write_text(json.dumps(asdict(job)), "utf-8")
        fresh.replace(self._note(key))

    def forget(self, key: str) -> None:
        """Forget an order that came to nothing, so that the next call orders anew."""
        for path in self._folder.glob(f"{key}.*"):
            path.unlink(missing_ok=True)

    def result(self, key: str, suffix: str) -> Path:
        """Return where what was ordered is put."""
        return self._folder / f"{key}{suffix}"

    def _note(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _sweep(self) -> None:
        for path in self._folder.iterdir():
            if time.time() - path.stat().st_mtime > _KEPT_S:
                path.unlink(missing_ok=True)
