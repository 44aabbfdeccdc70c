"""How the kernels are compiled and found, and their loss against torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from reconstruction.errors import MissingBackendError
from reconstruction.kernels import build, library
from reconstruction.kernels.binding import SplatRaster
from reconstruction.rasterizers.autograd_step import ssim_map


@pytest.mark.parametrize("size", [(41, 53), (7, 5), (16, 16)])
@pytest.mark.parametrize("ssim_weight", [0.0, 0.35])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_loss_and_its_gradients_match_torch(size, ssim_weight, is_weighted):
    rng = np.random.default_rng(11)
    image, target = rng.random((2, *size, 3), np.float32)
    exposure = np.array([[1.1, 0.9, 1.05], [0.02, -0.03, 0.01]], np.float32)
    gradient = np.empty_like(image)
    trust = None
    if is_weighted:  # lopsided: a ramp, an untrusted corner, and one pixel that alone is untrusted
        trust = np.tile(np.linspace(0.1, 1, size[1], dtype=np.float32), (size[0], 1))
        trust[: size[0] // 3, size[1] // 2 :] = 0
        trust[-2, 1] = 0

    report = SplatRaster(2).loss(image, target, ssim_weight, gradient, exposure, trust)

    x, e = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (image, exposure))
    y = torch.tensor(target, dtype=torch.float64)
    exposed = x * e[0] + e[1]
    w = torch.ones(*size, 1, dtype=torch.float64) if trust is None else torch.tensor(trust)[..., None]
    absolute, similarity = (w * (exposed - y).abs()).mean(), (w * ssim_map(exposed, y)).mean()
    loss = (1 - ssim_weight) * absolute
    if ssim_weight:
        loss = loss + ssim_weight * (w.mean() - similarity)
        assert report[1] == pytest.approx(float(similarity.detach()), abs=1e-6)
    loss.backward()
    assert report[0] == pytest.approx(float(absolute.detach()), rel=1e-6)
    assert report[2] == pytest.approx(float((w * (exposed - y) ** 2).mean().detach()), rel=1e-6)
    assert np.linalg.norm(gradient - x.grad.numpy()) / np.linalg.norm(gradient) < 2e-6
    np.testing.assert_allclose(report[3:], e.grad.numpy().ravel(), rtol=1e-4, atol=1e-7)


def test_a_library_appears_under_the_hash_of_its_sources(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "levels", lambda: ("baseline",))  # each takes CPU-seconds to compile
    (tmp_path / "splat_raster_avx2_0123456789ab.so").write_bytes(b"of older sources")

    libraries = build.compile_kernels(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in libraries)
    assert [path.name for path in libraries] == [build.file_name(level) for level in build.levels()]
    stamp = libraries[0].stat().st_mtime_ns
    build.compile_kernels(tmp_path)
    assert libraries[0].stat().st_mtime_ns == stamp


def test_the_chosen_instruction_set_is_what_the_system_reports():
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists() or build.levels() == ("baseline",):
        pytest.skip("only Linux on x86-64 lists its instruction sets in a file")
    flags = set(cpuinfo.read_text().split("flags", 1)[1].split("\n", 1)[0].split())

    level = library.load_kernels("baseline").raster_cpu_level()

    v3 = {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"} <= flags
    v4 = v3 and {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= flags
    assert level == (2 if v4 else 1 if v3 else 0)
    assert library.load_kernels().raster_lanes() == {0: 4, 1: 8, 2: 16}[level]


def test_the_build_module_runs_alone(tmp_path):
    """The wheel's build hook loads it by path, where nothing but the standard library is installed."""
    script = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('kernel_build', {str(build.__file__)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(*module.levels())\n"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert tuple(result.stdout.split()) == build.levels()


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "file_name", lambda level: f"missing_{level}.so")
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(MissingBackendError, match=r"no C\+\+ compiler was found") as caught:
        library.load_kernels.__wrapped__("baseline")

    assert "ziglang" in str(caught.value.hint)


def test_a_read_only_installation_compiles_into_the_home(monkeypatch, tmp_path):
    compiled_into = []

    def compile_kernels(folder: Path) -> list[Path]:
        compiled_into.append(Path(folder))
        if Path(folder) == Path(library.__file__).parent:
            raise PermissionError("read-only")
        return []

    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "file_name", lambda level: "missing.so")
    monkeypatch.setattr(build, "compile_kernels", compile_kernels)

    assert library._library_file("baseline") == tmp_path / "kernels" / "missing.so"
    assert compiled_into[-1] == tmp_path / "kernels"


def test_a_compiler_that_refuses_is_quoted(monkeypatch, tmp_path):
    refusing = tmp_path / "g++"
    refusing.write_text("#!/bin/sh\necho 'unknown option' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr(build, "find_compiler", lambda: [str(refusing)])

    with pytest.raises(build.CompilerError, match="unknown option"):
        build.compile_kernels(tmp_path / "target")

    assert list((tmp_path / "target").iterdir()) == []
