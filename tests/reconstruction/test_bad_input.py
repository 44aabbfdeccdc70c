"""What users hand over by mistake: either the right result, or one sentence that says what is wrong.

Shapes, types and single values are checked where the types live (`test_travelling_types`, `test_raster`,
`test_photos`, `test_video`, `test_posed_folder`); here are the cases that go through several of them.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from reconstruction.cameras import Cameras
from reconstruction.errors import ImmersiveError, InvalidArrayError, UnliftableInputError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.lifting import LiftSettings, lift, lift_points
from reconstruction.optimize import FitSettings, fit
from reconstruction.photos import read_photos, read_picture
from reconstruction.poses import estimate_poses
from reconstruction.rasterizers.draw import draw
from reconstruction.splats import SplatCloud
from reconstruction.video import read_clip
from tests.reconstruction.clips import sliding, texture
from tests.reconstruction.test_lifting import wall_scene
from tests.reconstruction.test_optimize import SHORT, held_out_psnr, scene, spoiled_start


@pytest.mark.parametrize("orientation", [1, 6])
def test_16_bit_grey_photos_keep_their_tones(tmp_path: Path, orientation: int) -> None:
    deep = np.linspace(0, 65_535, 72 * 96).reshape(72, 96).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(deep).save(tmp_path / "deep.png", exif=exif)

    found = read_picture(tmp_path / "deep.png")

    tones = np.rint(deep / 65_535 * 255)
    expected = np.rot90(tones, -1) if orientation == 6 else tones
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, 2))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
def test_photos_of_other_modes_are_read_as_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(texture(72, 96)).convert(mode)
    path = tmp_path / ("photo.jpg" if mode == "CMYK" else "photo.png")
    image.save(path, quality=95)

    found = read_picture(path)

    assert found.shape == (72, 96, 3) and found.dtype == np.uint8
    # Brightness by Pillow's own weights; JPEG and palettes move it a little.
    grey = np.asarray(image.convert("L"), float)
    assert np.abs(np.asarray(Image.fromarray(found).convert("L"), float) - grey).mean() < 6


def test_the_same_photo_three_times_is_refused_for_want_of_parallax(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(texture(240, 320)).save(tmp_path / f"{number}.png")

    with pytest.raises(UnliftableInputError) as caught:
        estimate_poses(read_photos(tmp_path), is_video=False)

    assert "\n" not in str(caught.value) and caught.value.hint


def test_a_photo_given_twice_with_its_camera_changes_nothing_much() -> None:
    frames = scene()
    twice = frames.subset([*range(10), 4])  # frame 4 again, from the same place

    settings = replace(SHORT, iterations=300)
    once_db, twice_db = (
        held_out_psnr(fit(given, spoiled_start(), settings, rasterizer="cpu").cloud, frames)
        for given in (frames, twice)
    )

    assert abs(once_db - twice_db) < 1.0
    np.testing.assert_array_equal(twice.cameras.viewmats[10], frames.cameras.viewmats[4])


def test_a_single_frame_with_depth_is_lifted_and_fitted() -> None:
    frame = wall_scene().subset([1])

    result = fit(frame, lift(frame, LiftSettings(splat_count=2000)), FitSettings(iterations=150))

    truth = frame.images[0].astype(np.float32) / 255
    drawn = draw(result.cloud, frame.cameras).images[0]
    known = frame.depths[0] > 0
    assert np.abs(drawn - truth)[known].mean() < 0.03
    with pytest.raises(ImmersiveError, match="got 1"):
        estimate_poses(replace(frame, cameras=None, depths=None), is_video=True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "name", ["viewmats", "Ks", "means", "quats", "scales", "opacities", "sh", "points", "depths"]
)
def test_one_value_that_is_no_number_is_refused_by_name(name: str, bad: float) -> None:
    if name == "depths":
        bad = np.nan  # infinite depth is sky
    frames, cloud = wall_scene(), spoiled_start()
    cameras = frames.cameras

    def spoiled(array: np.ndarray) -> np.ndarray:
        changed = array.copy()
        changed.flat[changed.size // 2] = bad
        return changed

    with pytest.raises(InvalidArrayError, match=name) as caught:
        if name in ("viewmats", "Ks"):
            arrays = {"viewmats": cameras.viewmats, "Ks": cameras.Ks}
            Cameras(**(arrays | {name: spoiled(arrays[name])}), width=cameras.width, height=cameras.height)
        elif name == "points":
            lift_points(spoiled(cloud.means), np.zeros(cloud.means.shape, np.uint8), cameras)
        elif name == "depths":
            replace(frames, depths=spoiled(frames.depths))
        else:
            fields = ("means", "quats", "scales", "opacities", "sh")
            arrays = {field: getattr(cloud, field) for field in fields}
            SplatCloud(**(arrays | {name: spoiled(arrays[name])}))

    assert "\n" not in str(caught.value)


def test_quats_of_any_length_turn_alike() -> None:
    cloud = spoiled_start()
    longer = replace(cloud, quats=cloud.quats * np.float32(3.7))
    cameras = scene().cameras

    a, b = (draw(each, cameras).images for each in (cloud, longer))

    np.testing.assert_allclose(a, b, atol=1e-4)


def test_sound_of_another_length_than_the_picture_does_not_matter(tmp_path: Path) -> None:
    frames, plain, loud = sliding(12), tmp_path / "plain.mkv", tmp_path / "loud.mkv"
    for path, seconds in ((plain, 0), (loud, 3)):  # the pictures last half a second
        _write_with_sound(path.with_suffix(".webm"), frames, seconds)

    without, with_sound = (read_clip(path.with_suffix(".webm")) for path in (plain, loud))

    assert len(with_sound) == len(without)
    np.testing.assert_array_equal(with_sound.images, without.images)


def _write_with_sound(path: Path, frames: np.ndarray, seconds: int) -> None:
    with av.open(str(path), "w") as container:
        options = {"crf": "12", "b": "0", "cpu-used": "8"}
        stream = container.add_stream("libvpx-vp9", rate=25, options=options)
        stream.pix_fmt, stream.height, stream.width = "yuv420p", *frames.shape[1:3]
        stream.codec_context.time_base = Fraction(1, 25)
        sound = container.add_stream("libopus", rate=48_000) if seconds else None
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")))
        container.mux(stream.encode())
        if sound is not None:
            hum = (np.sin(np.arange(48_000 * seconds) / 20) * 8_000).astype(np.int16)[None]
            heard = av.AudioFrame.from_ndarray(hum, format="s16", layout="mono")
            heard.sample_rate, heard.pts = 48_000, 0
            container.mux(sound.encode(heard))
            container.mux(sound.encode())


def test_pictures_of_mixed_sizes_cannot_become_one_sequence() -> None:
    with pytest.raises(InvalidArrayError, match="cameras must match images"):
        FrameSequence(
            np.zeros((3, 40, 60, 3), np.uint8), Provenance("photos", False), cameras=wall_scene().cameras
        )
