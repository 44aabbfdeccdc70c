from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reconstruction.errors import InvalidInputError
from reconstruction.photos import exif_focal_px, list_photos, read_photos, read_picture
from tests.data import shared
from tests.reconstruction.clips import texture


def _fill(folder: Path, count: int = 4, size: tuple[int, int] = (120, 90)) -> Path:
    for number in range(count):
        image = Image.fromarray(texture(size[1], size[0], seed=number))
        image.save(folder / f"p{number + 8}.png")
    return folder


def test_photo_10_follows_photo_9(tmp_path: Path) -> None:
    assert [path.name for path in list_photos(_fill(tmp_path))] == ["p8.png", "p9.png", "p10.png", "p11.png"]


def test_photos_are_found_in_an_images_folder_and_hidden_files_ignored(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    _fill(tmp_path / "images")
    (tmp_path / ".thumb.png").write_bytes(b"x")

    assert len(read_photos(tmp_path)) == 4


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".JPEG"])
def test_formats_and_provenance(tmp_path: Path, suffix: str) -> None:
    for number in range(3):
        Image.fromarray(texture(90, 120, number)).save(tmp_path / f"{number}{suffix}", quality=95)

    found = read_photos(tmp_path)

    assert np.abs(found.images[1].astype(int) - texture(90, 120, 1)).mean() < 8
    assert found.provenance.detail == tmp_path.name
    assert "/" not in found.provenance.detail


def test_exif_orientation_turns_the_picture(tmp_path: Path) -> None:
    upright = texture(120, 90)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.png", exif=exif)

    assert np.array_equal(read_picture(tmp_path / "turned.png"), upright)


def test_shrinking_averages_areas(tmp_path: Path) -> None:
    checker = np.indices((128, 256)).sum(axis=0) % 2 * 200
    Image.fromarray(np.repeat(checker[..., None], 3, 2).astype(np.uint8)).save(tmp_path / "c.png")

    small = read_picture(tmp_path / "c.png", long_edge_px=64)

    assert small.shape == (32, 64, 3)
    assert (small == 100).all()


def test_focal_length_from_35_mm_equivalent(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 24
    for number in range(3):
        Image.fromarray(texture(90, 120, number)).save(tmp_path / f"{number}.jpg", exif=exif)

    assert exif_focal_px(tmp_path) == pytest.approx(24 / 36 * 120)
    assert exif_focal_px(tmp_path, long_edge_px=60) == pytest.approx(24 / 36 * 60)


def test_zoomed_photos_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    for number, focal in enumerate((28, 28, 29, 50, 28)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = focal
        Image.fromarray(texture(90, 120, number)).save(tmp_path / f"{number}.jpg", exif=exif)

    assert exif_focal_px(tmp_path, say=said.append) == pytest.approx(28 / 36 * 120)
    assert said == ["1 of 5 photos were taken at another zoom; one lens is assumed for all"]


def test_focal_length_from_the_sensor_survives_shrinking(tmp_path: Path) -> None:
    exif = Image.Exif()
    block = exif.get_ifd(0x8769)
    block[0x920A], block[0xA20E], block[0xA210] = 8.0, 600.0, 3  # 8 mm, 600 px per cm of the sensor
    block[0xA002], block[0xA003] = 400, 300  # taken at 400x300: 6.67 mm wide
    for number in range(3):
        Image.fromarray(texture(90, 120, number)).save(tmp_path / f"{number}.jpg", exif=exif)

    assert exif_focal_px(tmp_path) == pytest.approx(8.0 * 60 / 400 * 120)


def test_focal_length_of_a_real_camera_is_near_its_published_calibration() -> None:
    folder = shared("photos/kermit")
    published = float((folder / "reference_bundle.out").read_text().splitlines()[2].split()[0])

    found = exif_focal_px(folder)

    assert found is None or found == pytest.approx(published, rel=0.1)


def test_another_size_of_the_same_shape_is_scaled(tmp_path: Path) -> None:
    _fill(tmp_path)
    Image.fromarray(texture(180, 240)).save(tmp_path / "p30.png")

    assert read_photos(tmp_path).images.shape == (5, 90, 120, 3)


def test_one_odd_shape_among_many_is_left_out_and_said(tmp_path: Path) -> None:
    _fill(tmp_path, 9)
    Image.fromarray(texture(120, 90)).save(tmp_path / "a.png")
    said: list[str] = []

    assert len(read_photos(tmp_path, say=said.append)) == 9
    assert said == ["1 of 10 photos have another shape and were left out"]


def test_a_mixture_of_shapes_is_refused(tmp_path: Path) -> None:
    _fill(tmp_path, 4)
    for number in range(3):
        Image.fromarray(texture(120, 90)).save(tmp_path / f"a{number}.png")

    with pytest.raises(InvalidInputError, match="must share one shape, got 4 of 7 that look like 120x90"):
        read_photos(tmp_path)


def test_folders_without_photos_say_what_is_in_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="got an empty folder"):
        read_photos(tmp_path)
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("notes")
    with pytest.raises(InvalidInputError, match="got none among 3 files"):
        read_photos(tmp_path)
    with pytest.raises(InvalidInputError, match="must be in a folder, got the file"):
        read_photos(tmp_path / "0.txt")
    with pytest.raises(InvalidInputError, match="must exist"):
        read_photos(tmp_path / "none")


def test_two_photos_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="at least 3 photos, got 2"):
        read_photos(_fill(tmp_path, 2))


def test_damaged_photos_are_one_sentence(tmp_path: Path) -> None:
    _fill(tmp_path)
    whole = (tmp_path / "p9.png").read_bytes()
    for bad in (b"", b"hello", whole[:40], whole[: len(whole) // 2]):
        (tmp_path / "p9.png").write_bytes(bad)
        with pytest.raises(InvalidInputError, match=r"^picture 'p9.png' must [^\n]+$") as caught:
            read_photos(tmp_path)
        assert caught.value.hint


@pytest.mark.parametrize("size", [(60_000, 60_000), (2_000_000_000, 1), (20_000, 11_000)])
def test_a_header_that_claims_too_much_is_refused_unread(tmp_path: Path, size: tuple[int, int]) -> None:
    body = b"IHDR" + struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT")

    with pytest.raises(InvalidInputError, match="must have"):
        read_photos(tmp_path)
