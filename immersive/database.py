"""The SQLite file behind catalog and links: one connection, numbered migrations, durable commits."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DiskFullError, StoreError
from .home import make_private

# Each entry takes the schema from its index to the next; never change one that was released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE scene (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            created_at REAL NOT NULL,
            version TEXT NOT NULL UNIQUE,
            splat_count INTEGER NOT NULL,
            byte_length INTEGER NOT NULL,
            is_generated INTEGER NOT NULL,
            prompt TEXT,
            backend TEXT NOT NULL,
            recipe_digest TEXT,
            quality TEXT,
            walkability TEXT
        ) STRICT""",
        "CREATE INDEX scene_by_time ON scene (created_at)",
        """CREATE TABLE link (
            id TEXT PRIMARY KEY,
            scene_id TEXT NOT NULL REFERENCES scene (id) ON DELETE CASCADE,
            secret_sha256 BLOB NOT NULL,
            scope TEXT NOT NULL CHECK (scope = 'view'),
            is_private INTEGER NOT NULL,
            created_at REAL NOT NULL,
            expires_at REAL,
            revoked_at REAL
        ) STRICT""",
        "CREATE INDEX link_by_scene ON link (scene_id)",
    ),
    (
        """CREATE TABLE portal (
            scene_id TEXT NOT NULL REFERENCES scene (id) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            target_id TEXT NOT NULL REFERENCES scene (id) ON DELETE CASCADE,
            PRIMARY KEY (scene_id, place)
        ) STRICT""",
        "CREATE INDEX portal_by_target ON portal (target_id)",
    ),
    (
        """CREATE TABLE job (
            id TEXT PRIMARY KEY,
            spec TEXT NOT NULL,
            digest TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
            attempt INTEGER NOT NULL,
            created_at REAL NOT NULL,
            not_before REAL NOT NULL,
            started_at REAL,
            finished_at REAL,
            worker TEXT,
            lease_until REAL,
            is_cancelled INTEGER NOT NULL,
            is_reused INTEGER NOT NULL,
            progress TEXT,
            scene_id TEXT REFERENCES scene (id) ON DELETE SET NULL,
            error TEXT
        ) STRICT""",
        "CREATE INDEX job_by_state ON job (state, not_before)",
        "CREATE INDEX job_by_digest ON job (digest)",
        """CREATE TABLE job_event (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
            at REAL NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('state', 'stage', 'progress')),
            facts TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX job_event_by_job ON job_event (job_id, id)",
        # No reference to the job: what was spent stays known when the job is forgotten.
        """CREATE TABLE ledger (
            id TEXT PRIMARY KEY,
            job_id TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            at REAL NOT NULL,
            outcome TEXT NOT NULL,
            cpu_seconds REAL NOT NULL,
            gpu_seconds REAL NOT NULL,
            wall_seconds REAL NOT NULL,
            bytes_written INTEGER NOT NULL,
            peak_memory_bytes INTEGER NOT NULL
        ) STRICT""",
        "CREATE INDEX ledger_by_job ON ledger (job_id)",
        """CREATE TABLE report (
            id TEXT PRIMARY KEY,
            scene_id TEXT NOT NULL,
            content_sha256 TEXT NOT NULL,
            reason TEXT NOT NULL,
            statement TEXT NOT NULL,
            contact TEXT,
            state TEXT NOT NULL CHECK (state IN ('open', 'upheld', 'dismissed')),
            created_at REAL NOT NULL,
            due_at REAL NOT NULL,
            decided_at REAL,
            note TEXT,
            appeal TEXT,
            appealed_at REAL,
            appeal_granted INTEGER,
            appeal_decided_at REAL
        ) STRICT""",
        "CREATE INDEX report_by_content ON report (content_sha256)",
        # Of the pack alone: equal packs are equal scenes whatever they are called. Null: not computed yet.
        "ALTER TABLE scene ADD COLUMN content_sha256 TEXT",
        "CREATE INDEX scene_by_content ON scene (content_sha256)",
    ),
    # Links: scopes, visibility, terms, an audit of opens; what editors changed; where remixes come from.
    (
        """CREATE TABLE link_with_terms (
            id TEXT PRIMARY KEY,
            scene_id TEXT NOT NULL REFERENCES scene (id) ON DELETE CASCADE,
            secret_sha256 BLOB NOT NULL,
            scope TEXT NOT NULL CHECK (scope IN ('view', 'remix', 'edit')),
            visibility TEXT NOT NULL CHECK (visibility IN ('private', 'unlisted', 'public')),
            created_at REAL NOT NULL,
            expires_at REAL,
            revoked_at REAL,
            max_opens INTEGER CHECK (max_opens > 0),
            open_count INTEGER NOT NULL DEFAULT 0,
            password_argon2 TEXT,
            embed_origins TEXT NOT NULL DEFAULT '[]'
        ) STRICT""",
        "INSERT INTO link_with_terms"
        " (id, scene_id, secret_sha256, scope, visibility, created_at, expires_at, revoked_at)"
        " SELECT id, scene_id, secret_sha256, scope,"
        " CASE is_private WHEN 0 THEN 'unlisted' ELSE 'private' END, created_at, expires_at, revoked_at"
        " FROM link",
        "DROP TABLE link",
        "ALTER TABLE link_with_terms RENAME TO link",
        "CREATE INDEX link_by_scene ON link (scene_id)",
        """CREATE TABLE link_open (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            link_id TEXT NOT NULL REFERENCES link (id) ON DELETE CASCADE,
            at REAL NOT NULL,
            result TEXT NOT NULL,
            address_hash TEXT NOT NULL,
            agent TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX link_open_by_link ON link_open (link_id, id)",
        """CREATE TABLE scene_edit (
            scene_id TEXT PRIMARY KEY REFERENCES scene (id) ON DELETE CASCADE,
            notes TEXT NOT NULL,
            spawn TEXT,
            has_sound INTEGER NOT NULL,
            visibility TEXT NOT NULL CHECK (visibility IN ('private', 'unlisted', 'public'))
        ) STRICT""",
        """CREATE TABLE remix (
            scene_id TEXT PRIMARY KEY REFERENCES scene (id) ON DELETE CASCADE,
            origin_id TEXT NOT NULL,
            origin_title TEXT NOT NULL,
            made_at REAL NOT NULL
        ) STRICT""",
        "CREATE INDEX remix_by_origin ON remix (origin_id)",
    ),
    (
        # Scenes that are still being made.
        """CREATE TABLE growth (
            scene_id TEXT PRIMARY KEY REFERENCES scene (id) ON DELETE CASCADE,
            recipe_digest TEXT NOT NULL UNIQUE,
            label TEXT NOT NULL,
            share REAL NOT NULL,
            seconds_left REAL,
            frames TEXT NOT NULL,
            updated_at REAL NOT NULL,
            watched_at REAL NOT NULL
        ) STRICT""",
    ),
)


