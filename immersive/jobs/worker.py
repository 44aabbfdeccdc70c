"""The process of one job: it limits itself, renews its lease, makes the scene and says how it ended.

Started by `supervisor`, never by hand. It may be killed at any moment: what it has published or kept by
then is whole, and the next attempt goes on from there.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reconstruction.errors import ImmersiveError

from ..catalog import Catalog
from ..errors import RefusedError, StoreError
from ..progress import Reporter
from .job import Job, request_of
from .queue import LEASE_S, Jobs

# A spinning job ends some time; a fit that was given a budget gets what it needs around it.
MOST_CPU_S = 4 * 3600
NICENESS = 10  # viewers are served first
_PR_SET_PDEATHSIG = 1

Work = Callable[[Path, Job, Reporter], str]


class LeasedReporter:
    """Stores progress, at most once a second, with the time that is left as far as anyone can tell."""

    def __init__(self, jobs: Jobs, job: Job, *, clock: Callable[[], float] = time.monotonic) -> None:
        assert job.worker is not None
        self._jobs, self._job_id, self._worker, self._clock = jobs, job.id, job.worker, clock
        self._expected = jobs.stage_seconds(job.spec)
        self._stage = self._label = ""
        self._began = self._told = 0.0

    def begin(self, stage: str, label: str) -> None:
        self._stage, self._label, self._began = stage, label, self._clock()
        self._told = -1.0

    def update(self, share: float, note: str = "") -> None:
        now = self._clock()
        if self._told >= 0 and now - self._told < 1.0:
            return
        self._told = now
        share = min(max(share, 0.0), 1.0)
        left = self._seconds_left(share, now)
        later = self._stages_after()
        facts = {
            "stage": self._stage,
            "label": self._label,
            "share": round(share, 4),
            "note": note,
            "stage_seconds_left": left,
            "seconds_left": None if left is None or later is None else round(left + later, 1),
        }
        self._jobs.report(self._job_id, self._worker, "progress", facts)

    def end(self, cpu_seconds: float, note: str = "") -> None:
        facts = {
            "stage": self._stage,
            "label": self._label,
            "cpu_seconds": round(cpu_seconds, 3),
            "wall_seconds": round(self._clock() - self._began, 3),
            "is_reused": bool(note),
        }
        self._jobs.report(self._job_id, self._worker, "stage", facts)

    def _seconds_left(self, share: float, now: float) -> float | None:
        if share > 0.05:  # before that the guess would jump
            return round((now - self._began) * (1.0 - share) / share, 1)
        return self._expected.get(self._stage)

    def _stages_after(self) -> float | None:
        names = list(self._expected)
        if self._stage not in names:
            return None
        return sum(self._expected[name] for name in names[names.index(self._stage) + 1 :])


def run_job(home: Path, job_id: str, worker: str, work: Work, on_lost: Callable[[], object]) -> None:
    """Do a job whose lease `worker` holds, and store how it ended.

    Args:
        home: The data folder.
        job_id: The job.
        worker: The holder of the lease.
        work: Makes the scene and returns its id.
        on_lost: Called from another thread when the lease is lost or the job cancelled; must end the work.
    """
    catalog = Catalog(home)
    jobs = Jobs(catalog)
    job = jobs.get(job_id)
    if job.worker != worker:
        return
    done = threading.Event()
    beat = threading.Thread(target=_renew, args=(home, job, done, on_lost), name="lease", daemon=True)
    beat.start()
    try:
        scene_id = work(home, job, LeasedReporter(jobs, job))
        jobs.finish(job.id, worker, scene_id)
    except ImmersiveError as error:
        reason = {"code": error.code, "message": str(error), "hint": error.hint}
        # What is refused leaves nothing, not even the words.
        jobs.fail(job.id, worker, reason, forget=isinstance(error, RefusedError))
    except MemoryError:
        hint = "Ask for a smaller size, a lower quality or fewer splats."
        reason = {"code": "too_large", "message": "it needs more memory than a job may take", "hint": hint}
        jobs.fail(job.id, worker, reason)
    finally:
        done.set()
        beat.join()
        catalog.close()


def _renew(home: Path, job: Job, done: threading.Event, on_lost: Callable[[], object]) -> None:
    assert job.worker is not None
    catalog = Catalog(home)  # a connection of its own: the other may wait in a transaction
    jobs, kept_at = Jobs(catalog), time.monotonic()
    try:
        while not done.wait(LEASE_S / 4):
            is_kept = time.monotonic() - kept_at < LEASE_S
            with suppress(StoreError):  # a full disk for a moment; the lease runs on
                is_kept = jobs.renew(job.id, job.worker)
                kept_at = time.monotonic()
            if not is_kept and not done.is_set():
                on_lost()
                return
    finally:
        catalog.close()


def make_scene(home: Path, job: Job, reporter: Reporter) -> str:
    """Make the scene that a job asks for, or find it, and return its id."""
    from ..pipeline import make_record, plan_scene
    from ..stage_runner import StageRunner
    from ..stages import StageStore

    catalog = Catalog(home)
    try:
        runner = StageRunner(StageStore(home / "stages"), reporter)
        jobs, worker = Jobs(catalog), job.worker
        assert worker is not None
        recipe = plan_scene(runner, request_of(job.spec))
        record, _ = make_record(
            runner, catalog, recipe, lambda scene_id: jobs.note_scene(job.id, worker, scene_id)
        )
        return record.id
    finally:
        catalog.close()


def limit_process(parent: int, cpu_s: int) -> None:
    """Bound what this process may take, and let it end with the process that started it.

    Memory is bounded as what may be written (RLIMIT_DATA): address space alone is reserved in terabytes
    by some libraries and costs nothing.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CPU, cpu_s)):
        hard = resource.getrlimit(kind)[1]
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    if sys.platform == "linux":
        # Where memory runs out all the same, this goes and not the server.
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500", "ascii")
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def end_group() -> None:
    """Kill this process and all that it started."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main(arguments: list[str], work: Work = make_scene) -> None:
    """Run as `python -m immersive.jobs.worker HOME JOB WORKER PARENT BUDGET`."""
    home, job_id, worker, parent, budget_s = arguments
    limit_process(int(parent), MOST_CPU_S + 2 * int(budget_s))
    run_job(Path(home), job_id, worker, work, end_group)


if __name__ == "__main__":
    main(sys.argv[1:])
