"""The CPU rasteriser against its definition in float64 torch, and what must not depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from reconstruction.cameras import Cameras
from reconstruction.conventions import look_at_viewmat
from reconstruction.errors import InvalidArrayError, InvalidInputError, MissingBackendError
from reconstruction.kernels import build
from reconstruction.kernels.binding import AdamStep, SplatRaster, load_kernels, padded, planar
from reconstruction.rasterizers import backend, cpu, reference
from reconstruction.rasterizers.draw import draw, draw_each
from reconstruction.splats import SplatCloud

# An off-centre, non-square camera; odd sizes leave part of a tile and of a vector empty.
WIDTH, HEIGHT = 53, 41
K = np.array([[45, 0, 22.3], [0, 47, 24.1], [0, 0, 1]], np.float32)
VIEWMAT = look_at_viewmat(np.array([0.5, 0.3, 3.5]), np.array([0.1, -0.1, 0.0]))
BACKGROUND = (0.2, 0.5, 0.1)


def lopsided_cloud(bases: int, count: int = 61, seed: int = 1) -> SplatCloud:
    """Anisotropic, rotated splats; some off the picture, some behind the camera, some nearly opaque."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(count, 3)) * [1, 0.8, 0.6]
    scales = rng.uniform(0.03, 0.35, (count, 3)) * rng.uniform(0.2, 1, (count, 3))
    means[0], scales[0] = [2.9, 0.3, 0.2], [0.9, 0.5, 0.2]  # centre beyond the clamp of the Jacobian
    means[1] = [0.5, 0.2, 5.0]  # behind
    opacities = 1 / (1 + np.exp(-1.5 * rng.normal(size=count)))
    opacities[2:6] = 0.975  # near saturation, but off the cap at 0.99 where the slope jumps
    quats = rng.normal(size=(count, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    sh = rng.normal(size=(count, bases, 3)) * 0.8
    arrays = (means, quats, scales, opacities, sh)
    return SplatCloud(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def tensors(cloud: SplatCloud, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    arrays = dict(
        means=cloud.means,
        quats=cloud.quats * 1.7,  # rasterisers normalise, so a gradient along the quaternion must vanish
        scales=cloud.scales,
        opacities=cloud.opacities,
        sh=cloud.sh,
    )
    return {name: torch.tensor(array, dtype=dtype, requires_grad=True) for name, array in arrays.items()}


def runnable_levels() -> tuple[str, ...]:
    return build.levels()[: load_kernels("baseline").raster_cpu_level() + 1]


def render(rasterize, cloud, dtype, antialias, size=(WIDTH, HEIGHT)):
    splats = tensors(cloud, dtype)
    drawn = rasterize(
        **splats,
        viewmat=torch.tensor(VIEWMAT, dtype=dtype),
        K=torch.tensor(K, dtype=dtype),
        width=size[0],
        height=size[1],
        background=BACKGROUND,
        antialias=antialias,
    )
    return splats, drawn


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    ("bases", "size"),
    # Off-centre with 53 x 41; the others end within the first tile, and on a tile's last column.
    [*((bases, (WIDTH, HEIGHT)) for bases in (1, 4, 9, 16)), (4, (39, 9)), (1, (48, 23))],
)
def test_pictures_and_gradients_match_the_float64_definition(bases, size, antialias, monkeypatch):
    cloud = lopsided_cloud(bases)
    rng = np.random.default_rng(7)
    weights = [torch.tensor(rng.normal(size=shape)) for shape in ((*size[::-1], 3), size[::-1], size[::-1])]

    def differentiated(rasterize, dtype):
        splats, drawn = render(rasterize, cloud, dtype, antialias, size)
        sum(
            (weight.to(dtype) * part).sum() for weight, part in zip(weights, drawn[:3], strict=True)
        ).backward()
        return {name: splat.grad.double() for name, splat in splats.items()}, drawn

    true_gradients, true = differentiated(reference.rasterize, torch.float64)
    for level in runnable_levels():
        monkeypatch.setattr(cpu, "SplatRaster", lambda level=level: SplatRaster(2, level))
        fast_gradients, fast = differentiated(cpu.rasterize, torch.float32)

        for name, a, b in zip(("image", "alpha", "depth"), fast[:3], true[:3], strict=True):
            assert (a.double() - b).abs().max() < 2e-5, (level, name)
        for name, a in fast_gradients.items():
            b = true_gradients[name]
            assert (a - b).norm() / b.norm() < 3e-6, (level, name)  # 1.5e-6 is measured
            if name != "sh":  # every splat by itself, so that a large one cannot hide a small one
                worst = (a - b).abs().max() / b.abs().max()
                assert worst < 1e-5, (level, name)


def test_gradients_match_finite_differences_of_the_reference():
    """A second route, so that one mistake in autograd's graph and the kernels' algebra cannot agree."""
    cloud = lopsided_cloud(4, count=9, seed=5)
    weight = torch.tensor(np.random.default_rng(2).normal(size=(HEIGHT, WIDTH, 3)))

    splats, drawn = render(cpu.rasterize, cloud, torch.float32, True)
    (drawn.image.double() * weight).sum().backward()

    def loss(values):
        with torch.no_grad():
            image = reference.rasterize(
                **values,
                viewmat=torch.tensor(VIEWMAT, dtype=torch.float64),
                K=torch.tensor(K, dtype=torch.float64),
                width=WIDTH,
                height=HEIGHT,
                background=BACKGROUND,
            ).image
        return float((image * weight).sum())

    # The two in front: steps across the alpha cut-off of far ones make the loss jump.
    checked = 0
    for name in splats:
        gradient = splats[name].grad.double().reshape(-1)
        place = int(gradient.abs().argmax())
        step, values = 1e-6, {n: t.detach().double().clone() for n, t in splats.items()}
        values[name].reshape(-1)[place] += step
        above = loss(values)
        values[name].reshape(-1)[place] -= 2 * step
        slope = (above - loss(values)) / (2 * step)
        assert slope == pytest.approx(float(gradient[place]), rel=2e-3), name
        checked += 1
    assert checked == 5


def fused_gradients(cloud: SplatCloud, threads: int, level: str | None = None):
    raster = SplatRaster(threads, level)
    raster.look(VIEWMAT, K, WIDTH, HEIGHT, background=BACKGROUND)
    params = planar(cloud)
    image, gradient = np.empty((2, HEIGHT, WIDTH, 3), np.float32)
    raster.forward(params, len(cloud), image)
    rng = np.random.default_rng(3)
    target = rng.random(image.shape, np.float32)
    report = raster.loss(image, target, 0.2, gradient)
    gradients, visible = np.zeros_like(params), np.zeros(params.shape[1], np.uint8)
    raster.backward(params, len(cloud), gradient, gradients, visible)

    alpha, depth, d_alpha, d_depth = rng.standard_normal((4, HEIGHT, WIDTH), np.float32)
    raster.forward(params, len(cloud), image, alpha, depth)
    with_depth = np.zeros_like(params)
    raster.backward(params, len(cloud), gradient, with_depth, d_alpha=d_alpha, d_depth=d_depth)
    return image, report, gradients, visible, alpha, depth, with_depth


@pytest.mark.parametrize("level", build.levels())
def test_results_are_bitwise_the_same_for_any_number_of_threads(level):
    if level not in runnable_levels():
        pytest.skip(f"this CPU does not run {level}")
    cloud = lopsided_cloud(4, count=9001)

    one = fused_gradients(cloud, 1, level)

    for threads in (2, 3, 7):
        for a, b in zip(one, fused_gradients(cloud, threads, level), strict=True):
            np.testing.assert_array_equal(a, b)


def test_instruction_sets_agree():
    cloud = lopsided_cloud(9, count=500)
    results = [fused_gradients(cloud, 2, level) for level in runnable_levels()]
    for other in results[1:]:
        assert np.abs(other[0] - results[0][0]).max() < 1e-4
        difference = np.linalg.norm(other[2] - results[0][2]) / np.linalg.norm(results[0][2])
        assert difference < 1e-4


def test_splats_on_tile_borders_leave_no_seam():
    """A wide faint splat across all tiles must be smooth: block culling that is too eager cuts it."""
    one = np.ones(1, np.float32)
    cloud = SplatCloud(
        np.array([[0.1, -0.05, 0]], np.float32),
        np.array([[0.9, 0.1, 0.3, 0.3]], np.float32) / np.float32(1.0),
        np.array([[0.9, 0.05, 0.4]], np.float32),
        0.9 * one,
        np.full((1, 1, 3), 1.5, np.float32),
    )
    cameras = Cameras(VIEWMAT[None], K[None], WIDTH, HEIGHT)

    image = draw(cloud, cameras, background=(0, 0, 0)).images[0]

    splats, true = render_single(cloud)
    assert np.abs(image - true).max() < 1e-5
    assert splats == 1


def render_single(cloud):
    dtype = torch.float64
    drawn = reference.rasterize(
        *(
            torch.tensor(array, dtype=dtype)
            for array in (cloud.means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh)
        ),
        torch.tensor(VIEWMAT, dtype=dtype),
        torch.tensor(K, dtype=dtype),
        WIDTH,
        HEIGHT,
    )
    return int(drawn.visible.sum()), drawn.image.numpy()


def test_expected_depth_of_a_wall_is_its_depth_and_unknown_outside():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.linspace(-1, 0.2, 40), np.linspace(-1, 1, 40)), -1).reshape(-1, 2)
    points_cam = np.column_stack([grid, np.full(len(grid), 2.5)])
    means = (points_cam - VIEWMAT[:3, 3]) @ VIEWMAT[:3, :3]
    quats = np.tile([1.0, 0, 0, 0], (len(grid), 1))
    cloud = SplatCloud(
        means.astype(np.float32),
        quats.astype(np.float32),
        np.full((len(grid), 3), 0.03, np.float32),
        np.full(len(grid), 0.9, np.float32),
        rng.normal(size=(len(grid), 1, 3)).astype(np.float32),
    )
    cameras = Cameras(VIEWMAT[None], K[None], WIDTH, HEIGHT)

    for kind in ("expected", "median"):
        drawing = draw(cloud, cameras, depth=kind)
        depth, alpha = drawing.depths[0], drawing.alphas[0]
        np.testing.assert_allclose(depth[alpha >= 0.5], 2.5, rtol=1e-5)
        assert (depth[alpha < 0.5] == 0).all()
        assert (alpha[:, :8] > 0.9).any() and (alpha[:, 35:] < 0.5).all()


def test_median_depth_never_lies_between_two_surfaces():
    def sheet(depth, opacity):
        grid = np.stack(np.meshgrid(np.linspace(-2, 2, 70), np.linspace(-2, 2, 70)), -1).reshape(-1, 2)
        points_cam = np.column_stack([grid, np.full(len(grid), depth)])
        return (points_cam - VIEWMAT[:3, 3]) @ VIEWMAT[:3, :3], np.full(len(grid), opacity)

    near, far = sheet(2.0, 0.12), sheet(3.5, 0.9)
    means = np.concatenate([near[0], far[0]]).astype(np.float32)
    count = len(means)
    cloud = SplatCloud(
        means,
        np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        np.full((count, 3), 0.05, np.float32),
        np.concatenate([near[1], far[1]]).astype(np.float32),
        np.zeros((count, 1, 3), np.float32),
    )
    cameras = Cameras(VIEWMAT[None], K[None], WIDTH, HEIGHT)

    expected = draw(cloud, cameras).depths[0, 15:25, 20:30]
    median = draw(cloud, cameras, depth="median").depths[0, 15:25, 20:30]

    assert ((expected > 2.1) & (expected < 3.4)).all()
    assert np.isclose(median, 2.0, rtol=1e-4).sum() + np.isclose(median, 3.5, rtol=1e-4).sum() == median.size


def test_draw_each_yields_what_draw_stacks():
    cloud = lopsided_cloud(4)
    other = look_at_viewmat(np.array([2.0, 0.6, 2.0]), np.zeros(3))
    cameras = Cameras(np.stack([VIEWMAT, other]), np.stack([K, K]), WIDTH, HEIGHT)

    drawing = draw(cloud, cameras, background=BACKGROUND)

    for index, picture in enumerate(draw_each(cloud, cameras, background=BACKGROUND)):
        np.testing.assert_array_equal(picture.image, drawing.images[index])
        np.testing.assert_array_equal(picture.depth, drawing.depths[index])
    assert np.abs(drawing.images[0] - drawing.images[1]).max() > 0.1
    with pytest.raises(InvalidArrayError, match="background must be three finite numbers"):
        next(draw_each(cloud, cameras, background=(0.0, float("nan"), 0.0)))


def test_an_empty_cloud_is_all_background():
    empty = lopsided_cloud(1).subset(np.zeros(61, bool))
    cameras = Cameras(VIEWMAT[None], K[None], WIDTH, HEIGHT)

    drawing = draw(empty, cameras, background=BACKGROUND)

    assert np.allclose(drawing.images, BACKGROUND) and not drawing.alphas.any() and not drawing.depths.any()
    assert draw(empty, cameras.subset([])).images.shape == (0, HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e6, 1e18])
