"""gsplat and the training step for the GPU, against the definition in float64 and against the kernels.

What is marked `gpu` wants a CUDA device, gsplat and Triton; the rest runs the same code on the CPU with plain
torch and our kernels in the place of theirs.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from reconstruction.errors import MissingBackendError
from reconstruction.optimize import FitSettings, fit
from reconstruction.rasterizers import backend, cpu, cuda_step, gsplat_cuda, reference
from reconstruction.rasterizers.autograd_step import ssim_map
from reconstruction.rasterizers.cuda_step import CudaStep, Operations, gsplat_operations
from reconstruction.rasterizers.draw import draw
from reconstruction.rasterizers.fused_step import FusedStep, StepWeights
from reconstruction.schedule import Rates
from tests.reconstruction import gsplat_stand_in
from tests.reconstruction.test_optimize import held_out_psnr, scene, spoiled_start, truth_cloud
from tests.reconstruction.test_raster import (
    BACKGROUND,
    HEIGHT,
    VIEWMAT,
    WIDTH,
    K,
    lopsided_cloud,
    render,
)

MISSING = [
    *([] if torch.cuda.is_available() else ["no CUDA device"]),
    *(f"{name} is not installed" for name in ("gsplat", "triton") if importlib.util.find_spec(name) is None),
]
on_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(bool(MISSING), reason=", ".join(MISSING)),
    # What torch, Triton and gsplat say about each other while they compile is not ours to mend.
    pytest.mark.filterwarnings("ignore"),
]
_LIGHT_LEFT = 5e-3  # where less is left, gsplat may end the pixel early


def gpu(function):
    for mark in on_gpu:
        function = mark(function)
    return function


def on_cuda(rasterize, **kept):
    """A rasteriser that takes and gives CPU tensors and draws on the GPU."""

    def rasterize_there(*, width, height, background, antialias, **tensors):
        there = {name: tensor.cuda() for name, tensor in tensors.items()}
        drawn = rasterize(
            **there, width=width, height=height, background=background, antialias=antialias, **kept
        )
        return backend.Rendering(*(part.cpu() for part in drawn))

    return rasterize_there


def plain_loss(height, width, device):
    def loss(image, truth, ssim_weight, trust=None):
        assert image.shape == truth.shape == (height, width, 3) and image.device.type == device.type
        image = image.clone().requires_grad_(True)
        counting = torch.ones_like(image[..., :1]) if trust is None else trust[..., None]
        similarity, error = (counting * ssim_map(image, truth)).mean(), image - truth
        absolute = (counting * error.abs()).mean()
        ((1 - ssim_weight) * absolute + ssim_weight * (counting.mean() - similarity)).backward()
        return image.grad, torch.stack([absolute, similarity, (counting * error**2).mean()]).detach()

    return loss


@pytest.fixture(autouse=True)
def one_thread_of_torch():
    """Its pool and that of the kernels wait for each other: with two threads 6 ms become 300."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=gsplat_stand_in.RELEASES)
def operations(request, monkeypatch) -> Operations:
    """Our calls of gsplat, which a stand-in answers on the CPU, with the loss in plain torch."""
    gsplat_stand_in.install(monkeypatch, request.param)
    return Operations(gsplat_cuda.rasterize, gsplat_cuda.selective_adam, plain_loss)


def check_steps(operations: Operations, device: str, bases: int, tolerance: float) -> None:
    """Four steps must be those of the kernels, and the reports too, one step late."""
    cloud = lopsided_cloud(bases, count=200)
    fused, late = FusedStep(cloud, bases, 3.0, threads=2), CudaStep(operations, device, cloud, bases, 3.0)
    start, rng = fused.columns(), np.random.default_rng(5)
    target = rng.random((HEIGHT, WIDTH, 3), np.float32)
    depth = rng.uniform(2, 5, (HEIGHT, WIDTH)).astype(np.float32)
    depth[3:9, 4:20], depth[20:30, 7:9] = 0, np.inf
    exposure = np.array([[1.1, 0.9, 1.05], [0.02, -0.03, 0.01]], np.float32)
    trust = rng.random((HEIGHT, WIDTH), np.float32)
    trust[12:20, 10:30] = 0
    before = None
    for turn in range(4):
        weights = StepWeights(ssim=0.2, opacity=1e-3, scale=1e-3, antialias=True, depth=0.3 * (turn % 2))
        gain_bias, counting = (exposure if turn == 3 else None), trust / np.float32(1 + turn)
        a = fused.step(VIEWMAT, K, target, weights, Rates(), gain_bias, depth, counting)
        kept = late.keep(target), late.keep(depth)
        b = late.step(VIEWMAT, K, kept[0], weights, Rates(), gain_bias, kept[1], counting)
        # A late report is of the picture before, but as if that had had this one's trust.
        of_pixels = a[:3] / counting.mean()
        expected = of_pixels if turn in (0, 3) else before
        np.testing.assert_allclose(b[:3] / counting.mean(), expected, rtol=tolerance, atol=1e-5)
        before = of_pixels
    np.testing.assert_allclose(b[3:], a[3:], rtol=20 * tolerance, atol=1e-4)
    moved = np.abs(fused.columns() - start)
    assert moved.max() > 0.05 and (moved[:, 0] == 0).any()
    apart = np.abs(fused.columns() - late.columns())
    assert np.quantile(apart, 0.99) < tolerance


