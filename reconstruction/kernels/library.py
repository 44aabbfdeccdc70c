"""The compiled library: where it lies and what its functions take; layouts as in `frame.h` and `adam.h`."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path

from ..errors import MissingBackendError
from . import build

GEOMETRY_ROWS = 11  # means 3, scales 3, quats 4, opacity 1; SH follows


class View(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_float) for name in ("fx", "fy", "cx", "cy")),
        ("turn", ctypes.c_float * 9),
        ("shift", ctypes.c_float * 3),
        ("background", ctypes.c_float * 3),
        *((name, ctypes.c_int32) for name in ("width", "height", "antialias", "sh_bases")),
    )


class AdamStep(ctypes.Structure):
    """One step's rates and weights; the meaning of each is in `adam.h`."""

    _fields_ = (
        ("rate", ctypes.c_float * GEOMETRY_ROWS),
        *(
            (name, ctypes.c_float)
            for name in (
                *("sh_rate", "sh_rest_rate", "beta1", "beta2", "epsilon", "correction1", "correction2"),
                *("opacity_weight", "scale_weight", "scale_max"),
            )
        ),
    )


_POINTER, _INT, _INT64, _FLOAT = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_float
_SIGNATURES = {
    "raster_lanes": (_INT, ()),
    "raster_cpu_level": (_INT, ()),
    "raster_create": (_POINTER, (_INT, _INT)),
    "raster_destroy": (None, (_POINTER,)),
    "raster_pairs": (_INT64, (_POINTER,)),
    "raster_drawn": (None, (_POINTER, _POINTER)),
    "raster_shares": (_INT64, (_POINTER, _POINTER)),
    "raster_backward": (_INT64, (_POINTER,) * 7),
    "raster_loss": (_INT64, (_POINTER, _INT, _INT, _POINTER, _POINTER, _FLOAT, *[_POINTER] * 4)),
    "raster_adam": (None, (_POINTER, _POINTER, _INT64, _INT64, _INT, *[_POINTER] * 6)),
    "raster_forward": (_INT64, (_POINTER, _POINTER, _POINTER, _INT64, _INT64, *[_POINTER] * 4)),
}


@functools.cache
def load_kernels(level: str | None = None) -> ctypes.CDLL:
    """Return the compiled kernels for an instruction set of `build.levels()`, or the best that this CPU runs.

    Compiles them first if this source tree or installation has none yet (a few seconds, once).

    Raises:
        MissingBackendError: There is no compiled library and no compiler.
    """
    if level is None:
        best = load_kernels("baseline").raster_cpu_level()
        level = build.levels()[min(best, len(build.levels()) - 1)]
        return load_kernels(level)
    kernels = ctypes.CDLL(str(_library_file(level)))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(kernels, name)
        function.restype, function.argtypes = result, arguments
    return kernels


def _library_file(level: str) -> Path:
    installed = Path(__file__).parent
    home = Path(os.environ.get("IMMERSIVE_HOME") or Path.home() / ".immersive")
    name = build.file_name(level)
    for folder in (installed, home / "kernels"):
        if (folder / name).exists():
            return folder / name
    try:
        try:
            build.compile_kernels(installed)
            return installed / name
        except OSError:  # an installation that belongs to another user
            build.compile_kernels(home / "kernels")
            return home / "kernels" / name
    except build.CompilerError as error:
        raise MissingBackendError(
            "cpu", f"cannot be compiled: {error}", "install g++ or clang, or run: pip install ziglang"
        ) from error
