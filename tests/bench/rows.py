"""What every benchmark returns: figures with a goal, written to build/bench and shown as one table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure. `met` is None where there is nothing to meet."""

    figure: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None


def at_most(figure: str, value: float, unit: str, goal: float) -> Row:
    """A figure that should not exceed its goal."""
    return Row(figure, value, unit, f"<= {goal:g}", value <= goal)


def at_least(figure: str, value: float, unit: str, goal: float) -> Row:
    """A figure that should reach its goal."""
    return Row(figure, value, unit, f">= {goal:g}", value >= goal)


def write(name: str, rows: list[Row], folder: Path = FOLDER) -> None:
    """Write the rows to `folder`/<name>.json; long suites do so after every part."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps([asdict(row) for row in rows], indent=1), "utf-8")


def publish(name: str, rows: list[Row], folder: Path = FOLDER) -> None:
    """Write the rows to `folder`/<name>.json and print them."""
    write(name, rows, folder)
    table = Table("figure", "value", "unit", "goal", "met", title=name, title_justify="left")
    for row in rows:
        met = "" if row.met is None else ("[green]yes[/]" if row.met else "[red]no[/]")
        table.add_row(row.figure, f"{row.value:,.4g}", row.unit, row.goal, met)
    Console().print(table)


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Run `work` and return the process-CPU-seconds it took, all threads, and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result
