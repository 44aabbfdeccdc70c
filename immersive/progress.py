"""How long work shows itself: stages with percent and time left on a terminal, or nothing at all."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO


class Reporter(Protocol):
    """Told by the pipeline what it is doing."""

    def begin(self, stage: str, label: str) -> None:
        """A stage starts; `label` is its name for people."""
        ...

    def update(self, share: float, note: str = "") -> None:
        """The stage is `share` (0..1) done. May raise CancelledError to stop the work."""
        ...

    def end(self, cpu_seconds: float, note: str = "") -> None:
        """The stage is done. `note` says when its result was reused instead."""
        ...


class Silent:
    """Reports nothing: for programs and tests."""

    def begin(self, stage: str, label: str) -> None: ...

    def update(self, share: float, note: str = "") -> None: ...

    def end(self, cpu_seconds: float, note: str = "") -> None: ...


class Terminal:
    """Progress bars on standard error; plain lines, a few a minute, where it is not a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        self._console = Console(file=stream or sys.stderr, emoji=False)
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=28),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("[dim]{task.fields[note]}[/]"),
            console=self._console,
        )
        self._task = self._bars.add_task("", visible=False, note="")
        self._label = ""
        self._line_at = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, words: str) -> None:
        """Print a line above the bars."""
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)

    def begin(self, stage: str, label: str) -> None:
        self._label = label
        self._line_at = time.monotonic()
        self._task = self._bars.add_task(label, total=1.0, note="")

    def update(self, share: float, note: str = "") -> None:
        self._bars.update(self._task, completed=min(max(share, 0.0), 1.0), note=note)
        # Ten seconds: enough to see life in a log without filling it.
        if not self._console.is_terminal and time.monotonic() - self._line_at > 10:
            self._line_at = time.monotonic()
            left = self._bars.tasks[-1].time_remaining
            tail = f", {left:.0f} s left" if left else ""
            self._console.print(f"{self._label}: {share * 100:.0f} %{tail}", highlight=False)

    def end(self, cpu_seconds: float, note: str = "") -> None:
        text = note or f"{cpu_seconds:.0f} CPU-s"
        self._bars.update(self._task, completed=1.0, note=text)
        if not self._console.is_terminal:
            self._console.print(f"{self._label}: done, {text}", highlight=False)
