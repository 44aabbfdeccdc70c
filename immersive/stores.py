"""Where catalog and packs are kept: one folder, or what IMMERSIVE_DATABASE and IMMERSIVE_BUCKET name.

With both, several servers share one catalog. Each store is tested by the same tests as the folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .blobs import Blobs
from .blobs_s3 import S3Blobs, open_bucket
from .database import Database
from .database_postgres import PostgresDatabase
from .errors import StoreError

AnyDatabase = Database | PostgresDatabase
AnyBlobs = Blobs | S3Blobs


def open_stores(home: Path, environment: Mapping[str, str]) -> tuple[AnyDatabase, AnyBlobs]:
    """Return the stores of a data folder.

    Raises:
        StoreError: Only one of the two is named, a package is missing, or a store does not answer.
    """
    url, bucket = environment.get("IMMERSIVE_DATABASE", ""), environment.get("IMMERSIVE_BUCKET", "")
    if not url and not bucket:
        # Folders first: what SQLite flushes of the data folder then includes them.
        blobs = Blobs(home / "scenes")
        return Database(home / "catalog.sqlite"), blobs
    if not (url and bucket):
        raise StoreError("IMMERSIVE_DATABASE and IMMERSIVE_BUCKET come together", hint="Set both or none.")
    try:
        database = PostgresDatabase(url)
        return database, S3Blobs(open_bucket(bucket, environment), home / "packs", database.exclusive)
    except ModuleNotFoundError as error:
        if error.name not in ("psycopg", "obstore"):
            raise
        hint = "Install it with: pip install 'immersive[cluster]'"
        raise StoreError(f"package {error.name!r} is not installed", hint=hint) from error