@pytest.mark.parametrize("distance", [0.0, 1e-3, 1e9, 1e30])
def test_absurd_splats_never_make_a_pixel_that_is_not_finite(scale, distance):
    cloud = lopsided_cloud(4)
    cloud.means[::7] *= np.float32(distance)
    cloud.scales[::5] = np.float32(scale)
    cloud.scales[3] = (np.float32(scale), 1e-3, 1e-12)
    cloud.quats[::11] = 0
    cloud.opacities[::6] = 1.0
    cameras = Cameras(VIEWMAT[None], K[None], WIDTH, HEIGHT)

    for antialias in (False, True):
        drawing = draw(cloud, cameras, antialias=antialias)
        assert np.isfinite(drawing.images).all() and np.isfinite(drawing.depths).all()
        assert (drawing.alphas >= 0).all() and (drawing.alphas <= 1).all()


def test_a_cloud_that_covers_too_many_tiles_is_refused_before_it_takes_all_memory():
    cloud, image = lopsided_cloud(1, count=5000), np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for threads in (1, 3):
        raster = SplatRaster(threads, most_pairs=9000)
        raster.look(VIEWMAT, K, WIDTH, HEIGHT)

        with pytest.raises(InvalidArrayError, match=r"splats must cover at most 9000 \(splat, tile\) pairs"):
            raster.forward(planar(cloud), len(cloud), image)

        with pytest.raises(ValueError, match="the last picture had None splats"):
            raster.backward(planar(cloud), len(cloud), image, np.zeros_like(planar(cloud)))
        few = cloud.subset(np.arange(700))
        assert raster.forward(planar(few), len(few), image) > 100  # the threads go on after an error
        assert 100 < raster.pairs <= 9000


