"""Has each job worked on, watches over that, and takes back what is left behind."""

from __future__ import annotations

import logging
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconstruction.errors import ImmersiveError

from ..catalog import Catalog
from ..growing import abandon
from .attempt import Attempt, Ending, Executor
from .job import Charge
from .processes import Processes
from .queue import LEASE_S, Jobs

_log = logging.getLogger(__name__)

AT_ONCE = 1  # a job uses all cores by itself
MOST_WALL_S = 24 * 3600.0  # a job that waits for something that never comes
_POLL_S = 0.25
_TOO_LONG = {
    "code": "too_long",
    "message": "it took longer than a job may",
    "hint": "Ask for a lower quality, or give a smaller --budget.",
}


class Supervisor:
    """Runs the jobs of `home`, at most `at_once` over all supervisors; `executor` says where (None: here)."""

    def __init__(self, home: Path, *, at_once: int = AT_ONCE, executor: Executor | None = None) -> None:
        self.home, self.at_once = home, at_once
        self._executor = executor or Processes(home)
        self._leases: dict[str, float | None] = {}  # of waiting workers, as they were renewed here
        self._stop = threading.Event()

    def run(self, *, until_empty: bool = False) -> None:
        """Work until `stop` is called, or until nothing waits or runs."""
        catalog = Catalog(self.home)
        jobs = Jobs(catalog)
        running: list[Attempt] = []
        try:
            while not self._stop.is_set():
                try:
                    self._step(jobs, running)
                    if until_empty and not running and not self._has_work(jobs):
                        return
                except ImmersiveError:  # a full disk, a locked file: jobs wait, the server goes on
                    _log.exception("jobs cannot be run at the moment")
                self._stop.wait(_POLL_S)
        finally:
            for one in running:
                one.kill()
            for one in running:
                with suppress(ImmersiveError):
                    self._ended(jobs, one, one.wait(), is_stopped=True)
            catalog.close()

    def stop(self) -> None:
        """Let `run` return; jobs that run are killed and wait for the next supervisor."""
        self._stop.set()

    def _step(self, jobs: Jobs, running: list[Attempt]) -> None:
        for one in list(running):
            ending = one.poll()
            if ending is not None:
                running.remove(one)
                self._ended(jobs, one, ending)
            elif self._is_unwanted(jobs, one):
                one.kill()
            elif one.may_wait:
                self._keep_lease(jobs, one)
        while len(running) < self.at_once:
            worker = secrets.token_hex(8)
            job = jobs.take(worker, self.at_once)
            if job is None:
                return
            running.append(self._executor.start(job, worker))

    def _is_unwanted(self, jobs: Jobs, one: Attempt) -> bool:
        if time.monotonic() - one.began > MOST_WALL_S:
            jobs.fail(one.job.id, one.worker, _TOO_LONG)
            return True
        job = jobs.get(one.job.id)
        # A worker that was stopped loses its lease; what it does when it wakes up is no longer wanted.
        return job.is_cancelled or (not job.is_final and job.worker != one.worker)

    def _keep_lease(self, jobs: Jobs, one: Attempt) -> None:
        """Renew the lease of a worker that waits to begin; one that has begun renews it by itself."""
        known = self._leases.get(one.worker, one.job.lease_until)
        assert known is not None  # it was taken with one
        if jobs.get(one.job.id).lease_until == known and known - jobs.catalog.now() < LEASE_S / 2:
            jobs.renew(one.job.id, one.worker)
            self._leases[one.worker] = jobs.get(one.job.id).lease_until

    def _ended(self, jobs: Jobs, one: Attempt, ending: Ending, *, is_stopped: bool = False) -> None:
        self._leases.pop(one.worker, None)
        growing = jobs.get(one.job.id).scene_id
        if ending.status == -signal.SIGXCPU:
            jobs.fail(one.job.id, one.worker, _TOO_LONG)
        was_taken_back = jobs.give_back(one.job.id, one.worker, is_fault=not is_stopped)
        job = jobs.get(one.job.id)
        if growing is not None and job.state in ("failed", "cancelled"):
            abandon(jobs.catalog, growing)
        if was_taken_back and not job.is_cancelled and not is_stopped:
            _log.warning("job %s died with status %d; see %s", job.id, ending.status, one.log)
        outcome = job.state if job.is_final else "released" if is_stopped else "lost"
        charge = Charge(
            outcome=outcome,
            cpu_seconds=ending.cpu_seconds,
            gpu_seconds=0.0,
            wall_seconds=time.monotonic() - one.began,
            bytes_written=ending.bytes_written,
            peak_memory_bytes=ending.peak_memory_bytes,
        )
        jobs.charge(one.job.id, one.job.attempt, charge)
        if job.state in ("done", "cancelled"):
            one.log.unlink(missing_ok=True)

    def _has_work(self, jobs: Jobs) -> bool:
        return any(not job.is_final for job in jobs.list(most=1_000))


@contextmanager
def supervised(home: Path, *, at_once: int = AT_ONCE, executor: Executor | None = None) -> Iterator[None]:
    """Run jobs in a thread of this process while the context is open."""
    supervisor = Supervisor(home, at_once=at_once, executor=executor)
    thread = threading.Thread(target=supervisor.run, name="jobs")
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        thread.join()
