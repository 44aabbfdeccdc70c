"""Starts one process for each job, watches it, and takes back what it leaves behind.

No pool: one worker that dies takes its own job along and no other's.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reconstruction.errors import ImmersiveError

from ..catalog import Catalog
from ..growing import abandon
from ..home import make_private
from .job import Charge, Job
from .queue import Jobs

_log = logging.getLogger(__name__)

AT_ONCE = 1  # a job uses all cores by itself
MOST_WALL_S = 24 * 3600.0  # a job that waits for something that never comes
_POLL_S = 0.25
_WORKER = (sys.executable, "-m", "immersive.jobs.worker")
_TOO_LONG = {
    "code": "too_long",
    "message": "it took longer than a job may",
    "hint": "Ask for a lower quality, or give a smaller --budget.",
}


@dataclass(frozen=True, slots=True)
class _Running:
    job: Job
    worker: str
    process: subprocess.Popen[bytes]
    began: float  # monotonic
    log: Path

    def kill(self) -> None:
        # Its group, too: what it started must not outlive it.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Supervisor:
    """Runs the jobs of `home`, at most `at_once` over all processes. `command` starts a worker."""

    def __init__(self, home: Path, *, at_once: int = AT_ONCE, command: Sequence[str] = _WORKER) -> None:
        self.home, self.at_once = home, at_once
        self._command = tuple(command)
        self._stop = threading.Event()

    def run(self, *, until_empty: bool = False) -> None:
        """Work until `stop` is called, or until nothing waits or runs."""
        catalog = Catalog(self.home)
        jobs = Jobs(catalog)
        running: dict[int, _Running] = {}
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
            for one in running.values():
                one.kill()
            for one in running.values():
                _, status, usage = os.wait4(one.process.pid, 0)
                with suppress(ImmersiveError):
                    self._ended(jobs, one, status, usage, is_stopped=True)
            catalog.close()

    def stop(self) -> None:
        """Let `run` return; jobs that run are killed and wait for the next supervisor."""
        self._stop.set()

    def _step(self, jobs: Jobs, running: dict[int, _Running]) -> None:
        for pid, one in list(running.items()):
            found, status, usage = os.wait4(pid, os.WNOHANG)
            if found:
                del running[pid]
                self._ended(jobs, one, status, usage)
            elif self._is_unwanted(jobs, one):
                one.kill()
        while len(running) < self.at_once:
            worker = secrets.token_hex(8)
            job = jobs.take(worker, self.at_once)
            if job is None:
                return
            one = self._start(job, worker)
            running[one.process.pid] = one

    def _start(self, job: Job, worker: str) -> _Running:
        log = make_private(self.home / "jobs") / f"{job.id}.log"
        budget_s = int(job.spec.get("budget_s") or 0)
        arguments = (str(self.home), job.id, worker, str(os.getpid()), str(budget_s))
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as told:
            process = subprocess.Popen(
                (*self._command, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                process_group=0,
            )
        return _Running(job, worker, process, time.monotonic(), log)

    def _is_unwanted(self, jobs: Jobs, one: _Running) -> bool:
        if time.monotonic() - one.began > MOST_WALL_S:
            jobs.fail(one.job.id, one.worker, _TOO_LONG)
            return True
        job = jobs.get(one.job.id)
        # A worker that was stopped loses its lease; what it does when it wakes up is no longer wanted.
        return job.is_cancelled or (not job.is_final and job.worker != one.worker)

    def _ended(
        self, jobs: Jobs, one: _Running, status: int, usage: object, *, is_stopped: bool = False
    ) -> None:
        growing = jobs.get(one.job.id).scene_id
        one.process.returncode = os.waitstatus_to_exitcode(status)
        one.kill()  # children that it left
        if one.process.returncode == -signal.SIGXCPU:
            jobs.fail(one.job.id, one.worker, _TOO_LONG)
        was_taken_back = jobs.give_back(one.job.id, one.worker, is_fault=not is_stopped)
        job = jobs.get(one.job.id)
        if growing is not None and job.state in ("failed", "cancelled"):
            abandon(jobs.catalog, growing)
        if was_taken_back and not job.is_cancelled and not is_stopped:
            _log.warning("job %s died with status %d; see %s", job.id, one.process.returncode, one.log)
        outcome = job.state if job.is_final else "released" if is_stopped else "lost"
        jobs.charge(one.job.id, one.job.attempt, _charge(outcome, usage, time.monotonic() - one.began))
        if job.state in ("done", "cancelled"):
            one.log.unlink(missing_ok=True)

    def _has_work(self, jobs: Jobs) -> bool:
        return any(not job.is_final for job in jobs.list(most=1_000))


def _charge(outcome: str, usage: object, wall_seconds: float) -> Charge:
    return Charge(
        outcome=outcome,
        cpu_seconds=usage.ru_utime + usage.ru_stime,  # type: ignore[attr-defined]
        gpu_seconds=0.0,
        wall_seconds=wall_seconds,
        bytes_written=usage.ru_oublock * 512,  # type: ignore[attr-defined]
        peak_memory_bytes=usage.ru_maxrss * 1024,  # type: ignore[attr-defined]
    )


@contextmanager
def supervised(home: Path, *, at_once: int = AT_ONCE, command: Sequence[str] = _WORKER) -> Iterator[None]:
    """Run jobs in a thread of this process while the context is open."""
    supervisor = Supervisor(home, at_once=at_once, command=command)
    thread = threading.Thread(target=supervisor.run, name="jobs")
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        thread.join()
