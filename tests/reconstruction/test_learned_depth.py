"""The depth adapters on tiny models of random weights, saved and loaded the way real weights are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates

pytest.importorskip("transformers")
from transformers import DepthAnythingForDepthEstimation, DepthProForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.errors import CancelledError, InvalidInputError, MissingBackendError, ModelFailedError
from reconstruction.learned.depth_anything import input_size
from reconstruction.learned.sources import SourceSettings, load_depth_source
from tests.reconstruction.tiny_models import depth_anything_weights, depth_pro_weights

WIDTH, HEIGHT = 52, 38


def _pictures(count: int = 3) -> NDArray[np.uint8]:
    """Smooth lopsided pictures, no two alike."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [np.sin(u / (5 + k) + c) + np.cos(v / (4 + 2 * c) - k) for k in range(count) for c in range(3)]
    images = np.stack(waves).reshape(count, 3, HEIGHT, WIDTH).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(127.5 + 63 * images, np.uint8)


@pytest.fixture(scope="module")
def relative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return depth_anything_weights(tmp_path_factory.mktemp("relative"), "relative")


@pytest.fixture(scope="module")
def pro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return depth_pro_weights(tmp_path_factory.mktemp("pro"), has_fov=True)


def _settings(folder: Path, **changes: object) -> SourceSettings:
    return SourceSettings(str(folder), **{"is_offline": True, "device": "cpu", **changes})  # type: ignore[arg-type]


def _cameras(count: int, focal_px: float) -> Cameras:
    viewmats = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
    return Cameras(viewmats, np.tile(intrinsics(focal_px, WIDTH, HEIGHT), (count, 1, 1)), WIDTH, HEIGHT)