_PATIENCE_S = 30.0


class Database:
    """One SQLite file. Statements from several threads take turns; other processes may write too."""

    def __init__(self, path: Path) -> None:
        make_private(path.parent)
        self._lock = threading.RLock()
        with _explained(path):
            self._connection = sqlite3.connect(
                path, isolation_level=None, timeout=_PATIENCE_S, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            _patiently(self._connection, "PRAGMA journal_mode = WAL")
            for pragma in ("synchronous = FULL", "foreign_keys = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            path.chmod(0o600)
        self._path = path
        self._migrate()

    def _migrate(self) -> None:
        with self.transaction():
            found = int(self.read("PRAGMA user_version")[0][0])
            if found > len(MIGRATIONS):
                raise StoreError(
                    f"catalog must be of format {len(MIGRATIONS)} or older, got {found}",
                    hint="A newer immersive wrote it; install that or set IMMERSIVE_HOME to another folder.",
                )
            for statements in MIGRATIONS[found:]:
                for statement in statements:
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything done inside, durably, or nothing of it.

        Raises:
            DiskFullError: No room; nothing was written.
            StoreError: The file cannot be written.
        """
        with self._lock, _explained(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def read(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock, _explained(self._path):
            return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run one statement inside `transaction` and return how many rows it changed."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def tables(self) -> dict[str, list[str]]:
        """Return the columns of each table of ours, by its name."""
        names = self.read("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        return {
            name: [row["name"] for row in self.read(f"SELECT name FROM pragma_table_info('{name}')")]
            for (name,) in names
        }

    def check_references_last(self) -> None:
        """Within a transaction: rows may come before those that they refer to."""
        self.write("PRAGMA defer_foreign_keys = ON")

    def is_sound(self) -> bool:
        """Look through the whole file; slow."""
        return bool(self.read("PRAGMA integrity_check")[0][0] == "ok")

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._connection.close()


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Run a statement for which SQLite does not wait by itself when others open or close the file."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            is_busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            if not is_busy or time.monotonic() > until:
                raise
        time.sleep(0.02)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            raise DiskFullError("the disk has no room for the catalog, nothing was stored") from error
        hint = f"Check {path}; moving it away starts an empty catalog."
        raise StoreError(f"catalog cannot be used: {error}", hint=hint) from error
