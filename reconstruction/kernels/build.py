"""Compile the C++ sources, once per instruction set; a library is named by the hash of its sources.

Imports only the standard library: the wheel's build hook loads this file by its path, before anything of
ours is installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_SOURCES = Path(__file__).parent
# No -ffast-math: it makes the loader change the floating-point mode of the whole process.
_FLAGS = [
    "-std=c++17",
    "-O3",
    "-shared",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
]
_X86_LEVELS = {"baseline": "x86-64-v2", "avx2": "x86-64-v3", "avx512": "x86-64-v4"}


class CompilerError(RuntimeError):
    """No compiler was found, or it failed; the message says which."""


def levels() -> tuple[str, ...]:
    """Return the instruction sets that this kind of machine is compiled for, weakest first."""
    return tuple(_X86_LEVELS) if _is_x86() else ("baseline",)


def file_name(level: str) -> str:
    """Return the file name of the library for an instruction set; it changes with the sources."""
    digest = hashlib.sha256(" ".join(_FLAGS).encode())
    for path in sorted([*_SOURCES.glob("*.cpp"), *_SOURCES.glob("*.h")]):
        digest.update(path.name.encode() + path.read_bytes())
    return f"splat_raster_{level}_{digest.hexdigest()[:12]}.so"


def find_compiler() -> list[str]:
    """Return the command of a C++ compiler.

    Raises:
        CompilerError: There is none.
    """
    for name in ("g++", "c++", "clang++"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    raise CompilerError("no C++ compiler was found (looked for g++, c++, clang++ and the package ziglang)")


def compile_kernels(target_folder: str | Path) -> list[Path]:
    """Compile what is missing into `target_folder` and return the libraries, one per instruction set.

    A library appears under its name only when it is complete, so processes may do this at once. Libraries of
    older sources are taken away.

    Raises:
        CompilerError: No compiler, or it refused the sources.
        OSError: The folder cannot be written.
    """
    folder = Path(target_folder)
    folder.mkdir(parents=True, exist_ok=True)
    libraries = [folder / file_name(level) for level in levels()]
    for level, library in zip(levels(), libraries, strict=True):
        if not library.exists():
            _compile(level, library)
    for stale in set(folder.glob("splat_raster_*.so")) - set(libraries):
        stale.unlink(missing_ok=True)
    return libraries


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def _compile(level: str, library: Path) -> None:
    compiler = find_compiler()
    command = [*compiler, *_FLAGS, str(_SOURCES / "splat_raster.cpp")]
    if _is_x86():
        march = _X86_LEVELS[level]
        # Zig spells CPU names with underscores.
        command.append(f"-march={march.replace('-', '_') if 'ziglang' in compiler else march}")
    with tempfile.TemporaryDirectory(dir=library.parent, prefix=".compiling_") as scratch:
        output = Path(scratch) / library.name
        result = subprocess.run(
            [*command, "-o", str(output)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
        if result.returncode != 0:
            raise CompilerError(f"{' '.join(compiler)} failed on {level}: {result.stderr.strip()[-2000:]}")
        output.replace(library)