def _direct(folder: Path, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The network's own answer by transformers' image processor, resampled by scipy: no line of ours."""
    processor = DPTImageProcessorPil(
        size={"height": 518, "width": 518},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        do_resize=True,
        resample=Image.Resampling.BICUBIC,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    pixels = processor(image, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        found = DepthAnythingForDepthEstimation.from_pretrained(folder)(pixels).predicted_depth[0].numpy()
    h, w = found.shape
    assert (h % 14, w % 14) == (0, 0) and h != w
    v, u = np.mgrid[0.5:HEIGHT, 0.5:WIDTH]
    places = [v * h / HEIGHT - 0.5, u * w / WIDTH - 0.5]
    return map_coordinates(found.astype(np.float64), places, order=1, mode="nearest")


def test_relative_depth_equals_a_direct_run_of_the_network(relative: Path) -> None:
    images = _pictures(2)

    found = load_depth_source("depth-anything", _settings(relative))(images, None)

    assert found.kind == "relative" and found.inverse.shape == (2, HEIGHT, WIDTH)
    for inverse, image in zip(found.inverse, images, strict=True):
        want = _direct(relative, image)
        assert want.std() > 1e-3 * want.mean()  # a constant map would hide a wrong pixel
        assert np.abs(inverse - want).max() < 1e-3 * (want.max() - want.min()) + 1e-6


def test_the_metric_variant_is_turned_into_inverse_metres(tmp_path: Path) -> None:
    folder = depth_anything_weights(tmp_path, "metric")
    image = _pictures(1)

    found = load_depth_source("depth-anything", _settings(folder))(image, None)

    assert found.kind == "metric"
    np.testing.assert_allclose(1 / found.inverse[0], _direct(folder, image[0]), rtol=1e-3)
    assert 0 < (1 / found.inverse).max() <= 20


def test_batches_do_not_change_the_answer(relative: Path, pro: Path) -> None:
    images = _pictures(3)
    for name, folder in (("depth-anything", relative), ("depth-pro", pro)):
        together = load_depth_source(name, _settings(folder, batch=2))(images, None).inverse
        alone = load_depth_source(name, _settings(folder, batch=1))(images, None).inverse

        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)
        assert not np.allclose(alone[0], alone[1], rtol=1e-3)


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (30, 41), (1080, 1920), (518, 518)])
def test_the_input_is_as_large_as_transformers_makes_it(size: tuple[int, int]) -> None:
    processor = DPTImageProcessorPil(
        size={"height": 518, "width": 518}, keep_aspect_ratio=True, ensure_multiple_of=14, do_resize=True
    )

    theirs = processor(np.zeros((*size, 3), np.uint8), return_tensors="np")["pixel_values"].shape[2:]

    assert input_size(*size, patch=14) == theirs


def test_depth_pro_uses_the_lens_it_is_told(pro: Path) -> None:
    images = _pictures(2)
    source = load_depth_source("depth-pro", _settings(pro))

    near, far = source(images, _cameras(2, 40.0)), source(images, _cameras(2, 80.0))

    # The same picture through a lens of twice the focal length shows a scene twice as far away.
    np.testing.assert_allclose(1 / far.inverse, 2 / near.inverse, rtol=1e-5)
    assert near.kind == "metric" and near.focal_px is not None and near.focal_px[1] == 40


def test_depth_pro_guesses_the_lens_and_equals_a_direct_run(pro: Path) -> None:
    images = _pictures(1)

    found = load_depth_source("depth-pro", _settings(pro))(images, None)

    resized = np.asarray(Image.fromarray(images[0]).resize((16, 16), Image.Resampling.BILINEAR))
    pixels = torch.from_numpy(resized.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.no_grad():
        answer = DepthProForDepthEstimation.from_pretrained(pro)(pixels)
    focal = 0.5 * WIDTH / np.tan(np.radians(float(answer.field_of_view[0])) / 2)
    canonical = answer.predicted_depth[0].numpy().astype(np.float64)
    h, w = canonical.shape
    v, u = np.mgrid[0.5:HEIGHT, 0.5:WIDTH]
    at_pixels = map_coordinates(
        canonical, [v * h / HEIGHT - 0.5, u * w / WIDTH - 0.5], order=1, mode="nearest"
    )
    assert found.focal_px is not None and found.focal_px[0] == pytest.approx(focal, rel=1e-5)
    assert canonical.std() > 1e-4 * canonical.mean()
    np.testing.assert_allclose(1 / found.inverse[0], focal / (at_pixels * WIDTH), rtol=1e-3)


def test_weights_that_cannot_guess_the_lens_need_cameras(tmp_path: Path) -> None:
    source = load_depth_source("depth-pro", _settings(depth_pro_weights(tmp_path, has_fov=False)))

    with pytest.raises(ModelFailedError, match="needs the focal length"):
        source(_pictures(1), None)
    assert source(_pictures(1), _cameras(1, 50.0)).inverse.min() > 0


def test_weights_that_give_nan_are_refused_with_the_picture(relative: Path, tmp_path: Path) -> None:
    model = DepthAnythingForDepthEstimation.from_pretrained(relative)
    model.head.conv3.weight.data[0, 0] = float("nan")
    model.save_pretrained(tmp_path)

    with pytest.raises(ModelFailedError, match=r"finite depths, got 1976 that are not in picture 0"):
        load_depth_source("depth-anything", _settings(tmp_path))(_pictures(1), None)


def test_progress_is_told_and_a_cancel_passes_through(relative: Path) -> None:
    told: list[float] = []
    source = load_depth_source("depth-anything", _settings(relative, batch=1))

    source(_pictures(2), None, lambda share, phrase: told.append(share))

    assert told == [0, 0.5, 1]

    def stop(share: float, phrase: str) -> None:
        if share > 0:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        source(_pictures(3), None, stop)


def test_wrong_weights_are_refused_before_they_draw_noise(relative: Path, tmp_path: Path) -> None:
    for folder in ("empty", "damaged", "partial"):
        (tmp_path / folder).mkdir()
    for folder in ("damaged", "partial"):
        shutil.copy(relative / "config.json", tmp_path / folder)
    weights = (relative / "model.safetensors").read_bytes()
    (tmp_path / "damaged" / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    from safetensors.torch import load_file, save_file

    layers = load_file(relative / "model.safetensors")
    save_file(
        {k: v for k, v in layers.items() if "head.conv3" not in k},
        tmp_path / "partial" / "model.safetensors",
        metadata={"format": "pt"},
    )

    with pytest.raises(InvalidInputError, match="must be of type 'depth_pro', got 'depth_anything'"):
        load_depth_source("depth-pro", _settings(relative))
    for folder, rule in (
        ("empty", "cannot be loaded from"),
        ("damaged", "cannot be loaded from"),
        ("partial", r"must hold every layer, 2 lack, first 'head\.conv3\.bias'"),
        ("absent", "cannot be loaded from"),
    ):
        with pytest.raises(InvalidInputError, match=rule) as error:
            load_depth_source("depth-anything", _settings(tmp_path / folder))
        assert "\n" not in str(error.value)


def test_devices_are_chosen_by_name(relative: Path) -> None:
    with pytest.raises(MissingBackendError, match=r"needs cuda:99, \d CUDA devices are here"):
        load_depth_source("depth-anything", _settings(relative, device="cuda:99"))
    with pytest.raises(InvalidInputError, match="device must be 'auto', 'cpu' or 'cuda', got 'gpu'"):
        load_depth_source("depth-anything", _settings(relative, device="gpu"))
    assert load_depth_source("depth-anything", _settings(relative, device="auto"))


def test_the_table_loads_no_model_package() -> None:
    code = "import sys, reconstruction.learned.sources, reconstruction.learned.metric_depth as m;"
    code += "print([n for n in ('torch', 'transformers') if n in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(answer.stdout.replace("'", '"')) == []
