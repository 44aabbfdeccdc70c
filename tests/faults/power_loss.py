"""`python -m tests.faults.power_loss`: every state that a power loss may leave of a recorded run is opened.

Every step of the recording is a moment at which the power goes; four states each: nothing that was not
flushed, everything, and two random mixtures of sectors and names.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from immersive.errors import StoreError

from .recording import Recording, laid_out, power_losses
from .workload import missing

ROOT = Path(__file__).resolve().parents[2]


def recorded(folder: Path, runs: int, steps: int, program: Sequence[str] = ()) -> Recording:
    """Record `runs` programs one after another on the same store, `steps` publications each."""
    home = folder / "recorded"
    home.mkdir()
    recording = Recording(home)
    command = program or (sys.executable, "-m", "tests.faults.workload")
    for run in range(runs):
        recording.run([*command, str(home), str(run), str(steps)], folder / f"trace-{run}", ROOT)
    return recording


def lost(recording: Recording, stops: Sequence[int], folder: Path, seed: int = 1) -> tuple[int, list[str]]:
    """Return how many power losses were tried and what was lost, one sentence each."""
    found: list[str] = []

    def judge(stop: int, keeps: float, state: dict[str, bytes | None], told: list[dict]) -> None:
        home = laid_out(state, folder / "after")
        try:
            found.extend(f"power off after step {stop}, {keeps:.0%} kept: {s}" for s in missing(home, told))
        except StoreError as error:
            found.append(f"power off after step {stop}, {keeps:.0%} kept: {error}")
        finally:
            shutil.rmtree(home)

    return power_losses(recording, stops, random.Random(seed), judge), found


def main() -> int:
    """Record, replay, print; exit status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--every", type=int, default=1, help="try each so many-th step")
    options = parser.parse_args()
    cpu = time.process_time()
    with tempfile.TemporaryDirectory(prefix="immersive-power-") as name:
        folder = Path(name).resolve()
        recording = recorded(folder, options.runs, options.steps)
        stops = range(1, len(recording.steps) + 1, options.every)
        count, found = lost(recording, stops, folder)
    told = sum(type(step).__name__ == "Told" for step in recording.steps)
    print(f"{len(recording.steps)} recorded steps, {told} acknowledgements, {count} power losses,")
    print(f"{len(found)} losses, {time.process_time() - cpu:.0f} CPU-s")
    for sentence in found[:20]:
        print(" ", sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
