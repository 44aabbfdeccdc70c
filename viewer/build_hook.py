"""Build hook: compile the rasteriser's kernels and, for a wheel, build the page that it ships."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ImmersiveBuildHook(BuildHookInterface):
    """Runs for wheels and editable installs; an editable install leaves the page to `make setup`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        kernels = root / "reconstruction" / "kernels"
        # Loaded by path: the package itself cannot be imported before its dependencies are installed.
        spec = importlib.util.spec_from_file_location("kernel_build", kernels / "build.py")
        if spec is None or spec.loader is None:
            raise RuntimeError(f"cannot load {kernels / 'build.py'}")
        build = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(build)
        build.compile_kernels(kernels)
        build_data["artifacts"].append("reconstruction/kernels/*.so")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version == "editable":
            return
        page = root / "streaming" / "_viewer"
        if not (page / "index.html").exists():
            npm = shutil.which("npm")
            if npm is None:
                raise RuntimeError("building a wheel needs npm for the page; run `make setup` first")
            subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=root / "viewer", check=True)
            subprocess.run([npm, "run", "build"], cwd=root / "viewer", check=True)
        build_data["artifacts"].append("streaming/_viewer/**")
