"""One attempt at a job, wherever it runs, as the supervisor sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .job import Job


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, and what it took with all that it started; zeros where nobody could measure."""

    status: int  # of the process: 0 well, > 0 its exit status, < 0 the signal that ended it
    cpu_seconds: float = 0.0
    bytes_written: int = 0  # to the disk, as the kernel counts
    peak_memory_bytes: int = 0


class Attempt(Protocol):
    """A job being worked on under the lease of `worker`."""

    job: Job
    worker: str
    began: float  # monotonic seconds
    log: Path  # what it said, if anything
    may_wait: bool  # the worker may begin later; until then whoever started it must keep its lease

    def poll(self) -> Ending | None:
        """Return how it ended, once; None: it goes on."""
        ...

    def wait(self) -> Ending:
        """Wait for the end and return it."""
        ...

    def kill(self) -> None:
        """End it and all that it started, wherever it is; `poll` tells when that is done."""
        ...


class Executor(Protocol):
    """Where attempts run."""

    def start(self, job: Job, worker: str) -> Attempt:
        """Begin an attempt at a job whose lease `worker` holds."""
        ...
