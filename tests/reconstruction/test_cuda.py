"""gsplat and the training step for the GPU, against the definition in float64 and against the kernels.

What is marked `gpu` wants a CUDA device, gsplat and Triton; the rest runs the same step on the CPU with plain
torch in the place of their kernels.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reconstruction.optimize import FitSettings, fit
from reconstruction.rasterizers import backend, cpu, reference
from reconstruction.rasterizers.autograd_step import ssim_map
from reconstruction.rasterizers.cuda_step import CudaStep, Operations, gsplat_operations
from reconstruction.rasterizers.fused_step import FusedStep, StepWeights
from reconstruction.schedule import Rates
from tests.reconstruction.test_optimize import held_out_psnr, scene, spoiled_start
from tests.reconstruction.test_raster import HEIGHT, VIEWMAT, WIDTH, K, lopsided_cloud, render

on_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    # What torch, Triton and gsplat say about each other while they compile is not ours to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
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


def plain_adam(values, gradient, first, second, visible, rate, betas, epsilon):
    row = visible.reshape(-1, *[1] * (values.dim() - 1))
    first += row * (1 - betas[0]) * (gradient - first)
    second += row * (1 - betas[1]) * (gradient**2 - second)
    values -= row * rate * first / (second.sqrt() + epsilon)


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


def plain_draw(*splats_and_camera, antialias, with_depth):
    drawn = cpu.rasterize(*splats_and_camera, antialias=antialias)
    return drawn if with_depth else drawn._replace(depth=torch.full_like(drawn.depth, torch.nan))


PLAIN = Operations(plain_draw, plain_adam, plain_loss)


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
        gain_bias = exposure if turn == 3 else None
        a = fused.step(VIEWMAT, K, target, weights, Rates(), gain_bias, depth, trust)
        b = late.step(VIEWMAT, K, late.keep(target), weights, Rates(), gain_bias, depth, trust)
        if turn in (0, 3):
            np.testing.assert_allclose(b[:3], a[:3], rtol=tolerance, atol=1e-5)
        else:
            np.testing.assert_allclose(b[:3], before[:3], rtol=tolerance, atol=1e-5)
        before = a
    np.testing.assert_allclose(b[3:], a[3:], rtol=20 * tolerance, atol=1e-4)
    moved = np.abs(fused.columns() - start)
    assert moved.max() > 0.05 and (moved[:, 0] == 0).any()
    apart = np.abs(fused.columns() - late.columns())
    assert np.quantile(apart, 0.99) < tolerance


@pytest.mark.parametrize("bases", [1, 4])
def test_the_step_for_the_gpu_is_that_of_the_kernels(bases):
    check_steps(PLAIN, "cpu", bases, 2e-4)


def test_the_step_for_the_gpu_keeps_the_moments_of_splats_that_stay():
    cloud = lopsided_cloud(4, count=200)
    steppers = FusedStep(cloud, 4, 3.0, threads=2), CudaStep(PLAIN, "cpu", cloud, 4, 3.0)
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
