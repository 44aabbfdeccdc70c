"""Whole scenes at draft quality: the sample briefs and three prompts, from nothing to a published scene."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.rows import FOLDER, Row, at_least, at_most, write

ROOT = Path(__file__).resolve().parents[2]

# (short name, prompt, seed, least held-out PSNR in dB)
SCENES = (
    ("forest cabin", "a misty pine forest with a wooden cabin beside a lake", 1, 21.0),
    ("living room", "a cosy living room with a red sofa, a fireplace and tall windows", 2, 27.0),
    ("birch autumn", "a birch wood in autumn with a path and three big boulders at dusk", 3, 21.0),
)
CPU_GOAL_S = 300.0
MEMORY_GOAL_GB = 4.0


def create(prompt: str, seed: int, home: Path, *options: str) -> dict:
    """Run `immersive create --json` in a process of its own, as a user would, and return its object."""
    command = [
        sys.executable,
        "-m",
        "immersive.cli",
        "create",
        prompt,
        "--seed",
        str(seed),
        "--json",
        *options,
    ]
    environment = {**os.environ, "IMMERSIVE_HOME": str(home)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


SAMPLES = ("cabin_by_the_lake", "cafe_at_night", "desert_morning", "reading_room")


def _scenes() -> list[tuple[str, str, int, float]]:
    """Return our prompts and the sample briefs."""
    from immersive.brief_file import read_brief

    # Four of the briefs; making all of them takes hours.
    folder = ROOT / "samples" / "briefs"
    briefs = [(stem, read_brief(folder / f"{stem}.toml").brief) for stem in SAMPLES]
    samples = [
        (stem.replace("_", " "), b.prompt, b.seed, 27.0 if b.is_indoor else 21.0) for stem, b in briefs
    ]
    return [*SCENES, *samples]


def rows() -> list[Row]:
    """Make every scene in an empty data folder; the first one also pays for compiling the materials."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, prompt, seed, goal_db in _scenes():
            kept = FOLDER / "scene" / name.replace(" ", "_")  # report, GLB, held-out pictures to look at
            kept.parent.mkdir(parents=True, exist_ok=True)
            scene = create(prompt, seed, home, "--out", str(kept))
            for stage in scene["stages"]:
                found.append(Row(f"{name}: {stage['name']}", stage["cpu_seconds"], "CPU-s"))
            quality, walk = scene["quality"], scene["walkability"]
            found += [
                at_most(f"{name}: all stages", scene["cpu_seconds"], "CPU-s", CPU_GOAL_S),
                at_most(f"{name}: peak memory", scene["peak_memory_bytes"] / 1e9, "GB", MEMORY_GOAL_GB),
                at_least(f"{name}: held-out PSNR", quality["psnr_db"], "dB", goal_db),
                Row(f"{name}: held-out SSIM", quality["ssim"], ""),
                Row(f"{name}: splats", scene["splat_count"], ""),
                Row(f"{name}: bytes per splat", scene["byte_length"] / scene["splat_count"], "B"),
                Row(f"{name}: reachable", walk["reachable_m2"], "m2"),
                at_most(f"{name}: falls", walk["fall_count"], "", 0),
            ]
            write("scene", found)
    return found
