"""Attempts as tasks of a Ray cluster: the same worker process, on whichever machine has room.

Ray places and watches; it is not the truth. The jobs table is: leases, attempts and results are there, so a
node or a whole cluster that dies costs the attempts that ran on it and nothing else. All machines need this
package, and one catalog (`IMMERSIVE_DATABASE` and `IMMERSIVE_BUCKET`, or a data folder that they share).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reconstruction.errors import MissingBackendError

from ..errors import ServerError
from .attempt import Ending
from .job import Job
from .processes import WORKER, Processes

_POLL_S = 0.25
_KILLED = -9
_CONNECT_S = 10.0


class RayTasks:
    """Starts workers on the cluster at `address` ("auto": the one of this machine). `command` starts one."""

    def __init__(self, home: Path, address: str, *, command: Sequence[str] = WORKER) -> None:
        try:
            import ray
        except ImportError as error:
            hint = "Install it: pip install 'immersive[ray]'"
            raise MissingBackendError("ray", "it is not installed", hint) from error
        _check_answers(address)
        settings = {name: value for name, value in os.environ.items() if name.startswith("IMMERSIVE_")}
        try:
            ray.init(
                address,
                namespace="immersive",
                log_to_driver=False,
                logging_level="error",
                runtime_env={"env_vars": settings},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ServerError(
                f"no Ray cluster answers at {address!r}: {reason}", hint="Start one: ray start --head"
            ) from error
        self._ray, self._home, self._command = ray, home, tuple(command)
        # A retry is the table's decision: it knows whether the job is still wanted.
        self._task = ray.remote(max_retries=0, num_cpus=1)(_attempt)

    def start(self, job: Job, worker: str) -> RunningTask:
        """As `Executor.start`."""
        task = self._task
        if str(job.spec.get("backend", "")).startswith("diffusion") and self.gpu_count > 0:
            task = task.options(num_gpus=1)
        reference = task.remote(str(self._home), job, worker, self._command)
        return RunningTask(self._ray, reference, job, worker, self._home / "jobs" / f"{job.id}.log")

    @property
    def gpu_count(self) -> float:
        """GPUs of all machines together."""
        return float(self._ray.cluster_resources().get("GPU", 0))

    def close(self) -> None:
        """Leave the cluster; tasks of this driver end."""
        self._ray.shutdown()


class RunningTask:
    """One worker somewhere; an `Attempt`. Its log is on the machine where it ran."""

    may_wait = True  # for room, and for a process of Ray's to start

    def __init__(self, ray: Any, reference: Any, job: Job, worker: str, log: Path) -> None:
        self.job, self.worker, self.log = job, worker, log
        self.began = time.monotonic()
        self._ray, self._reference = ray, reference

    def poll(self) -> Ending | None:
        """As `Attempt.poll`."""
        ready, _ = self._ray.wait([self._reference], timeout=0)
        return self.wait() if ready else None

    def wait(self) -> Ending:
        """As `Attempt.wait`."""
        try:
            status, cpu_seconds, bytes_written, peak = self._ray.get(self._reference)
        except (self._ray.exceptions.RayError, self._ray.exceptions.TaskCancelledError):
            return Ending(_KILLED)  # with its machine, or by us
        return Ending(status, cpu_seconds, bytes_written, peak)

    def kill(self) -> None:
        """As `Attempt.kill`."""
        self._ray.cancel(self._reference, force=False)


def _check_answers(address: str) -> None:
    """Raise ServerError if nothing listens at a HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # "auto", or a client's address, for which Ray does not wait
    try:
        socket.create_connection((host, int(port)), _CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ServerError(
            f"no Ray cluster answers at {address!r}: {error}", hint="Start one: ray start --head"
        ) from error


def _attempt(home: str, job: Job, worker: str, command: tuple[str, ...]) -> tuple[int, float, int, int]:
    """Run one worker to its end, on a machine of the cluster."""
    running = Processes(Path(home), command=command).start(job, worker)
    ending = None
    try:
        while ending is None:
            time.sleep(_POLL_S)  # where a cancelled task is interrupted
            ending = running.poll()
    finally:
        if ending is None:
            running.kill()
            running.wait()
    return ending.status, ending.cpu_seconds, ending.bytes_written, ending.peak_memory_bytes
