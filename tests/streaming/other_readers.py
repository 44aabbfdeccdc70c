"""Other people's readers, each a script of viewer/conformance that reports what a file holds."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

VIEWER = Path(__file__).resolve().parents[2] / "viewer"


def node(script: str, *paths: Path) -> Any:
    """Return what a script reports of files."""
    found = shutil.which("node")
    assert found, "node is missing; install Node 20.19 or newer"
    for packages in (VIEWER / "node_modules" / "gltf-validator", VIEWER / "conformance" / "node_modules"):
        assert packages.is_dir(), f"run `make setup`: {packages.name} is missing"
    done = subprocess.run(
        [found, f"conformance/{script}.mjs", *map(str, paths)],
        cwd=VIEWER,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def columns(values: list[str]) -> np.ndarray:
    """Return [N, columns] float32 of columns in base64."""
    return np.stack([np.frombuffer(base64.b64decode(v), "<f4") for v in values], axis=1)
