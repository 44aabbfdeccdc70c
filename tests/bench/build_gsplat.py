"""Compile gsplat ahead of time for a GPU machine that has no network.

Run by a Python that has the very torch of that machine, gsplat's wheel, ninja, and nvcc (the wheels
`nvidia-cuda-nvcc` and `nvidia-cuda-cccl` of its CUDA will do; CUDA_HOME is their folder). No GPU is needed:

    TORCH_CUDA_ARCH_LIST=9.0 python tests/bench/build_gsplat.py OUT

OUT then holds a `gsplat` that needs no compiler: 14 MB for one architecture, six minutes on two cores. There,
with numpy, scipy, pillow and pytest, `PYTHONPATH=OUT pytest -m gpu tests/reconstruction/test_cuda.py` and
`PYTHONPATH=OUT python -m tests.bench.gpu --data FOLDER` run from the checkout.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path


def build(out: Path) -> Path:
    """Write the package with its compiled `csrc` to `out`, and return that file."""
    if not os.environ.get("TORCH_CUDA_ARCH_LIST"):
        raise SystemExit("TORCH_CUDA_ARCH_LIST must name the GPU's architecture, such as 9.0; it is not set")
    from torch.utils import cpp_extension

    found = importlib.util.find_spec("gsplat")
    if found is None or found.origin is None:
        raise SystemExit("gsplat is not installed here; its wheel holds the sources that are compiled")
    package = Path(found.origin).parent
    cuda, scratch = package / "cuda", out / "build"
    scratch.mkdir(parents=True, exist_ok=True)
    sources = [*(cuda / "csrc").glob("*.cu"), *(cuda / "csrc").glob("*.cpp"), cuda / "ext.cpp"]
    with contextlib.suppress(ImportError):  # it is linked, and wants a driver to be loaded
        cpp_extension.load(
            name="csrc",
            sources=sorted(str(source) for source in sources),
            extra_cflags=["-O3", "-Wno-attributes"],
            extra_cuda_cflags=["-O3", "-use_fast_math"],
            extra_include_paths=[str(cuda / "include"), str(cuda / "csrc" / "third_party" / "glm")],
            build_directory=str(scratch),
            with_cuda=True,
            verbose=True,
        )
    compiled = scratch / "csrc.so"
    if not compiled.exists():
        raise SystemExit("gsplat was not compiled; the reason stands above")
    leave_out = shutil.ignore_patterns("third_party", "__pycache__", "csrc.so")
    shutil.copytree(package, out / "gsplat", ignore=leave_out, dirs_exist_ok=True)
    return Path(shutil.copy2(compiled, out / "gsplat" / "csrc.so"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tests/bench/build_gsplat.py OUT")
    print(build(Path(sys.argv[1]).resolve()))
