"""A worker that makes toy scenes, as the tests of jobs start it; its prompt says how it behaves.

It keeps one stage, so that tests see what a second attempt does again. `NAME` is the prompt's first word.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from immersive.catalog import Catalog
from immersive.errors import RefusedError
from immersive.jobs import queue, worker
from immersive.jobs.job import Job
from immersive.jobs.worker import main
from immersive.progress import Reporter
from immersive.stage_runner import StageRunner
from immersive.stages import StageStore
from reconstruction.errors import InvalidInputError
from tests.streaming.opaque_asset import opaque_asset


def shorten() -> None:
    """Let leases and waits last moments, and let a job be killed as often as a harness likes."""
    queue.LEASE_S = worker.LEASE_S = 3.0
    queue.BACKOFF_S = 0.1
    queue.MOST_ATTEMPTS = 20
    os.environ["IMMERSIVE_TEST_SHORT"] = "1"  # for the workers, too


def work(home: Path, job: Job, reporter: Reporter) -> str:
    name, _, argument = job.spec["prompt"].partition(" ")
    runner = StageRunner(StageStore(home / "stages"), reporter)

    def paint(update: object) -> np.ndarray:
        with (home / "painted").open("a") as file:
            file.write(f"{job.id}\n")
        return np.arange(5.0)

    runner.run_kept(
        "paint", "Painting", f"paint-{job.id}", paint, lambda a: ({"a": a}, {}), lambda a, f: a["a"]
    )
    if name == "die" and job.attempt <= int(argument):
        os.kill(os.getpid(), 9)
    if name == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (home / "pids").write_text(f"{os.getpid()} {child.pid}")
        reporter.update(0.25, "hanging")
        time.sleep(600)
    if name == "hang_once" and job.attempt == 1:
        (home / "pids").write_text(str(os.getpid()))
        time.sleep(600)
    if name == "burn":
        until = time.process_time() + 0.4
        while time.process_time() < until:
            pass
    if name == "spin":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (1, resource.RLIM_INFINITY))
        while True:
            pass
    if name == "hog":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, resource.RLIM_INFINITY))
        np.ones(1 << 30)
    if name == "refuse":
        raise RefusedError("not here")
    if name == "wrong":
        raise InvalidInputError("no such place", hint="Say another.")
    if name == "bug":
        raise ZeroDivisionError("a bug")
    catalog = Catalog(home)
    record = catalog.publish(opaque_asset(seed=job.spec.get("seed", 0)), backend="procedural")
    catalog.close()
    return record.id


if __name__ == "__main__":
    if os.environ.pop("IMMERSIVE_TEST_SHORT", ""):
        shorten()
    main(sys.argv[1:], work)
