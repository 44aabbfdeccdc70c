"""Attempts as processes of this machine, one each.

No pool: one worker that dies takes its own job along and no other's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..home import make_private
from .attempt import Ending
from .job import Job

WORKER = (sys.executable, "-m", "immersive.jobs.worker")


class Processes:
    """Starts workers for the jobs of `home`. `command` starts one."""

    def __init__(self, home: Path, *, command: Sequence[str] = WORKER) -> None:
        self._home, self._command = home, tuple(command)

    def start(self, job: Job, worker: str) -> RunningProcess:
        """As `Executor.start`."""
        log = make_private(self._home / "jobs") / f"{job.id}.log"
        budget_s = int(job.spec.get("budget_s") or 0)
        arguments = (str(self._home), job.id, worker, str(os.getpid()), str(budget_s))
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as told:
            process = subprocess.Popen(
                (*self._command, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                process_group=0,
            )
        return RunningProcess(job, worker, process, log)


class RunningProcess:
    """One worker; an `Attempt`."""

    may_wait = False

    def __init__(self, job: Job, worker: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.job, self.worker, self.log = job, worker, log
        self.began = time.monotonic()
        self._process = process

    def poll(self) -> Ending | None:
        """As `Attempt.poll`."""
        return self._collect(os.WNOHANG)

    def wait(self) -> Ending:
        """As `Attempt.wait`."""
        ending = self._collect(0)
        assert ending is not None
        return ending

    def kill(self) -> None:
        """As `Attempt.kill`."""
        # Its group, too: what it started must not outlive it.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _collect(self, options: int) -> Ending | None:
        found, status, usage = os.wait4(self._process.pid, options)
        if not found:
            return None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.kill()  # children that it left
        return Ending(
            status=self._process.returncode,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            bytes_written=usage.ru_oublock * 512,
            peak_memory_bytes=usage.ru_maxrss * 1024,
        )