@pytest.mark.parametrize("bases", [1, 4])
def test_the_step_for_the_gpu_is_that_of_the_kernels(bases, operations):
    check_steps(operations, "cpu", bases, 2e-4)


def test_the_step_for_the_gpu_keeps_the_moments_of_splats_that_stay(operations):
    cloud = lopsided_cloud(4, count=200)
    steppers = FusedStep(cloud, 4, 3.0, threads=2), CudaStep(operations, "cpu", cloud, 4, 3.0)
    target = np.random.default_rng(5).random((HEIGHT, WIDTH, 3), np.float32)
    weights = StepWeights(ssim=0.2, opacity=0, scale=0, antialias=False)
    source = np.concatenate([np.arange(199, 60, -1), [-1, -1]])
    for stepper in steppers:
        kept = stepper.keep(target) if isinstance(stepper, CudaStep) else target
        for turn in range(6):
            if turn == 3:
                stepper.replace(stepper.columns()[source], source)
            stepper.step(VIEWMAT, K, kept, weights, Rates(), None)
    assert [len(stepper) for stepper in steppers] == [141, 141]
    np.testing.assert_allclose(steppers[0].columns(), steppers[1].columns(), atol=5e-4)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("bases", [1, 4, 9, 16])
def test_gsplat_is_asked_for_the_picture_that_the_kernels_draw(bases, antialias, operations):
    cloud, rng = lopsided_cloud(bases), np.random.default_rng(7)

    there, here = (
        render(draw_one, cloud, torch.float32, antialias) for draw_one in (operations.draw, cpu.rasterize)
    )

    assert (there[1].visible == here[1].visible).all() and not there[1].visible.all()
    weights = [torch.tensor(rng.normal(size=picture.shape), dtype=torch.float32) for picture in here[1][:3]]
    for _, drawn in (there, here):
        sum((w * picture).sum() for w, picture in zip(weights, drawn[:3], strict=True)).backward()
    for a, b in zip(there[1][:3], here[1][:3], strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), atol=2e-5)
    for name, splats in here[0].items():
        apart = there[0][name].grad - splats.grad
        assert apart.norm() < 1e-4 * splats.grad.norm(), name


def test_a_picture_without_depth_is_the_same_picture(operations):
    splats, full = render(operations.draw, lopsided_cloud(4), torch.float32, True)

    camera = torch.tensor(VIEWMAT), torch.tensor(K), WIDTH, HEIGHT
    plain = operations.draw(*splats.values(), *camera, background=BACKGROUND, with_depth=False)

    assert torch.equal(plain.image, full.image) and torch.equal(plain.alpha, full.alpha)
    assert full.depth.max() > 1 and not plain.depth.any()