def test_a_million_splats_are_drawn_without_torch():
    script = (
        "import sys, numpy as np\n"
        "from reconstruction.cameras import Cameras, intrinsics\n"
        "from reconstruction.rasterizers.draw import draw\n"
        "from reconstruction.splats import SplatCloud\n"
        "n, rng = 1_000_000, np.random.default_rng(1)\n"
        "full = lambda *shape, value: np.full(shape, value, np.float32)\n"
        "means = rng.normal(size=(n, 3)).astype(np.float32) + np.float32([0, 0, 4])\n"
        "quats = np.tile(np.float32([1, 0, 0, 0]), (n, 1))\n"
        "sh = rng.normal(size=(n, 1, 3)).astype(np.float32)\n"
        "cloud = SplatCloud(means, quats, full(n, 3, value=.01), full(n, value=.7), sh)\n"
        "cameras = Cameras(np.eye(4, dtype=np.float32)[None], intrinsics(500, 640, 480)[None], 640, 480)\n"
        "print(draw(cloud, cameras).alphas[0, 200:280, 280:360].min())\n"
        "print([name for name in ('torch', 'scipy', 'numba') if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    alpha, imported = result.stdout.splitlines()
    assert float(alpha) > 0.99 and imported == "[]"


def test_rows_are_padded_so_that_no_vector_leaves_them():
    assert [padded(count) for count in (0, 1, 16, 17)] == [16, 16, 16, 32]
    assert planar(lopsided_cloud(4)).shape == (11 + 12, 64)


def test_backward_refuses_another_number_of_splats_than_was_drawn():
    cloud = lopsided_cloud(1)
    raster, params = SplatRaster(1), planar(cloud)
    raster.look(VIEWMAT, K, WIDTH, HEIGHT)
    image = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    raster.forward(params, len(cloud), image)

    with pytest.raises(ValueError, match="the last picture had 61 splats"):
        raster.backward(params, 60, image, np.zeros_like(params))


@pytest.mark.parametrize(
    ("argument", "bad", "said"),
    [
        ("viewmat", np.full((4, 4), np.nan, np.float32), "viewmat must be finite"),
        ("viewmat", VIEWMAT[:3], r"viewmat must have shape \[4, 4\], got \[3, 4\]"),
        ("K", K * np.float32([[-1], [1], [1]]), "K must hold positive focal lengths, got -45.0, 47.0"),
        ("K", K * np.float32([[1], [0], [1]]), "K must hold positive focal lengths"),
        ("K", K + np.float32(np.inf), "K must be finite"),
        ("width", 0, "picture size must be 1 to 16384 pixels a side, got 0x41"),
        ("height", 16385, "picture size must be 1 to 16384 pixels a side, got 53x16385"),
        ("background", (0.1, 0.2), "background must be three finite numbers"),
        ("background", (0.1, 0.2, float("inf")), "background must be three finite numbers"),
    ],
)
def test_cameras_that_cannot_be_drawn_are_refused(argument, bad, said):
    arguments = dict(viewmat=VIEWMAT, K=K, width=WIDTH, height=HEIGHT) | {argument: bad}
    with pytest.raises(InvalidArrayError, match=said):
        SplatRaster(1).look(**arguments)


def test_arrays_that_the_kernels_would_misread_are_refused():
    cloud = lopsided_cloud(4)
    good = planar(cloud)
    picture, plane = np.zeros((HEIGHT, WIDTH, 3), np.float32), np.zeros((HEIGHT, WIDTH), np.float32)
    raster = SplatRaster(1)
    raster.look(VIEWMAT, K, WIDTH, HEIGHT)

    def refuses(said, method, *arguments, **named):
        with pytest.raises(InvalidArrayError, match=said):
            method(*arguments, **named)

    refuses("image must have shape", raster.forward, good, 61, picture[:-1])
    refuses("image must be float32, got float64", raster.forward, good, 61, picture.astype(float))
    refuses("image must be contiguous", raster.forward, good, 61, np.zeros((41, 53, 6), np.float32)[..., ::2])
    refuses("depth must have shape", raster.forward, good, 61, picture, plane, picture)
    refuses("params must have 14, 23, 38 or 59 rows, got 22", raster.forward, good[1:], 61, picture)
    refuses("params must have rows of 80", raster.forward, good, 65, picture)
    refuses("params must have rows of 64", raster.forward, good[:, :50], 50, picture)
    refuses("params must be contiguous", raster.forward, np.asfortranarray(good), 61, picture)
    refuses("count must be 0 to 2147483647, got -1", raster.forward, good, -1, picture)
    raster.forward(good, 61, picture)
    refuses("d_image must have shape", raster.backward, good, 61, plane, good.copy())
    refuses("gradients must have shape", raster.backward, good, 61, picture, good[:14].copy())
    refuses("visible must have at least 61", raster.backward, good, 61, picture, good, np.zeros(60, np.uint8))
    refuses("visible must be uint8, got bool", raster.backward, good, 61, picture, good, np.zeros(64, bool))
    with pytest.raises(ValueError, match="d_alpha and d_depth go together, after a picture with depth"):
        raster.backward(good, 61, picture, good, d_alpha=plane, d_depth=plane)
    refuses("target must have shape", raster.loss, picture, picture[1:], 0.2, picture)
    refuses("d_image must be contiguous", raster.loss, picture, picture, 0.2, np.asfortranarray(picture))
    refuses("exposure must have shape", raster.loss, picture, picture, 0.2, picture, np.ones(3, np.float32))
    refuses("image must be 1 to 16384", raster.loss, picture[:0], picture[:0], 0.2, picture[:0])
    flags, raw = np.zeros(64, np.uint8), np.zeros((4, 64), np.float32)
    refuses("raw must have shape", raster.adam, AdamStep(), 61, good, raw[:3], good, good, good, flags)
    refuses("second must have shape", raster.adam, AdamStep(), 61, good, raw, good, good, good[1:], flags)


def test_a_cloud_that_was_changed_to_hold_nan_is_not_drawn():
    cloud = lopsided_cloud(4)
    cloud.sh[7, 2, 1] = np.nan

    with pytest.raises(InvalidArrayError, match="cloud must be finite"):
        draw(cloud, Cameras(VIEWMAT[None], K[None], WIDTH, HEIGHT))


def test_tensors_that_the_kernels_cannot_read_are_refused():
    splats = {name: tensor.detach() for name, tensor in tensors(lopsided_cloud(1), torch.float64).items()}
    camera = torch.tensor(VIEWMAT), torch.tensor(K), WIDTH, HEIGHT
    with pytest.raises(InvalidArrayError, match="means must be a float32 CPU tensor"):
        cpu.rasterize(**splats, viewmat=camera[0], K=camera[1], width=WIDTH, height=HEIGHT)
    splats = {name: tensor.float() for name, tensor in splats.items()}
    for name, tensor, said in (
        ("scales", splats["scales"][:, :2], r"scales must have shape \[61, 3\], got \[61, 2\]"),
        ("sh", splats["sh"].repeat(1, 2, 1), "sh must hold 1, 4, 9 or 16 coefficients, got 2"),
        ("sh", splats["sh"][:, 0], r"sh must have shape \[61, 1, 3\], got \[61, 3\]"),
        ("opacities", splats["opacities"] * float("nan"), "opacities must be finite"),
    ):
        with pytest.raises(InvalidArrayError, match=said):
            cpu.rasterize(
                **splats | {name: tensor}, viewmat=camera[0], K=camera[1], width=WIDTH, height=HEIGHT
            )


def test_backends_say_what_is_missing():
    assert backend.resolve_rasterizer("auto") in ("cpu", "gsplat")
    with pytest.raises(InvalidInputError, match="rasterizer must be one of"):
        backend.resolve_rasterizer("vulkan")
    if not torch.cuda.is_available():
        with pytest.raises(MissingBackendError, match="needs a CUDA device"):
            backend.load_rasterizer("gsplat")


def test_the_training_path_of_other_rasterisers_takes_the_same_steps_as_the_kernels():
    from reconstruction.rasterizers.autograd_step import AutogradStep
    from reconstruction.rasterizers.fused_step import FusedStep, StepWeights
    from reconstruction.schedule import Rates

    cloud = lopsided_cloud(4, count=200)
    fused = FusedStep(cloud, 4, 3.0, threads=2)
    plain = AutogradStep(cpu.rasterize, "cpu", cloud, 4, 3.0)
    start = fused.columns()
    target = np.random.default_rng(5).random((HEIGHT, WIDTH, 3), np.float32)
    weights = StepWeights(ssim=0.2, opacity=1e-3, scale=1e-3, antialias=True, depth=0.3)
    exposure = np.array([[1.1, 0.9, 1.05], [0.02, -0.03, 0.01]], np.float32)

    depth = np.random.default_rng(6).uniform(2, 5, (HEIGHT, WIDTH)).astype(np.float32)
    depth[3:9, 4:20], depth[20:30, 7:9] = 0, np.inf
    trust = np.random.default_rng(7).random((HEIGHT, WIDTH), np.float32)
    trust[5:14, :11] = 0

    for _ in range(4):
        a = fused.step(VIEWMAT, K, target, weights, Rates(), exposure, depth, trust)
        b = plain.step(VIEWMAT, K, target, weights, Rates(), exposure, depth, trust)
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-6)

    moved = np.abs(fused.columns() - start)
    assert moved.max() > 0.05 and (moved[:, 0] == 0).any()  # splats out of view stay
    np.testing.assert_allclose(fused.columns(), plain.columns(), atol=2e-4)
