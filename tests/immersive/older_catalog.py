"""Catalogs as older versions left them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from immersive.database import MIGRATIONS


def older_catalog(home: Path, number: int) -> None:
    """Make an empty catalog of format `number` below `home`."""
    home.mkdir(exist_ok=True)
    with sqlite3.connect(home / "catalog.sqlite") as old:
        for statements in MIGRATIONS[:number]:
            for statement in statements:
                old.execute(statement)
        old.execute(f"PRAGMA user_version = {number}")
    old.close()