# Growth draws lots, which rounding decides: up to 0.17 dB with seven seeds. Without it the two stay together.
@pytest.mark.parametrize(
    ("exposure", "growth_rounds", "apart_db"),
    [(False, 3, 0.5), (True, 3, 0.5), (False, 0, 0.02), (True, 0, 0.02)],
)
def test_a_fit_in_steps_for_the_gpu_is_that_of_the_kernels(
    exposure, growth_rounds, apart_db, operations, monkeypatch
):
    """The whole loop: half resolution, growth, depths, given weights, the comparison, exposures."""
    from reconstruction import optimize

    clean = scene()
    depths = draw(truth_cloud(), clean.cameras).depths
    images = clean.images.copy()
    images[1] = np.rint(images[1] * 0.8)  # what exposures are for
    images[4, 10:30, 12:34] = (20, 250, 30)  # what the gate is for
    images[5, :15] = 255  # what the caller knows to be wrong
    frames = replace(clean, images=images, depths=depths)
    weights = np.ones(images.shape[:3], np.float32)
    weights[5, :15], weights[8] = 0, 0
    settings = FitSettings(
        iterations=240,
        max_splats=800,
        growth_rounds=growth_rounds,
        sh_degree=1,
        consistency=growth_rounds > 0,
        exposure=exposure,
    )
    here = fit(frames, spoiled_start(), settings, rasterizer="cpu", weights=weights)

    monkeypatch.setattr(optimize, "resolve_rasterizer", lambda name: name)
    monkeypatch.setattr(cuda_step, "gsplat_operations", lambda: operations)
    monkeypatch.setattr(
        cuda_step, "CudaStep", lambda operations, device, *splats: CudaStep(operations, "cpu", *splats)
    )
    there = fit(frames, spoiled_start(), settings, rasterizer="gsplat", weights=weights)

    scores = [held_out_psnr(result.cloud, clean) for result in (there, here)]
    assert scores[0] > held_out_psnr(spoiled_start(), clean) + 8
    assert abs(scores[0] - scores[1]) < apart_db
    # A running mean that is one picture late, but for exposures, whose steps wait for their report.
    assert abs(there.train_psnr_db - here.train_psnr_db) < (apart_db if exposure else 0.5)
    assert len(there.cloud) == len(here.cloud) == (800 if growth_rounds else 700)
    assert there.cloud.sh.shape[1] == 4
    if growth_rounds:
        np.testing.assert_allclose(there.consistency.shares, here.consistency.shares, atol=0.06)
        assert there.consistency.shares[4] > 0.05
    if exposure:
        np.testing.assert_allclose(there.exposures, here.exposures, atol=0.04)
        assert there.exposures[1, 0].mean() < 0.9


def test_gsplat_that_cannot_run_is_refused_in_one_sentence(monkeypatch):
    def refusal(load):
        gsplat_operations.cache_clear()
        with pytest.raises(MissingBackendError) as caught:
            load()
        assert "\n" not in str(caught.value) and caught.value.hint.endswith(".")
        return str(caught.value).removeprefix("backend 'gsplat' ")

    settings = FitSettings(iterations=1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert backend.resolve_rasterizer("auto") == "cpu"
    for load in (
        lambda: fit(scene(), spoiled_start(), settings, rasterizer="gsplat"),
        lambda: backend.load_rasterizer("gsplat"),
    ):
        assert refusal(load) == "needs a CUDA device, none was found"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "gsplat", None)
    assert refusal(gsplat_cuda.load) == "is not installed"
    gsplat_stand_in.install(monkeypatch, "1.6", extension=None)
    assert refusal(gsplat_cuda.load) == "must be compiled with nvcc, no CUDA toolkit was found"
    monkeypatch.delitem(sys.modules, "gsplat.cuda._backend")
    monkeypatch.setattr(sys.modules["gsplat.cuda"], "__path__", [], raising=False)
    assert refusal(gsplat_cuda.load).startswith("could not be compiled: No module named")
    monkeypatch.setitem(sys.modules, "triton", None)
    assert refusal(gsplat_operations) == "needs triton to train, which is not installed"
    assert backend.resolve_rasterizer("auto") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device, so it would measure")
def test_the_benchmark_of_the_gpu_says_what_is_missing():
    done = subprocess.run([sys.executable, "-m", "tests.bench.gpu"], capture_output=True, text=True)

    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "backend 'gsplat' needs a CUDA device, none was found",
        "  Use the rasterizer 'cpu', or a machine with an NVIDIA GPU.",
    ]


