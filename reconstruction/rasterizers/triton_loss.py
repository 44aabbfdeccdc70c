"""L1 and SSIM of two pictures with their gradient, in four Triton kernels; what `loss.h` does on the CPU.

Autograd would keep some thirty maps of the picture between its forward and backward pass and read each from
memory again; here eleven taps come from the cache and five maps are written.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024
_TAPS = 11
_SIGMA = 1.5
_SIZES = ["count", "row"]  # one compilation for pictures of any size


class PictureLoss:
    """The loss of pictures of one size, with the memory it works in."""

    def __init__(self, height: int, width: int, device: torch.device) -> None:
        self._width, self._count = width, height * width * 3
        self._grid = (triton.cdiv(self._count, _BLOCK),)
        self._wide, self._blurred = torch.empty((2, 5, self._count), device=device)
        self._sums = torch.empty((3, self._grid[0]), device=device)
        self._all = torch.ones(height * width, device=device)
        taps = [math.exp(-((tap - _TAPS // 2) ** 2) / (2 * _SIGMA**2)) for tap in range(_TAPS)]
        self._taps = torch.tensor([tap / sum(taps) for tap in taps], device=device)

    def __call__(
        self, image: Tensor, truth: Tensor, ssim_weight: float, trust: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the loss's gradient [H, W, 3] and, on the device, what the loss is made of.

        The loss is the mean of trust x ((1 - `ssim_weight`) x absolute error + `ssim_weight` x (1 - SSIM)),
        pixels outside the picture being zero.

        Args:
            image: [H, W, 3] float32, contiguous.
            truth: [H, W, 3] float32, contiguous.
            trust: [H, W] float32, contiguous, how much each pixel counts; None for all alike.

        Returns:
            The gradient, and [3]: means of absolute error, SSIM and squared error, each times trust.
        """
        gradient = torch.empty_like(image)
        counting = self._all if trust is None else trust
        count, row = self._count, self._width * 3
        at = dict(count=count, row=row, taps=self._taps, TAPS=_TAPS, BLOCK=_BLOCK)
        _blur_rows[self._grid](image, truth, self._wide, **at)
        _similarity[self._grid](self._wide, self._blurred, counting, self._sums, **at)
        _blur_slopes[self._grid](self._blurred, self._wide, **at)
        weights = (1 - ssim_weight) / count, -ssim_weight / count
        _gradient[self._grid](image, truth, counting, self._wide, gradient, self._sums, *weights, **at)
        return gradient, self._sums.sum(1) / count


