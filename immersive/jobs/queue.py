"""The table of jobs: submitted, leased, renewed, ended; every step is one durable transaction.

A worker's word counts only while it holds the lease: whatever a worker says that lost it changes nothing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from ..catalog import Catalog
from ..errors import QueueFullError, UnknownJobError
from .job import Charge, Job, JobEvent, digest_of, job_from_row

MOST_WAITING = 100  # an hour of drafts a core; beyond it a mistake is likelier than a wish
MOST_ATTEMPTS = 3  # a job that kills its worker three times would do it for ever
LEASE_S = 20.0  # a stopped machine is noticed after this; a worker renews it four times within
BACKOFF_S = 5.0  # before the second attempt, doubled before each further one
KEPT_JOBS = 1_000  # finished ones; the eldest are forgotten, their costs are not

_LOST = {"code": "job_lost", "message": "its process was killed each time", "hint": "Ask for less at once."}


class Jobs:
    """The jobs of a catalog, for all processes that share it."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._database = catalog.database
        self._now = catalog.now

    def submit(self, spec: Mapping[str, Any]) -> Job:
        """Store a job and return it; what was made before, or is being made, is not made again.

        Raises:
            QueueFullError: Too many wait.
        """
        digest = digest_of(spec) or secrets.token_hex(20)
        now = self._now()
        with self._database.transaction():
            same = self._database.read(
                "SELECT * FROM job WHERE digest = ? AND is_cancelled = 0 AND (state IN ('queued', 'running')"
                " OR (state = 'done' AND scene_id IS NOT NULL)) ORDER BY created_at DESC LIMIT 1",
                (digest,),
            )
            if same and same[0]["state"] != "done":
                return job_from_row(same[0])
            if not same and self._count("state = 'queued'") >= MOST_WAITING:
                raise QueueFullError(f"{MOST_WAITING} jobs wait already")
            job_id = secrets.token_hex(6)
            scene_id = same[0]["scene_id"] if same else None
            state = "done" if same else "queued"
            self._database.write(
                "INSERT INTO job (id, spec, digest, state, attempt, created_at, not_before, finished_at,"
                " is_cancelled, is_reused, scene_id) VALUES (?, ?, ?, ?, 0, ?, ?, ?, 0, ?, ?)",
                (
                    job_id,
                    json.dumps(dict(spec), ensure_ascii=False),
                    digest,
                    state,
                    now,
                    now,
                    now if same else None,
                    int(bool(same)),
                    scene_id,
                ),
            )
            self._tell(job_id, "state", {"state": state, "scene_id": scene_id})
            if same:
                self._charge(job_id, 0, Charge("done", 0.0, 0.0, 0.0, 0, 0))
            self._forget_eldest()
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UnknownJobError: There is none.
        """
        rows = self._database.read("SELECT * FROM job WHERE id = ?", (job_id,))
        if not rows:
            raise UnknownJobError(job_id)
        return job_from_row(rows[0])

    def list(self, most: int = 100) -> list[Job]:
        """Return the newest jobs first."""
        rows = self._database.read("SELECT * FROM job ORDER BY created_at DESC, id LIMIT ?", (most,))
        return [job_from_row(row) for row in rows]

    def events(self, job_id: str, after: int = 0) -> list[JobEvent]:
        """Return what happened to a job after the event with this id."""
        rows = self._database.read(
            "SELECT * FROM job_event WHERE job_id = ? AND id > ? ORDER BY id LIMIT 1000", (job_id, after)
        )
        return [JobEvent(**{**dict(row), "facts": json.loads(row["facts"])}) for row in rows]

    def ledger(self, job_id: str | None = None) -> list[dict[str, Any]]:
        """Return what attempts took, in their order; of one job, or of all that ever were."""
        where, values = ("", ()) if job_id is None else (" WHERE job_id = ?", (job_id,))
        return [
            dict(row) for row in self._database.read(f"SELECT * FROM ledger{where} ORDER BY at, id", values)
        ]

    def cancel(self, job_id: str) -> Job:
        """Stop a job: at once if it waits, as soon as its process is killed if it runs.

        Raises:
            UnknownJobError: There is none.
        """
        with self._database.transaction():
            self._database.write(
                "UPDATE job SET is_cancelled = 1 WHERE id = ? AND state IN ('queued', 'running')", (job_id,)
            )
            self._end_where("id = ? AND state = 'queued' AND is_cancelled = 1", (job_id,), "cancelled")
        return self.get(job_id)

    def take(self, worker: str, at_once: int = 1) -> Job | None:
        """Lease the job that has waited longest and return it.

        Args:
            worker: A name of this attempt alone; the lease is in it.
            at_once: Most jobs that run at the same time, in all processes together.
        """
        now = self._now()
        if not self._database.read("SELECT 1 FROM job WHERE state IN ('queued', 'running') LIMIT 1"):
            return None  # the usual answer, without a write lock
        with self._database.transaction():
            self._take_back_lost(now)
            if self._count("state = 'running'") >= at_once:
                return None
            rows = self._database.read(
                "SELECT id FROM job WHERE state = 'queued' AND not_before <= ?"
                " ORDER BY created_at, id LIMIT 1",
                (now,),
            )
            if not rows:
                return None
            job_id = rows[0]["id"]
            self._database.write(
                "UPDATE job SET state = 'running', attempt = attempt + 1, started_at = ?, worker = ?,"
                " lease_until = ?, progress = NULL WHERE id = ?",
                (now, worker, now + LEASE_S, job_id),
            )
            job = self.get(job_id)
            self._tell(job_id, "state", {"state": "running", "attempt": job.attempt})
        return job

    def renew(self, job_id: str, worker: str) -> bool:
        """Renew a lease; False: it is lost or the job is cancelled, and the worker must stop."""
        with self._database.transaction():
            return self._change(
                "lease_until = ?", (self._now() + LEASE_S,), job_id, worker, " AND is_cancelled = 0"
            )

    def report(self, job_id: str, worker: str, kind: str, facts: Mapping[str, Any]) -> None:
        """Store what a worker is doing (kind "progress"), or which stage it has done ("stage")."""
        with self._database.transaction():
            if kind == "progress":
                is_ours = self._change("progress = ?", (json.dumps(facts),), job_id, worker)
            else:
                is_ours = self._change("lease_until = lease_until", (), job_id, worker)
            if is_ours:
                self._tell(job_id, kind, facts)

    def note_scene(self, job_id: str, worker: str, scene_id: str) -> None:
        """Store which scene a job makes, which one can look at from now on."""
        with self._database.transaction():
            self._change("scene_id = ?", (scene_id,), job_id, worker)

    def finish(self, job_id: str, worker: str, scene_id: str) -> bool:
        """Say that a job's scene is published; False: somebody else has the job by now."""
        with self._database.transaction():
            return self._end(job_id, worker, "done", scene_id=scene_id)

    def fail(self, job_id: str, worker: str, error: Mapping[str, Any], *, forget: bool = False) -> bool:
        """Say that a job cannot be done, however often it is tried; `forget` what was asked for, too."""
        with self._database.transaction():
            if forget:
                self._change("spec = '{}'", (), job_id, worker)
            return self._end(job_id, worker, "failed", error=error)

    def give_back(self, job_id: str, worker: str, *, is_fault: bool) -> bool:
        """Let a job be tried again: later and not for ever if its process died, at once if it was stopped."""
        now = self._now()
        with self._database.transaction():
            if not is_fault:
                self._change("attempt = attempt - 1", (), job_id, worker)
            return self._requeue("id = ? AND worker = ?", (job_id, worker), now, is_fault=is_fault) > 0

    def charge(self, job_id: str, attempt: int, charge: Charge) -> None:
        """Write down what an attempt took."""
        with self._database.transaction():
            self._charge(job_id, attempt, charge)

    def stage_seconds(self, spec: Mapping[str, Any]) -> dict[str, float]:
        """Return how long each stage took when a job of the same kind was last done, in their order."""
        rows = self._database.read(
            "SELECT id, spec FROM job WHERE state = 'done' AND is_reused = 0"
            " ORDER BY finished_at DESC LIMIT 50"
        )
        for row in rows:
            if _kind(json.loads(row["spec"])) == _kind(spec):
                stages = [event.facts for event in self.events(row["id"]) if event.kind == "stage"]
                if stages and not any(stage["is_reused"] for stage in stages):
                    return {stage["stage"]: stage["wall_seconds"] for stage in stages}
        return {}

    def _take_back_lost(self, now: float) -> None:
        self._requeue("state = 'running' AND lease_until < ?", (now,), now, is_fault=True)

    def _requeue(self, where: str, values: tuple[Any, ...], now: float, *, is_fault: bool) -> int:
        """Queue running jobs again, or end those that were cancelled or tried too often."""
        rows = self._database.read(f"SELECT * FROM job WHERE state = 'running' AND {where}", values)
        for row in rows:
            job = job_from_row(row)
            if job.is_cancelled:
                self._end_where("id = ?", (job.id,), "cancelled")
            elif is_fault and job.attempt >= MOST_ATTEMPTS:
                self._end_where("id = ?", (job.id,), "failed", error=_LOST)
            else:
                wait = BACKOFF_S * 2 ** (job.attempt - 1) if is_fault else 0.0
                self._database.write(
                    "UPDATE job SET state = 'queued', worker = NULL, lease_until = NULL, progress = NULL,"
                    " not_before = ? WHERE id = ?",
                    (now + wait, job.id),
                )
                self._tell(job.id, "state", {"state": "queued", "attempt": job.attempt})
        return len(rows)

    def _change(
        self, what: str, values: tuple[Any, ...], job_id: str, worker: str, further: str = ""
    ) -> bool:
        return (
            self._database.write(
                f"UPDATE job SET {what} WHERE id = ? AND worker = ? AND state = 'running'{further}",
                (*values, job_id, worker),
            )
            > 0
        )

    def _end(self, job_id: str, worker: str, state: str, **facts: Any) -> bool:
        return self._end_where(
            "id = ? AND worker = ? AND state = 'running'", (job_id, worker), state, **facts
        )

    def _end_where(
        self,
        where: str,
        values: tuple[Any, ...],
        state: str,
        *,
        scene_id: str | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> bool:
        rows = self._database.read(f"SELECT id FROM job WHERE {where}", values)
        for row in rows:
            self._database.write(
                "UPDATE job SET state = ?, finished_at = ?, scene_id = ?, error = ?, worker = NULL,"
                " lease_until = NULL, progress = NULL WHERE id = ?",
                (state, self._now(), scene_id, None if error is None else json.dumps(dict(error)), row["id"]),
            )
            # Half a kilobyte a second while it ran; afterwards nobody asks how far it was when.
            self._database.write("DELETE FROM job_event WHERE job_id = ? AND kind = 'progress'", (row["id"],))
            self._tell(row["id"], "state", {"state": state, "scene_id": scene_id, "error": error})
        return bool(rows)

    def _tell(self, job_id: str, kind: str, facts: Mapping[str, Any]) -> None:
        self._database.write(
            "INSERT INTO job_event (job_id, at, kind, facts) VALUES (?, ?, ?, ?)",
            (job_id, self._now(), kind, json.dumps(dict(facts), ensure_ascii=False)),
        )

    def _charge(self, job_id: str, attempt: int, charge: Charge) -> None:
        self._database.write(
            "INSERT INTO ledger (id, job_id, attempt, at, outcome, cpu_seconds, gpu_seconds, wall_seconds,"
            " bytes_written, peak_memory_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                secrets.token_hex(8),
                job_id,
                attempt,
                self._now(),
                charge.outcome,
                charge.cpu_seconds,
                charge.gpu_seconds,
                charge.wall_seconds,
                charge.bytes_written,
                charge.peak_memory_bytes,
            ),
        )

    def _count(self, where: str) -> int:
        return int(self._database.read(f"SELECT count(*) AS n FROM job WHERE {where}")[0]["n"])

    def _forget_eldest(self) -> None:
        self._database.write(
            "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state IN ('done', 'failed', 'cancelled')"
            " ORDER BY finished_at DESC LIMIT 1000000 OFFSET ?)",
            (KEPT_JOBS,),
        )


def _kind(spec: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what decides how long a job takes."""
    source = next((name for name in ("video", "images") if spec.get(name)), "prompt")
    return (source, *(spec.get(name) for name in ("backend", "quality", "budget_s", "extend")))