@pytest.mark.skipif(importlib.util.find_spec("gsplat") is None, reason="gsplat is not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("antialias", [False, True])
def test_gsplats_own_torch_definition_is_ours(antialias):
    """It ships one of its projection and harmonics, which needs no GPU; its blending is written out here."""
    from gsplat.cuda import _torch_impl

    cloud = lopsided_cloud(16)
    _, true = render(reference.rasterize, cloud, torch.float64, antialias)
    means, quats, scales, opacities, sh = (
        torch.tensor(part, dtype=torch.float64)
        for part in (cloud.means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh)
    )
    viewmat, camera = torch.tensor(VIEWMAT, dtype=torch.float64), torch.tensor(K, dtype=torch.float64)
    spread = reference.rotations(quats) * scales[:, None]

    _, centers, depths, conics, share = (
        None if part is None else part[0]
        for part in _torch_impl._fully_fused_projection(
            means,
            spread @ spread.transpose(1, 2),
            viewmat[None],
            camera[None],
            WIDTH,
            HEIGHT,
            eps2d=reference.BLUR_PX2,
            near_plane=reference.NEAR_M,
            calc_compensations=antialias,
        )
    )
    eye = torch.linalg.inv(viewmat)[:3, 3]
    colors = (0.5 + _torch_impl._spherical_harmonics(3, means - eye, sh)).clamp_min(0)
    if share is not None:
        opacities = opacities * share
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    image, light = torch.zeros(HEIGHT, WIDTH, 3), torch.ones(HEIGHT, WIDTH)
    for i in [i for i in depths.argsort().tolist() if depths[i] > reference.NEAR_M]:
        a, b, c = conics[i]
        dx, dy = centers[i, 0] - x, centers[i, 1] - y
        alpha = opacities[i] * torch.exp(-(0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy))
        alpha = torch.where(alpha < 1 / 255, 0, alpha.clamp_max(0.999))
        image = image + (alpha * light)[..., None] * colors[i]
        light = light * (1 - alpha)
    image = image + light[..., None] * torch.tensor(BACKGROUND)

    np.testing.assert_allclose(1 - light, true.alpha.detach(), atol=1e-6)
    np.testing.assert_allclose(image, true.image.detach(), atol=1e-6)


@pytest.mark.skipif(importlib.util.find_spec("gsplat") is None, reason="gsplat is not installed")
@pytest.mark.filterwarnings("ignore")
def test_the_stand_in_takes_what_the_installed_gsplat_takes():
    import gsplat
    from gsplat.cuda import _wrapper

    theirs = list(inspect.signature(gsplat.rasterization).parameters)
    assert theirs[: len(list(inspect.signature(gsplat_stand_in.rasterization).parameters))] == list(
        inspect.signature(gsplat_stand_in.rasterization).parameters
    )
    harmonics = gsplat_stand_in.HARMONICS[gsplat.__version__[:3]]
    for ours, their in ((harmonics, gsplat.spherical_harmonics), (gsplat_stand_in.adam, _wrapper.adam)):
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(their).parameters)


@gpu
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("bases", [1, 4, 9, 16])
def test_gsplat_draws_and_differentiates_the_definition(bases, antialias, record_property):
    cloud = lopsided_cloud(bases)
    true_splats, true = render(reference.rasterize, cloud, torch.float64, antialias)
    fast_splats, fast = render(on_cuda(backend.load_rasterizer("gsplat")), cloud, torch.float32, antialias)
    assert (1 - true.alpha).min() > _LIGHT_LEFT

    for name, a, b in zip(("image", "alpha", "depth"), fast[:3], true[:3], strict=True):
        apart = float((a.detach().double() - b.detach()).abs().max())
        record_property(f"{name}, worst", apart)
        assert apart < 1e-4, name

    rng = np.random.default_rng(7)
    weights = [torch.tensor(rng.normal(size=picture.shape)) for picture in true[:3]]
    for drawn, dtype in ((fast, torch.float32), (true, torch.float64)):
        sum((w.to(dtype) * picture).sum() for w, picture in zip(weights, drawn[:3], strict=True)).backward()
    for name in fast_splats:
        a, b = fast_splats[name].grad.double(), true_splats[name].grad
        error = float((a - b).norm() / b.norm())
        record_property(f"gradient of {name}, relative L2", error)
        assert error < 1e-3, name
    agree = (fast.visible == true.visible).double().mean()
    assert agree > 0.95  # its boxes are whole pixels, so it counts some splats that touch none