@triton.jit(do_not_specialize=_SIZES)
def _blur_rows(image, truth, out, count, row, taps, TAPS: tl.constexpr, BLOCK: tl.constexpr):
    """Blur a, b, a a, b b and a b along rows, into five maps."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    column = place % row
    a_mean = tl.zeros((BLOCK,), tl.float32)
    b_mean, a_square, b_square, product = a_mean, a_mean, a_mean, a_mean
    for tap in tl.static_range(TAPS):
        shift = 3 * (tap - TAPS // 2)
        inside = (column + shift >= 0) & (column + shift < row) & (place < count)
        a = tl.load(image + place + shift, mask=inside, other=0.0)
        b = tl.load(truth + place + shift, mask=inside, other=0.0)
        weight = tl.load(taps + tap)
        a_mean += weight * a
        b_mean += weight * b
        a_square += weight * a * a
        b_square += weight * b * b
        product += weight * a * b
    real = place < count
    tl.store(out + place, a_mean, mask=real)
    tl.store(out + count + place, b_mean, mask=real)
    tl.store(out + 2 * count + place, a_square, mask=real)
    tl.store(out + 3 * count + place, b_square, mask=real)
    tl.store(out + 4 * count + place, product, mask=real)


@triton.jit(do_not_specialize=_SIZES)
def _similarity(maps, slopes, trust, sums, count, row, taps, TAPS: tl.constexpr, BLOCK: tl.constexpr):
    """Blur the five maps along columns; write SSIM's slopes by the means of a, a a and a b, and its sum.

    Both times trust.
    """
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    a_mean = tl.zeros((BLOCK,), tl.float32)
    b_mean, a_square, b_square, product = a_mean, a_mean, a_mean, a_mean
    for tap in tl.static_range(TAPS):
        at = place + (tap - TAPS // 2) * row
        inside = (at >= 0) & (at < count) & (place < count)
        weight = tl.load(taps + tap)
        a_mean += weight * tl.load(maps + at, mask=inside, other=0.0)
        b_mean += weight * tl.load(maps + count + at, mask=inside, other=0.0)
        a_square += weight * tl.load(maps + 2 * count + at, mask=inside, other=0.0)
        b_square += weight * tl.load(maps + 3 * count + at, mask=inside, other=0.0)
        product += weight * tl.load(maps + 4 * count + at, mask=inside, other=0.0)
    light = 2 * a_mean * b_mean + 1e-4
    shape = 2 * (product - a_mean * b_mean) + 9e-4
    light_norm = a_mean * a_mean + b_mean * b_mean + 1e-4
    shape_norm = a_square - a_mean * a_mean + b_square - b_mean * b_mean + 9e-4
    real = place < count
    counts = tl.load(trust + place // 3, mask=real, other=0.0)
    norm = counts / (light_norm * shape_norm)
    value = light * shape * norm
    by_mean = 2 * b_mean * (shape - light) * norm
    by_mean += 2 * a_mean * value * (1 / shape_norm - 1 / light_norm)
    tl.store(slopes + place, by_mean, mask=real)
    tl.store(slopes + count + place, -value / shape_norm, mask=real)
    tl.store(slopes + 2 * count + place, 2 * light * norm, mask=real)
    programs = tl.num_programs(0)
    tl.store(sums + programs + tl.program_id(0), tl.sum(tl.where(real, value, 0.0)))


@triton.jit(do_not_specialize=_SIZES)
def _blur_slopes(slopes, out, count, row, taps, TAPS: tl.constexpr, BLOCK: tl.constexpr):
    """Blur the three slopes along rows."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    column = place % row
    by_mean = tl.zeros((BLOCK,), tl.float32)
    by_square, by_product = by_mean, by_mean
    for tap in tl.static_range(TAPS):
        shift = 3 * (tap - TAPS // 2)
        inside = (column + shift >= 0) & (column + shift < row) & (place < count)
        weight = tl.load(taps + tap)
        by_mean += weight * tl.load(slopes + place + shift, mask=inside, other=0.0)
        by_square += weight * tl.load(slopes + count + place + shift, mask=inside, other=0.0)
        by_product += weight * tl.load(slopes + 2 * count + place + shift, mask=inside, other=0.0)
    real = place < count
    tl.store(out + place, by_mean, mask=real)
    tl.store(out + count + place, by_square, mask=real)
    tl.store(out + 2 * count + place, by_product, mask=real)


@triton.jit(do_not_specialize=_SIZES)
def _gradient(
    image,
    truth,
    trust,
    slopes,
    gradient,
    sums,
    absolute_weight,
    ssim_weight,
    count,
    row,
    taps,
    TAPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Blur the slopes along columns and write the gradient by the picture, and the sums of its errors."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    by_mean = tl.zeros((BLOCK,), tl.float32)
    by_square, by_product = by_mean, by_mean
    for tap in tl.static_range(TAPS):
        at = place + (tap - TAPS // 2) * row
        inside = (at >= 0) & (at < count) & (place < count)
        weight = tl.load(taps + tap)
        by_mean += weight * tl.load(slopes + at, mask=inside, other=0.0)
        by_square += weight * tl.load(slopes + count + at, mask=inside, other=0.0)
        by_product += weight * tl.load(slopes + 2 * count + at, mask=inside, other=0.0)
    real = place < count
    a = tl.load(image + place, mask=real, other=0.0)
    b = tl.load(truth + place, mask=real, other=0.0)
    counts = tl.load(trust + place // 3, mask=real, other=0.0)
    error = a - b
    sign = tl.where(error > 0, 1.0, tl.where(error < 0, -1.0, 0.0))
    slope = by_mean + 2 * a * by_square + b * by_product
    tl.store(gradient + place, absolute_weight * counts * sign + ssim_weight * slope, mask=real)
    programs = tl.num_programs(0)
    tl.store(sums + tl.program_id(0), tl.sum(counts * tl.abs(error)))
    tl.store(sums + 2 * programs + tl.program_id(0), tl.sum(counts * error * error))
