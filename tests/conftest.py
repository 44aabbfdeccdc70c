"""What several rooms of the tests share: one small scene, made once by the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class SmallScene:
    """A published scene of a few thousand splats."""

    home: Path
    folder: Path  # the posed pictures it was made from
    report: dict[str, Any]  # what `create --json` printed


def run_cli(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a user does."""
    command = [sys.executable, "-m", "immersive.cli", *arguments]
    variables = {**os.environ, "IMMERSIVE_HOME": str(home), "COLUMNS": "100", **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def small_scene(tmp_path_factory: pytest.TempPathFactory) -> SmallScene:
    """A painted room, created from posed pictures through the whole pipeline."""
    from tests.posed_room import write_posed_room

    base = tmp_path_factory.mktemp("small-scene")
    folder = write_posed_room(base / "painted room")
    options = ("--budget", "10s", "--splats", "12000", "--json")
    done = run_cli("create", "--images", str(folder), *options, home=base / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    return SmallScene(base / "home", folder, json.loads(done.stdout))