@gpu
@pytest.mark.parametrize("antialias", [False, True])
def test_gsplat_and_the_kernels_agree_on_many_splats(antialias, record_property):
    cloud = lopsided_cloud(9, count=3000, seed=3)
    cloud.scales[:] *= 0.5
    cloud.opacities[:] *= 0.3
    _, fast = render(on_cuda(backend.load_rasterizer("gsplat")), cloud, torch.float32, antialias)
    _, kernels = render(cpu.rasterize, cloud, torch.float32, antialias)
    assert kernels.alpha.mean() > 0.2
    for name, a, b in zip(("image", "alpha", "depth"), fast[:3], kernels[:3], strict=True):
        apart = (a - b).detach().abs()
        record_property(f"{name}, worst", float(apart.max()))
        # A splat that rounding puts on the other side of the cut at 1/255 shows in a pixel or two.
        assert apart.quantile(0.99) < 1e-4 and apart.max() < 0.03, name


def check_triton(device: torch.device, record_property) -> None:
    from reconstruction.rasterizers.triton_loss import PictureLoss

    rng = np.random.default_rng(0)
    truth = rng.random((HEIGHT, WIDTH, 3), np.float32)
    image = (truth + 0.2 * rng.normal(size=truth.shape)).astype(np.float32)
    image[:8] = truth[:8]  # an error of zero has no slope
    loss, plain = PictureLoss(HEIGHT, WIDTH, device), plain_loss(HEIGHT, WIDTH, torch.device("cpu"))
    a, b = (torch.from_numpy(picture) for picture in (image, truth))
    trust = torch.from_numpy(rng.random((HEIGHT, WIDTH), np.float32))
    for weight, counting in ((0.0, None), (0.2, None), (0.2, trust), (1.0, trust)):
        there = None if counting is None else counting.to(device)
        gradient, report = loss(a.to(device), b.to(device), weight, there)
        true, true_report = plain(a.double(), b.double(), weight, counting)
        error = (gradient.cpu() - true).norm() / true.norm()
        record_property(f"gradient at {weight}, relative L2", float(error))
        assert error < 1e-5
        np.testing.assert_allclose(report.cpu(), true_report, rtol=1e-5)


@gpu
def test_triton_computes_the_loss_and_its_gradient(record_property):
    check_triton(torch.device("cuda"), record_property)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the test above runs it on the device")
def test_triton_computes_the_loss_in_its_interpreter(record_property, monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # read when the kernels are imported, which is here first
    pytest.importorskip("triton", reason="triton is not installed; PyTorch's CUDA build brings it")
    check_triton(torch.device("cpu"), record_property)


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from reconstruction.rasterizers import triton_loss
sizes = dict(count="i32", row="i32", TAPS="constexpr", BLOCK="constexpr")
sizes |= dict(absolute_weight="fp32", ssim_weight="fp32")
for name in ("_blur_rows", "_similarity", "_blur_slopes", "_gradient"):
    kernel = getattr(triton_loss, name)
    signature = {argument: sizes.get(argument, "*fp32") for argument in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=dict(TAPS=11, BLOCK=1024))
    print(name, len(triton.compile(source, target=GPUTarget("cuda", 80, 32)).asm["cubin"]) > 0)
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_triton_compiles_the_loss_for_a_device_that_is_not_here(tmp_path):
    """Its interpreter is Python and passes what its compiler refuses, so the test above is not enough."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path), "TRITON_INTERPRET": "0"}

    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, env=environment)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1::2] == ["True"] * 4


@gpu
@pytest.mark.parametrize("bases", [1, 4])
def test_steps_on_the_gpu_are_those_of_the_kernels(bases):
    check_steps(gsplat_operations(), "cuda", bases, 5e-3)


@gpu
def test_a_fit_on_the_gpu_reaches_what_the_kernels_reach(record_property):
    frames = scene()
    settings = FitSettings(iterations=300, max_splats=900, growth_rounds=3)
    there = fit(frames, spoiled_start(), settings, rasterizer="gsplat")
    here = fit(frames, spoiled_start(), settings, rasterizer="cpu")
    scores = [held_out_psnr(result.cloud, frames) for result in (there, here)]
    record_property("held-out PSNR, gsplat and kernels", scores)
    assert there.rasterizer == "gsplat" and there.iterations == 300
    assert abs(scores[0] - scores[1]) < 0.3
    assert scores[0] > held_out_psnr(spoiled_start(), frames) + 1
    assert abs(there.train_psnr_db - here.train_psnr_db) < 0.5


@gpu
def test_a_budget_on_the_gpu_is_seconds_by_the_clock():
    result = fit(scene(), spoiled_start(), FitSettings(budget_cpu_s=1.5), rasterizer="auto")
    assert result.rasterizer == "gsplat"
    assert result.cpu_seconds >= 1.5 and result.iterations > 20
