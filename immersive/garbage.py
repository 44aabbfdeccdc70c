"""`immersive gc`: what interrupted processes left on the disk, and nothing that anything mentions."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from .blobs import bytes_below
from .catalog import Catalog
from .growing import abandon_older
from .home import home_folder
from .jobs.queue import Jobs

# A stage is written within seconds; a draft this old has lost whoever wrote it.
_DRAFT_S = 3600.0
_ARCHIVE_S = 86_400.0  # a terabyte on a slow disk
_GROWTH_S = 86_400.0  # who was cut off goes on with it the same day


def collect(catalog: Catalog) -> int:
    """Remove forgotten packs, stage drafts, pictures of deleted scenes and logs; return the bytes freed.

    Safe beside running servers and jobs.
    """
    home = catalog.home
    abandon_older(catalog, _GROWTH_S)
    freed = catalog.sweep()
    lost: list[Path] = []
    now = time.time()
    for draft in (home / "stages").glob(".writing-*"):
        if now - draft.stat().st_mtime > _DRAFT_S:
            lost.append(draft)
    for held in home.glob("archiving-*"):  # second names of packs, of an archive that was killed
        if now - held.stat().st_mtime > _ARCHIVE_S:
            lost.append(held)
    # Pictures are written after their scene, and logs after their job, so what is listed first is complete.
    pictures, logs = list((home / "pictures").glob("*")), list((home / "jobs").glob("*.log"))
    scenes = {record.id for record in catalog.list()}
    jobs = {job.id for job in Jobs(catalog).list(most=1_000_000)}
    lost += [folder for folder in pictures if folder.name not in scenes]
    lost += [log for log in logs if log.stem not in jobs]
    for path in lost:
        freed += bytes_below(path) if path.is_dir() else path.stat().st_size
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return freed


def collect_and_show() -> None:
    """Collect in the user's data folder and say how much it was."""
    catalog = Catalog(home_folder())
    try:
        freed = collect(catalog)
    finally:
        catalog.close()
    sys.stderr.write(f"freed {freed / 1e6:.1f} MB\n")
