"""Runs the stages of one creation: reports them, measures them, and reuses what is already done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from numpy.typing import NDArray

from .errors import DiskFullError, is_disk_full
from .growing import Growing, GrowthReporter
from .progress import Reporter
from .stages import StageStore

Result = TypeVar("Result")
Update = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class StageTime:
    """What one stage cost in this run; a reused result costs what it took to load."""

    name: str
    cpu_seconds: float  # of the whole process, all threads
    is_reused: bool


@dataclass(slots=True)
class StageRunner:
    """Runs stages one after another; `times` lists them in order."""

    store: StageStore
    reporter: Reporter
    times: list[StageTime] = field(default_factory=list)
    growing: Growing | None = None  # the scene that is made, for who looks on

    def show(self, growing: Growing) -> None:
        """Let people look on from here."""
        self.growing = growing
        self.reporter = GrowthReporter(self.reporter, growing)

    def run(self, name: str, label: str, work: Callable[[Update], Result]) -> Result:
        """Run a stage whose result is not kept."""
        started = self._begin(name, label)
        result = work(self.reporter.update)
        self._end(name, started)
        return result

    def run_kept(
        self,
        name: str,
        label: str,
        digest: str,
        work: Callable[[Update], Result],
        take_apart: Callable[[Result], tuple[dict[str, NDArray], dict[str, Any]]],
        put_together: Callable[[dict[str, NDArray], dict[str, Any]], Result],
    ) -> Result:
        """Run a stage, or reuse its result if one is stored under `digest`.

        Raises:
            DiskFullError: The result could not be stored.
        """
        started = self._begin(name, label)
        found = self.store.load(digest)
        if found is not None:
            result = put_together(*found)
            self._end(name, started, is_reused=True)
            return result
        result = work(self.reporter.update)
        arrays, facts = take_apart(result)
        try:
            self.store.save(digest, arrays, facts)
        except OSError as error:
            if is_disk_full(error):
                raise DiskFullError(f"no room on the disk for the result of stage {name!r}") from error
            raise
        self._end(name, started)
        return result

    def _begin(self, name: str, label: str) -> float:
        self.reporter.begin(name, label)
        self.reporter.update(0.0, "")
        return time.process_time()

    def _end(self, name: str, started: float, *, is_reused: bool = False) -> None:
        spent = time.process_time() - started
        self.times.append(StageTime(name, spent, is_reused))
        self.reporter.end(spent, "kept from before" if is_reused else "")
